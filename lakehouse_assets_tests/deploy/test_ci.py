"""What a code host runs is what a person runs: the commands of the README."""

import re
from typing import Any

import yaml

from lakehouse_assets.lake_settings import PROJECT


def _read(name: str) -> Any:
    return yaml.safe_load((PROJECT / name).read_text(encoding="utf-8"))


def test_the_workflow_runs_the_command_of_the_readme_and_takes_two_actions_by_their_tags() -> None:
    [job] = _read(".github/workflows/ci.yml")["jobs"].values()
    used = [step["uses"] for step in job["steps"] if "uses" in step]
    assert [re.sub(r"@v\d+$", "", action) for action in used] == ["actions/checkout", "actions/setup-python"]
    last = job["steps"][-1]
    assert f"\n{last['run']} " in (PROJECT / "README.md").read_text(encoding="utf-8")
    assert last["env"] == {"COVERAGE": "--cov"}


def test_codebuild_runs_the_script_of_the_project_which_runs_that_command_too() -> None:
    assert _read("deploy/buildspec.yml")["phases"]["build"]["commands"] == [".ci/run"]
    assert "\nexport COVERAGE=--cov\nmake test\n" in (PROJECT / ".ci" / "run").read_text(encoding="utf-8")
