"""deploy.sh and destroy.sh: with AWS's own command line on an emulator, and with one that plays Athena.

Not here: what the templates make.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.templates import DEFAULT_PARTS, OPTIONAL_PARTS, resources
from lakehouse_assets.context import Lake
from lakehouse_assets.lake_settings import PROJECT
from lakehouse_assets_tests.aws_emulator import ACCOUNT, COMMAND, AwsEmulator
from lakehouse_assets_tests.conftest import Cli
from lakehouse_assets_tests.retail import land, run, sales_csv

ENVIRONMENTS = sorted((PROJECT / "deploy" / "environments").glob("*.env"))
SCRIPTS = sorted((PROJECT / "deploy").glob("*.sh"))
_Done = subprocess.CompletedProcess[str]
Script = Callable[..., _Done]
SMOKE = """NAME=lakesmoke
REGION=us-east-1
ENVIRONMENT=dev
OWNER=us
ACCOUNT={account}
PARTS=${{PARTS:-storage}}
PARAMETERS=(Email= Architecture=X86_64)
ROLLBACK_ALARMS="one two"
"""
AWS = """#!/usr/bin/env bash
echo "aws $*" >> "$CALLS"
case "$*" in
  "sts get-caller-identity"*) echo 123456789012 ;;
  *DefaultValue==null*) echo Image ;;
  *"Parameters[].ParameterKey"*) echo "Name Image Architecture" ;;
  *describe-stacks*) echo UPDATE_COMPLETE ;;
  *"--query StatusReason"*) echo "The submitted information didn't contain changes." ;;
  *"--query Status "*) echo "${CHANGE_SET:-FAILED}" ;;
  *describe-alarms*) echo "arn:one" ;;
  *start-query-execution*) echo query-1 ;;
  *get-query-execution*) echo "$STATE" ;;
  *get-query-results*) n=$(grep -c get-query-results "$CALLS"); cut -d ' ' -f "$n" <<<"$NUMBERS" ;;
  *describe-services*) echo '{"awsvpcConfiguration": {}}' ;;
  *run-task*) echo arn:aws:ecs:us-east-1:123456789012:task/lakesmoke/one ;;
  *get-log-events*) printf 'everything is\tup to date\n' ;;
  *describe-tasks*) echo "${CODE:-0}" ;;
