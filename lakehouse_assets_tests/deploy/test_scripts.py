"""deploy.sh and destroy.sh: with AWS's own command line on an emulator, and with one that plays Athena.

Not here: what the templates make.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.templates import DEFAULT_PARTS, OPTIONAL_PARTS
from lakehouse_assets.settings import PROJECT
from lakehouse_assets_tests.aws_emulator import ACCOUNT, COMMAND, AwsEmulator

ENVIRONMENTS = sorted((PROJECT / "deploy" / "environments").glob("*.env"))
SCRIPTS = sorted((PROJECT / "deploy").glob("*.sh"))
_Done = subprocess.CompletedProcess[str]
Script = Callable[..., _Done]
SMOKE = """NAME=lakesmoke
REGION=us-east-1
ENVIRONMENT=dev
OWNER=us
ACCOUNT={account}
PARTS=storage
PARAMETERS=(Email=)
"""
AWS = """#!/usr/bin/env bash
echo "aws $*" >> "$CALLS"
case "$*" in
  "sts get-caller-identity"*) echo 123456789012 ;;
  "cloudformation deploy"*) echo "No changes to deploy" ;;
  *start-query-execution*) echo query-1 ;;
  *get-query-execution*) echo "$STATE" ;;
  *get-query-results*) echo "$NUMBER" ;;
  *describe-services*) echo '{"awsvpcConfiguration": {}}' ;;
  *run-task*) echo arn:aws:ecs:us-east-1:123456789012:task/lakesmoke/one ;;
  *get-log-events*) printf 'everything is\tup to date\n' ;;
  *describe-tasks*) echo "$NUMBER" ;;
