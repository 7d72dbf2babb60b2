"""The templates of deploy/stack in an emulated account, without what the emulator does not know.

Not here: what is done with what they make. deploy.sh makes them in a real account.
"""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from deploy.templates import STACK, Template, read, types_of

Clients = Callable[[str], Any]
"""Gives a boto3 client by the name of its service."""
UNKNOWN = frozenset({
    "AWS::Budgets::Budget",
    "AWS::CloudTrail::Trail",
    "AWS::EC2::FlowLog",
    "AWS::EC2::SecurityGroupEgress",
    "AWS::EC2::SecurityGroupIngress",
    "AWS::EMRServerless::Application",
    "AWS::Glue::SecurityConfiguration",
    "AWS::LakeFormation::PrincipalPermissions",
    "AWS::LakeFormation::Resource",
    "AWS::LakeFormation::Tag",
    "AWS::LakeFormation::TagAssociation",
    "AWS::QuickSight::Analysis",
    "AWS::QuickSight::Dashboard",
    "AWS::QuickSight::DataSet",
    "AWS::QuickSight::DataSource",
    "AWS::RedshiftServerless::Namespace",
    "AWS::RedshiftServerless::Workgroup",
})  # fmt: skip
"""Types of resources that the emulator refuses. docs/deploy.md names them, too."""
_WAIT_S = 60


def make(clients: Clients, name: str, part: str, **parameters: str) -> dict[str, str]:
    """Make the stack of a part; return its outputs.

    Args:
        parameters: Of the template, beside its `Name`.

    Raises:
        RuntimeError: It could not be made; with what the emulator says of each resource.
    """
    stack, client = f"{name}-{part}", clients("cloudformation")
    client.create_stack(
        StackName=stack,
        TemplateBody=_known(part),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in _of(part, name, parameters)],
        Capabilities=["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    deadline = time.monotonic() + _WAIT_S
    while (made := client.describe_stacks(StackName=stack)["Stacks"][0])["StackStatus"].endswith("_IN_PROGRESS"):
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    if made["StackStatus"] != "CREATE_COMPLETE":
        events = client.describe_stack_events(StackName=stack)["StackEvents"]
        told = [one for one in events if one.get("ResourceStatusReason")]
        why = [f"{one['LogicalResourceId']}: {one['ResourceStatusReason']}" for one in told]
        msg = f"{stack} is {made['StackStatus']}: {'; '.join(why)}"
        raise RuntimeError(msg)
    return {one["OutputKey"]: one["OutputValue"] for one in made.get("Outputs", [])}


def _of(part: str, name: str, parameters: Mapping[str, str]) -> list[tuple[str, str]]:
    declared = read(part)["Parameters"]
    return [(key, value) for key, value in {"Name": name, **parameters}.items() if key in declared]


def _known(part: str) -> str:
    """Return the text of a template; where the emulator does not know all of it, of what is left without that."""
    template = read(part)
    lost = {name for name, one in template["Resources"].items() if types_of(one) & UNKNOWN}
    if not lost:
        return (STACK / f"{part}.yaml").read_text(encoding="utf-8")
    kept: dict[str, Template] = {name: one for name, one in template["Resources"].items() if name not in lost}
    for one in (one for one in kept.values() if isinstance(one, dict)):
        one["Properties"] = {
            key: value
            for key, value in one["Properties"].items()
            if not (isinstance(value, dict) and value.get("Ref") in lost)
        }
    return json.dumps({**template, "AWSTemplateFormatVersion": "2010-09-09", "Resources": kept})
