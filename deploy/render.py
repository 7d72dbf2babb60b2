"""What templates have from other files: `python -m deploy.render` writes it anew.

deploy/policies becomes policies.yaml, and deploy/serving_api.json a line of serving-api.yaml: they stay the one place
where a statement or a route is written. The name of a deployment of an API Gateway follows from what is deployed.
A test compares. Not here: what the statements and routes say.
"""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parent
STACK = DEPLOY / "stack"
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
    "STREAM": "${StreamToRead}",
    "SECRETS": "${Name}",
    "METRICS_NAMESPACE": "${Name}",
}
"""What the stack calls what the parameters of the policies name."""
_MADE_BEFOREHAND = {"MakeDatabasesInGlue", "MakeTheWorkgroup", "MakeTheServingTable", "KeepTheErrorLogInTheLake"}
"""Statements for what the stack makes, or for a service that it always has."""
_OPTIONAL = dict.fromkeys(("WriteServedRows", "ReadServedRows", "ReadTheKeyOfCallers"), "IsServing") | {
    "ReadTheStream": "ReadsAStream"
}
_OF_A_FEED = "sender"
"""A sender is let in feed by feed, by hand."""


def templates() -> dict[Path, str]:
    """Return the text of each template that has something from elsewhere, by its path."""
    serving, ingest = ((STACK / f"{part}.yaml").read_text(encoding="utf-8") for part in ("serving-api", "ingest"))
    body = json.dumps(json.loads((DEPLOY / "serving_api.json").read_text(encoding="utf-8")))
    body = body.replace("${ServingTable}", "${Name}-serving").replace("${ServingRoleArn}", "${Role.Arn}")
    serving = re.sub(r"(?m)^      Body: .*$", lambda _: f"      Body: {body}", serving)
    [methods] = re.findall(r"(?ms)^  Feed:\n.*?(?=^  # A deployment)", ingest)
    return {
        STACK / "policies.yaml": _policies(),
        STACK / "serving-api.yaml": deployed(serving, body),
        STACK / "ingest.yaml": deployed(ingest, methods),
    }


def deployed(template: str, what: str) -> str:
    """Return a template with a name of its deployment that says what is deployed: of another name, it is made anew."""
    return re.sub(r"\bDeployment[0-9a-f]+\b", f"Deployment{hashlib.sha256(what.encode()).hexdigest()[:8]}", template)


def _policies() -> str:
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
            "StreamToRead": {
                "Description": "Kinesis stream that a feed reads itself; or web-* for several; empty for none.",
                "Type": "String",
                "Default": "",
                "AllowedPattern": "^[a-zA-Z0-9_.*-]{0,128}$",
                "ConstraintDescription": "the name of a stream, in which * stands for any characters.",
            },
        },
        "Conditions": {
            "IsServing": {"Fn::Equals": [{"Ref": "HasServing"}, "true"]},
            "ReadsAStream": {"Fn::Not": [{"Fn::Equals": [{"Ref": "StreamToRead"}, ""]}]},
        },
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
    for path, text in templates().items():
        path.write_text(text, encoding="utf-8")