esac
"""


def _variable(file: Path, name: str) -> list[str]:
    done = subprocess.run(["bash", "-c", f'source "{file}"; echo ${name}'], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_shellcheck_finds_nothing() -> None:
    assert {script.name for script in SCRIPTS} >= {"deploy.sh", "destroy.sh"}
    command = [str(Path(sys.prefix) / "bin" / "shellcheck"), "-x", *map(str, SCRIPTS)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("file", ENVIRONMENTS, ids=lambda file: file.stem)
def test_an_environment_names_its_parts_in_their_order(file: Path) -> None:
    parts = _variable(file, "PARTS")
    assert [part for part in parts if part in DEFAULT_PARTS] == list(DEFAULT_PARTS)
    assert set(parts) <= {*DEFAULT_PARTS, *OPTIONAL_PARTS}


@pytest.fixture
def played(tmp_path: Path) -> Script:
    """Run deploy.sh with a command line of AWS that only answers, and writes down what it is asked."""
    (tmp_path / "aws").write_text(AWS)
    (tmp_path / "aws").chmod(0o755)

    def run(account: str, *arguments: str, script: str = "deploy.sh", **environment: str) -> _Done:
        (tmp_path / "smoke.csv").write_text("a\n1\n")
        file = tmp_path / "smoke.env"
        smoke = f"SMOKE_FILE={tmp_path}/smoke.csv\nSMOKE_KEY=sales/smoke.csv\nSMOKE_SQL='SELECT 1'\n"
        file.write_text(SMOKE.format(account=account) + smoke)
        told = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "CALLS": str(tmp_path / "calls"), "SMOKE_PAUSE_S": "0.1"}
        return subprocess.run(
            [str(PROJECT / "deploy" / script), str(file), *arguments],
            env=told | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_the_smoke_test_lands_a_file_and_waits_for_gold(played: Script, tmp_path: Path) -> None:
    done = played(ACCOUNT, STATE="SUCCEEDED", NUMBER="3")
    assert done.returncode == 0, done.stderr
    assert "gold has it: 3" in done.stdout
    calls = (tmp_path / "calls").read_text()
    assert f"s3://lakesmoke-{ACCOUNT}/lake/landing/sales/smoke.csv" in calls
    assert "--work-group lakesmoke --query-string SELECT 1" in calls


@pytest.mark.parametrize(("state", "number"), [("FAILED", ""), ("SUCCEEDED", "0")])
def test_the_smoke_test_fails_while_gold_has_nothing(played: Script, state: str, number: str) -> None:
    done = played(ACCOUNT, STATE=state, NUMBER=number, SMOKE_WAIT_S="1")
    assert done.returncode == 1
    assert "gold does not have sales/smoke.csv" in done.stderr


def test_another_account_is_left_alone(played: Script, tmp_path: Path) -> None:
    done = played("999999999999", STATE="SUCCEEDED", NUMBER="3")
    assert done.returncode == 1
    assert "nothing was changed" in done.stderr
    assert (tmp_path / "calls").read_text().count("aws ") == 1


def test_a_command_is_typed_in_a_task(played: Script, tmp_path: Path) -> None:
    done = played(ACCOUNT, "query", 'SELECT "a"', script="lakehouse.sh", NUMBER="3")
    assert done.returncode == 3
    assert done.stdout == "everything is\nup to date\n"
    [asked] = [line for line in (tmp_path / "calls").read_text().splitlines() if "run-task" in line]
    overrides = json.loads(asked.partition("--overrides ")[2])
    assert overrides["taskRoleArn"] == f"arn:aws:iam::{ACCOUNT}:role/lakesmoke-commands"
    assert overrides["containerOverrides"] == [{"name": "run", "command": ["lakehouse", "query", 'SELECT "a"']}]


@pytest.mark.slow
def test_a_lake_is_made_changed_and_removed(aws_emulator: AwsEmulator, tmp_path: Path) -> None:
    if not COMMAND.with_name("aws").exists():
        pytest.skip("the command line of AWS is not installed: make .venv/aws-emulator")
    file = tmp_path / "one.env"
    text = SMOKE.format(account="").replace("lakesmoke", "lakescript") + "SMOKE_FILE=\n"
    file.write_text(text)
    path = f"{COMMAND.parent}:{os.environ['PATH']}"

    def script(name: str, *arguments: str, answer: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(PROJECT / "deploy" / name), str(file), *arguments],
            env={**aws_emulator.environment, "PATH": path}, input=answer, capture_output=True, text=True, check=False,
        )  # fmt: skip

    refused = script("deploy.sh", "storage", answer="no\n")
    assert refused.returncode == 1
    assert "Lake" in refused.stdout
    assert "nothing was changed in this part" in refused.stderr
    assert not _has_bucket(aws_emulator)
    made = script("deploy.sh", "--yes")
    assert made.returncode == 0, made.stdout + made.stderr
    assert _has_bucket(aws_emulator)
    stack = aws_emulator.client("cloudformation").describe_stacks(StackName="lakescript-storage")["Stacks"][0]
    tags = {tag["Key"]: tag["Value"] for tag in stack["Tags"]}
    assert tags == {"lake": "lakescript", "environment": "dev", "owner": "us"}
    aws_emulator.client("s3").delete_bucket_policy(Bucket=f"lakescript-{ACCOUNT}")  # the emulator has no TLS
    aws_emulator.client("s3").put_object(Bucket=f"lakescript-{ACCOUNT}", Key="lake/landing/one.csv", Body=b"")
    refused = script("destroy.sh", answer="lakescript\n")
    assert refused.returncode == 1
    assert f"the lake: s3://lakescript-{ACCOUNT} has objects" in refused.stdout
    removed = script("destroy.sh", "--delete-data", "lakescript", answer="lakescript\n")
    assert removed.returncode == 0, removed.stdout + removed.stderr
    assert "aws s3api delete-bucket --bucket lakescript-" in removed.stdout
    assert _has_bucket(aws_emulator)


def _has_bucket(emulator: AwsEmulator) -> bool:
    return f"lakescript-{ACCOUNT}" in [one["Name"] for one in emulator.client("s3").list_buckets()["Buckets"]]