esac
"""


def _variable(file: Path, name: str) -> list[str]:
    done = subprocess.run(["bash", "-c", f'source "{file}"; echo ${name}'], capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.slow(covered=True)
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
        told = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "CALLS": str(tmp_path / "calls"), "SMOKE_PAUSE_S": "0"}
        return subprocess.run(
            [str(PROJECT / "deploy" / script), str(file), *arguments],
            env=told | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_the_smoke_test_lands_a_file_waits_for_gold_and_takes_it_out_again(played: Script, tmp_path: Path) -> None:
    done = played(ACCOUNT, STATE="SUCCEEDED", NUMBERS="0 0 3 3 0")
    assert done.returncode == 0, done.stderr
    assert "retracted, and gone from gold" in done.stdout
    calls = (tmp_path / "calls").read_text()
    [landed] = re.findall(rf"s3://lakesmoke-{ACCOUNT}/lake/landing/sales/(smoke-\d+/smoke.csv)", calls)
    [asked] = re.findall(r"--overrides (.*)", calls)
    command = json.loads(asked)["containerOverrides"][0]["command"]
    assert command[:4] == ["lakehouse", "retract", "sales", landed]
    assert "--work-group lakesmoke --query-string SELECT 1" in calls


def test_the_part_of_quicksight_is_not_removed_unasked(played: Script, tmp_path: Path) -> None:
    refused = played(ACCOUNT, script="destroy.sh", PARTS="quicksight")
    assert refused.returncode == 1
    assert "what authors made in QuickSight of its data sets" in refused.stdout
    assert "nothing was removed" in refused.stderr
    assert "delete-stack" not in (tmp_path / "calls").read_text()


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize(
    ("state", "numbers", "code", "why"),
    [
        ("FAILED", "", "0", r"gold does not have sales/smoke-\d+/smoke\.csv"),
        ("SUCCEEDED", "0" + 99 * " 0", "0", r"gold does not have sales/smoke-\d+/smoke\.csv"),
        ("SUCCEEDED", "2", "0", "gold has 2 before anything landed, so nothing was landed"),
        ("SUCCEEDED", "0 1", "1", r"is still in gold; type this again: deploy/lakehouse\.sh .*'retract' 'sales'"),
        ("SUCCEEDED", "0" + 99 * " 1", "0", "was retracted gold still has it"),
    ],
)
def test_the_smoke_test_fails(played: Script, state: str, numbers: str, code: str, why: str) -> None:
    done = played(ACCOUNT, STATE=state, NUMBERS=numbers, CODE=code, SMOKE_WAIT_S="1")
    assert done.returncode == 1
    assert re.search(why, done.stderr)


def test_a_change_of_the_service_is_taken_back_by_alarms_that_are_not_on_yet(played: Script, tmp_path: Path) -> None:
    done = played(ACCOUNT, "--yes", "service", "storage", "Image=new:2", CHANGE_SET="CREATE_COMPLETE")
    assert done.returncode == 0, done.stderr
    calls = (tmp_path / "calls").read_text()
    assert "--alarm-names lakesmoke-one lakesmoke-two --state-value OK" in calls
    service, storage = re.findall(r"--parameters (.*) --rollback-configuration (.*) --capabilities", calls)
    assert json.loads(service[0]) == [
        {"ParameterKey": "Name", "ParameterValue": "lakesmoke"},
        {"ParameterKey": "Image", "ParameterValue": "new:2"},
        {"ParameterKey": "Architecture", "ParameterValue": "X86_64"},
    ]
    alarm = {"Arn": "arn:one", "Type": "AWS::CloudWatch::Alarm"}
    assert json.loads(service[1]) == {"RollbackTriggers": [alarm], "MonitoringTimeInMinutes": 20}
    assert json.loads(storage[1]) == {"RollbackTriggers": [], "MonitoringTimeInMinutes": 0}
    assert "smoke test" not in done.stdout


def test_what_has_no_default_and_is_not_given_stays_as_it_is(played: Script, tmp_path: Path) -> None:
    assert played(ACCOUNT, "--yes", "service").stdout.splitlines()[1:] == ["service: nothing to change", "done"]
    [given] = re.findall(r"--parameters (.*) --rollback", (tmp_path / "calls").read_text())
    assert {"ParameterKey": "Image", "UsePreviousValue": True} in json.loads(given)


@pytest.mark.parametrize("file", ENVIRONMENTS, ids=lambda file: file.stem)
def test_alarms_and_the_file_of_the_smoke_test_exist(file: Path) -> None:
    alarms = [one["Properties"] for one in resources("alerts").values() if one["Type"] == "AWS::CloudWatch::Alarm"]
    called = {one["AlarmName"]["Fn::Sub"].removeprefix("${Name}-") for one in alarms}
    assert set(_variable(file, "ROLLBACK_ALARMS")) <= called
    assert (PROJECT / _variable(file, "SMOKE_FILE")[0]).exists()


@pytest.mark.slow
def test_the_file_of_the_smoke_test_comes_to_gold_changes_no_figure_and_goes_however_often(
    lake: Lake, cli: Cli
) -> None:
    [count] = {
        " ".join(_variable(file, "SMOKE_SQL")).replace("daily_sales", "gold.daily_sales") for file in ENVIRONMENTS
    }

    def asked(sql: str) -> list[str]:
        done = cli(lake, "query", sql, "--format", "csv")
        return done.stdout.splitlines()[1:] if not done.returncode else []

    figures = "SELECT sum(sales), sum(units), sum(customers) FROM gold.daily_sales"
    land(lake, "day.csv", sales_csv(3))
    run(lake)
    before = asked(figures)
    assert before
    for key in ("smoke-1/smoke.csv", "smoke-2/smoke.csv"):
        assert asked(count) == ["0"]
        land(lake, key, (PROJECT / "deploy" / "smoke" / "sales.csv").read_bytes())
        run(lake)
        assert (asked(count), asked(figures)) == (["1"], before)
        assert cli(lake, "retract", "sales", key, "--why", "smoke test", "--who", "deploy.sh").returncode == 0
        run(lake)
    assert (asked(count), asked(figures)) == (["0"], before)


def test_another_account_is_left_alone(played: Script, tmp_path: Path) -> None:
    done = played("999999999999")
    assert done.returncode == 1
    assert "nothing was changed" in done.stderr
    assert (tmp_path / "calls").read_text().count("aws ") == 1


def test_a_command_is_typed_in_a_task(played: Script, tmp_path: Path) -> None:
    done = played(ACCOUNT, "query", 'SELECT "a"', script="lakehouse.sh", CODE="3")
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
