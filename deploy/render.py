"""deploy/policies as a CloudFormation template: `python -m deploy.render` writes deploy/stack/policies.yaml anew.

The JSON files stay the one place where a statement is written. A test compares. Not here: what the statements say.
"""

import json
import re
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parent
TEMPLATE = DEPLOY / "stack" / "policies.yaml"
_HEAD = """\
# Made from deploy/policies by `python -m deploy.render`: change it there.
AWSTemplateFormatVersion: "2010-09-09"
Description: What each role may do with the lake; a policy for each file of deploy/policies. docs/aws.md explains them.

"""
NAMES = {
    "ACCOUNT": "${AWS::AccountId}",
    "REGION": "${AWS::Region}",
    "BUCKET": "${Name}-${AWS::AccountId}",
    "PREFIX": "lake",
    "QUEUE": "${Name}-landing",
    "DEAD_LETTERS": "${Name}-landing-dead",
    "GLUE_PREFIX": "${Name}",
    "WORKGROUP": "${Name}",
    "CRAWLER": "${Name}-crawler",
    "CRAWLER_DATABASE": "${Name}_landing",
    "TOPIC": "${Name}-alerts",
    "BUS": "${Name}",
    "ERRORS_TABLE": "${Name}-errors",
    "SERVING_TABLE": "${Name}-serving",
    "SECRETS": "${Name}",
    "METRICS_NAMESPACE": "${Name}",
}
"""What the stack calls what the parameters of the policies name."""
_MADE_BEFOREHAND = {"MakeDatabasesInGlue", "MakeTheWorkgroup", "MakeTheServingTable", "KeepTheErrorLogInTheLake"}
"""Statements for what the stack makes, or for a service that it always has."""
_OPTIONAL = dict.fromkeys(("WriteServedRows", "ReadServedRows", "ReadTheKeyOfCallers"), "IsServing")
_OF_A_FEED = "sender"
"""A sender is let in feed by feed, by hand."""


def template() -> str:
    """Return the template."""
    paths = sorted(path for path in (DEPLOY / "policies").glob("*.json") if path.stem != _OF_A_FEED)
    made = {
        "Parameters": {
            "Name": {
                "Description": "Begins the name of everything of this lake; says lake and environment.",
                "Type": "String",
                "Default": "lakedev",
                "AllowedPattern": "^[a-z][a-z0-9]{2,19}$",
                "ConstraintDescription": "3 to 20 lower-case letters and digits, a letter first.",
            },
            "HasServing": {
                "Description": "Whether serving.yaml is there.",
                "Type": "String",
                "Default": "false",
                "AllowedValues": ["true", "false"],
            },
        },
        "Conditions": {"IsServing": {"Fn::Equals": [{"Ref": "HasServing"}, "true"]}},
        "Resources": {path.stem.capitalize(): _resource(path) for path in paths},
    }
    return _HEAD + yaml.safe_dump(made, sort_keys=False, width=150)


def _resource(path: Path) -> dict[str, Any]:
    said = json.loads(path.read_text(encoding="utf-8"))
    statements = [one for one in said["Statement"] if one["Sid"] not in _MADE_BEFOREHAND]
    conditions = {_OPTIONAL.get(one["Sid"]) for one in statements}
    condition = conditions.pop() if len(conditions) == 1 else None  # of the whole: a policy needs one statement
    return {
        "Type": "AWS::IAM::ManagedPolicy",
        **({"Condition": condition} if condition else {}),
        "Properties": {
            "ManagedPolicyName": {"Fn::Sub": f"${{Name}}-{path.stem}"},
            "Description": f"deploy/policies/{path.name}",
            "PolicyDocument": {
                "Version": said["Version"],
                "Statement": [_named(one) if condition else _statement(one) for one in statements],
            },
        },
    }


def _statement(said: dict[str, Any]) -> dict[str, Any]:
    named: dict[str, Any] = _named(said)
    condition = _OPTIONAL.get(said["Sid"])
    return {"Fn::If": [condition, named, {"Ref": "AWS::NoValue"}]} if condition else named


def _named(said: Any) -> Any:  # noqa: ANN401 - any part of a statement
    """Return a part of a statement with functions of CloudFormation in place of its parameters."""
    if isinstance(said, dict):
        return {key: _named(value) for key, value in said.items()}
    if isinstance(said, list):
        return [_named(value) for value in said]
    text = re.sub(r"\$\{(\w+)\}", lambda found: NAMES[found[1]], said)
    return {"Fn::Sub": text} if "${" in text else text


if __name__ == "__main__":
    TEMPLATE.write_text(template(), encoding="utf-8")
