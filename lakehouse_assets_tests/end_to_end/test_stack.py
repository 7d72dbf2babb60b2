"""The templates of deploy/stack in an emulated account: what they make is what the lake and its tasks are told.

Not here: a whole lake on it, which is what test_aws_mode.py runs.
"""

import json
import re
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from deploy.demo_aws import roles
from deploy.demo_aws.account import Account, set_up
from deploy.demo_aws.stacks import UNKNOWN, make
from deploy.templates import DEFAULT_PARTS, resources
from lakehouse_assets.settings import PROJECT
from lakehouse_assets_tests.aws_emulator import ACCOUNT, AwsEmulator
from lakehouse_assets_tests.local_server import REGION

pytestmark = pytest.mark.slow
NAME = "lakewhole"
_ALL_OF_S3 = {"Effect": "Allow", "Action": ["s3:*"], "Resource": ["*"]}
NOT_IN_THE_STACK = {"MakeDatabasesInGlue", "MakeTheWorkgroup", "MakeTheServingTable", "KeepTheErrorLogInTheLake"}


@pytest.fixture(scope="module")
def cloud(enforcing_emulator: AwsEmulator) -> AwsEmulator:
    """An account with every part."""
    for part in (*DEFAULT_PARTS, "endpoints", "serving"):
        make(enforcing_emulator.client, NAME, part, Image=f"{NAME}:1", Email="a@example.com", HasServing="true")
    return enforcing_emulator


def _environment(cloud: AwsEmulator, family: str, container: str) -> dict[str, str]:
    task = cloud.client("ecs").describe_task_definition(taskDefinition=family)["taskDefinition"]
    [found] = [one for one in task["containerDefinitions"] if one["name"] == container]
    return {one["name"]: one["value"] for one in found["environment"]}


def test_tasks_are_told_of_what_was_made(cloud: AwsEmulator) -> None:
    told = _environment(cloud, f"{NAME}-runs", "run")
    made = {one["OutputKey"]: one["OutputValue"] for part in ("events", "alerts") for one in _outputs(cloud, part)}
    assert told["LAKEHOUSE_ALERTS_TOPIC"] == made["Topic"]
    assert told["LAKEHOUSE_QUEUE_URL"].endswith(f"/{ACCOUNT}/{NAME}-landing")  # the address of the emulator is another
    assert made["Landing"].endswith(f"/{ACCOUNT}/{NAME}-landing")
    tables = cloud.client("dynamodb").list_tables()["TableNames"]
    assert {told["LAKEHOUSE_ERRORS_TABLE"], told["LAKEHOUSE_SERVING_TABLE"]} <= set(tables)
    bucket = told["LAKEHOUSE_ROOT"].removeprefix("s3://").split("/")[0]
    cloud.client("s3").head_bucket(Bucket=bucket)
    databases = [one["Name"] for one in cloud.client("glue").get_databases()["DatabaseList"]]
    layers = ("bronze", "silver", "quarantine", "gold", "ops")
    assert {f"{told['LAKEHOUSE_GLUE_PREFIX']}_{layer}" for layer in layers} <= set(databases)
    cloud.client("athena").get_work_group(WorkGroup=told["LAKEHOUSE_ATHENA_WORKGROUP"])
    cloud.client("glue").get_crawler(Name=told["LAKEHOUSE_GLUE_CRAWLER"])
    cloud.client("events").describe_event_bus(Name=told["LAKEHOUSE_EVENT_BUS"])


def _outputs(cloud: AwsEmulator, part: str) -> Any:
    return cloud.client("cloudformation").describe_stacks(StackName=f"{NAME}-{part}")["Stacks"][0]["Outputs"]


def test_the_settings_of_the_demo_are_those_of_the_tasks(cloud: AwsEmulator) -> None:
    account = set_up(cloud.client, "lakealike")
    told = {k: v.replace(NAME, "lakealike") for k, v in _environment(cloud, NAME, "code").items() if v}
    demo = account.settings
    assert {k: demo[k] for k in told.keys() & demo.keys() if k != "LAKEHOUSE_QUEUE_URL"} == {
        k: v for k, v in told.items() if k in demo and k != "LAKEHOUSE_QUEUE_URL"
    }
    assert len(told.keys() & demo.keys()) > 7


@pytest.mark.parametrize("role", ["run", "sensors", "operator", "analyst", "api"])
def test_a_policy_says_what_its_file_says(cloud: AwsEmulator, role: str) -> None:
    account = Account(NAME, "", "", f"arn:aws:sns:{REGION}:{ACCOUNT}:{NAME}-alerts", "", "")
    said = roles.policy(role, account)["Statement"]
    assert roles.made_policy(cloud.client, role, account)["Statement"] == [
        one for one in said if one["Sid"] not in NOT_IN_THE_STACK
    ]


def test_nobody_can_call_a_task_but_the_load_balancer(cloud: AwsEmulator) -> None:
    groups = cloud.client("ec2").describe_security_groups()["SecurityGroups"]
    [tasks] = [one for one in groups if one["Description"] == "Tasks of the service, and of runs"]
    [balancer] = [one for one in groups if one["Description"] == "The load balancer"]
    [rule] = tasks["IpPermissions"]
    assert [one["GroupId"] for one in rule["UserIdGroupPairs"]] == [balancer["GroupId"]]
    assert rule["IpRanges"] == []


def test_the_bucket_refuses_what_comes_without_tls(cloud: AwsEmulator) -> None:
    user = roles.make_user(cloud.client, "plain", {"Version": "2012-10-17", "Statement": [_ALL_OF_S3]})
    made = {key.lower(): value for key, value in user.items()}
    s3 = boto3.client("s3", endpoint_url=cloud.url, region_name=REGION, **made)
    bucket = f"{NAME}-{ACCOUNT}"
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.put_object(Bucket=bucket, Key="lake/landing/one.csv", Body=b"")
    cloud.client("s3").delete_bucket_policy(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="lake/landing/one.csv", Body=b"")


@pytest.mark.parametrize("kind", sorted(UNKNOWN))
def test_what_is_left_out_is_unknown_to_the_emulator(cloud: AwsEmulator, kind: str) -> None:
    template = {"Resources": {"One": {"Type": kind, "Properties": {}}}}
    with pytest.raises(ClientError, match="Unrecognized resource types"):
        cloud.client("cloudformation").create_stack(StackName="unknown", TemplateBody=json.dumps(template))


def test_the_page_names_what_the_emulator_does_not_know() -> None:
    page = (PROJECT / "docs" / "deploy.md").read_text(encoding="utf-8")
    part = page.partition("### What no test has made")[2]
    assert set(re.findall(r"`(AWS::\w+::\w+)`", part)) == UNKNOWN
    used = {one["Type"] for name in (*DEFAULT_PARTS, "audit") for one in resources(name).values()}
    assert used >= UNKNOWN
