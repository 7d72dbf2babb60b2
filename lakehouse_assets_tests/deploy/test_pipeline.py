"""The part `cicd`: the order of its steps, what each may do, and what its build files type where AWS is played.

Not here: linters, which see every template.
"""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.templates import resources
from lakehouse_assets.lake_settings import PROJECT

MADE = resources("cicd")
SERVICE = resources("service")
COMMIT = "0123456789abcdef0123456789abcdef01234567"
PLAYED = """#!/usr/bin/env bash
echo "$(basename "$0") $*" >> "$CALLS"
case "$*" in
  *describe-images*) exit "$MISSING" ;;
  login*) cat > /dev/null ;;
esac
"""


def _statements(role: str) -> dict[str, Any]:
    policies = MADE[role]["Properties"].get("Policies", [])
    return {one["Sid"]: one for policy in policies for one in policy["PolicyDocument"]["Statement"]}


def _actions(role: str) -> set[str]:
    return {action for one in _statements(role).values() for action in one["Action"]}


def test_an_image_is_made_of_tested_commits_and_deployed_when_a_person_has_said_yes() -> None:
    stages = MADE["Pipeline"]["Properties"]["Stages"]
    order = [action for stage in stages for action in sorted(stage["Actions"], key=lambda one: one.get("RunOrder", 1))]
    assert [action["Name"] for action in order] == ["Commit", "Test", "Image", "Approve", "Deploy"]
    assert order[3]["ActionTypeId"]["Provider"] == "Manual"
    places = [(stage["Name"], action["RunOrder"]) for stage in stages[1:] for action in stage["Actions"]]
    assert len(set(places)) == len(places), "two steps at once"


def test_tests_may_do_nothing_and_only_the_image_step_may_push() -> None:
    assert _actions("TestRole") == set()
    assert {role for role in ("TestRole", "ImageRole", "DeployRole") if "ecr:PutImage" in _actions(role)} == {
        "ImageRole"
    }


def test_the_deploy_step_changes_the_stack_of_the_service_and_no_role_key_or_data() -> None:
    [stack] = [
        one["Resource"]["Fn::Sub"] for name, one in _statements("DeployRole").items() if name == "ChangeTheStack"
    ]
    assert stack.endswith(":stack/${Name}-service/*")
    assert {action for action in _actions("DeployRole") if action.startswith(("iam:", "kms:", "s3:", "rds:"))} == {
        "iam:PassRole",
        "s3:PutObject",
    }
    assert _statements("DeployRole")["LandTheFile"]["Resource"]["Fn::Sub"].endswith("/lake/landing/*/smoke-*")


def test_the_deploy_step_gives_tasks_the_roles_that_the_service_and_commands_have() -> None:
    tasks = [one["Properties"] for one in SERVICE.values() if one["Type"] == "AWS::ECS::TaskDefinition"]
    wanted = {task[name]["Fn::Sub"] for task in tasks for name in ("ExecutionRoleArn", "TaskRoleArn")}
    passed = {one["Fn::Sub"] for one in _statements("DeployRole")["GiveTasksTheirRoles"]["Resource"]}
    commands = "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/${Name}-commands"
    assert passed == wanted | {commands}


@pytest.fixture
def played(tmp_path: Path) -> Path:
    """A folder with a command line of AWS and a Docker that only write down what they are asked."""
    for name in ("aws", "docker", "deploy/deploy.sh"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(PLAYED)
        (tmp_path / name).chmod(0o755)
    return tmp_path


def _run(project: str, played: Path, **environment: str) -> list[str]:
    """Run the commands of a project as CodeBuild does, with what its template tells it; return what was called."""
    properties = MADE[project]["Properties"]
    said = yaml.safe_load((PROJECT / properties["Source"]["BuildSpec"]).read_text(encoding="utf-8"))
    names = {one["Name"] for one in properties["Environment"]["EnvironmentVariables"]}
    told = {"NAME": "lakedev", "REPOSITORY": "host/lakedev", "ENVIRONMENT_FILE": "dev.env"}
    given = {name: told[name] for name in names} | {"CODEBUILD_RESOLVED_SOURCE_VERSION": COMMIT}
    calls = played / "calls"
    given |= {"PATH": f"{played}:{os.environ['PATH']}", "CALLS": str(calls), **environment}
    for command in said["phases"]["build"]["commands"]:
        subprocess.run([said["env"]["shell"], "-uc", command], cwd=played, env=given, check=True)
    return calls.read_text().splitlines()


def test_an_image_bears_its_commit_and_is_made_once(played: Path) -> None:
    _, *login, built, pushed = _run("Image", played, MISSING="1")
    assert set(login) == {"aws ecr get-login-password", "docker login --username AWS --password-stdin host"}
    assert [built, pushed] == [
        "docker build -f deploy/Dockerfile -t host/lakedev:0123456789ab .",
        "docker push host/lakedev:0123456789ab",
    ]
    (played / "calls").unlink()
    [asked] = _run("Image", played, MISSING="0")
    assert "--repository-name lakedev --image-ids imageTag=0123456789ab" in asked


def test_what_is_deployed_is_that_image_with_a_smoke_test(played: Path) -> None:
    assert _run("Deploy", played) == ["deploy.sh dev.env --yes --smoke service Image=host/lakedev:0123456789ab"]
