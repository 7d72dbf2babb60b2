"""docs/architecture.md is what the templates say, and each alarm has a section whose commands exist."""

import re

import pytest

from deploy import architecture
from deploy.templates import DEFAULT_PARTS, OPTIONAL_PARTS, STACK, resources
from lakehouse_assets.cli.main import app
from lakehouse_assets.lake_settings import PROJECT

ALARMS = {
    name: one["Properties"]
    for part in (*DEFAULT_PARTS, *OPTIONAL_PARTS)
    for name, one in resources(part).items()
    if isinstance(one, dict) and one["Type"] == "AWS::CloudWatch::Alarm"
}
_TOPIC = {"Fn::Sub": "arn:${AWS::Partition}:sns:${AWS::Region}:${AWS::AccountId}:${Name}-alerts"}
PAGE = (PROJECT / "docs" / "alarms.md").read_text(encoding="utf-8")


@pytest.mark.slow(covered=True)
def test_the_architecture_is_that_of_the_templates() -> None:
    assert architecture.PAGE.read_text(encoding="utf-8") == architecture.page(), "python -m deploy.architecture"


@pytest.mark.slow(covered=True)
def test_a_part_uses_what_another_gives() -> None:
    uses = architecture.uses()
    assert uses["service", "events"] == ["landing"]
    assert "DatabaseHost" in uses["service", "database"]
    assert ("storage", "network") not in uses


@pytest.mark.parametrize("name", list(ALARMS))
def test_each_alarm_tells_somebody_and_names_its_section(name: str) -> None:
    alarm = ALARMS[name]
    assert alarm["AlarmActions"] == alarm["OKActions"]
    assert alarm["AlarmActions"] in ([{"Ref": "Alerts"}], [_TOPIC])
    called = alarm["AlarmName"]["Fn::Sub"].removeprefix("${Name}-")
    assert f"docs/alarms.md#{called}" in alarm["AlarmDescription"]
    assert f"\n## {called}\n" in PAGE


def test_each_section_is_of_an_alarm() -> None:
    called = {alarm["AlarmName"]["Fn::Sub"].removeprefix("${Name}-") for alarm in ALARMS.values()}
    assert set(re.findall(r"^## (.+)$", PAGE, re.MULTILINE)) == called


def test_the_commands_and_parts_of_the_sections_exist() -> None:
    commands = set(re.findall(r"(?:`lakehouse|lakehouse\.sh FILE) ([a-z]+)", PAGE))
    known = {one.name or one.callback.__name__ for one in app.registered_commands if one.callback}
    assert len(commands) > 2
    assert commands <= known
    parts = re.findall(r"deploy/deploy\.sh FILE ([a-z]+)", PAGE)
    assert parts
    assert all((STACK / f"{part}.yaml").exists() for part in parts)
