"""The templates of deploy/stack in an emulated account: what they make is what the lake and its tasks are told.

Not here: a whole lake on it, which is what test_aws_mode.py runs.
"""

import json
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import boto3
import pytest
import requests
from botocore.exceptions import ClientError

from deploy.demo_aws import roles
from deploy.demo_aws.account import Account, set_up, stream_of
from deploy.demo_aws.stacks import UNKNOWN, make
from deploy.templates import DEFAULT_PARTS, OPTIONAL_PARTS, resources, types_of
from lakehouse_assets.lake_settings import PROJECT
from lakehouse_assets_tests.aws_emulator import ACCOUNT, AwsEmulator
from lakehouse_assets_tests.local_server import REGION

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("every_table")]
NAME = "lakewhole"
_ALL_OF_S3 = {"Effect": "Allow", "Action": ["s3:*"], "Resource": ["*"]}
NOT_IN_THE_STACK = {"MakeDatabasesInGlue", "MakeTheWorkgroup", "MakeTheServingTable", "KeepTheErrorLogInTheLake"}


@pytest.fixture(scope="module")
def cloud(enforcing_emulator: AwsEmulator) -> AwsEmulator:
    """An account with every part."""
    chosen = {"Image": f"{NAME}:1", "Email": "a@example.com", "HasServing": "true", "HasEventStream": "true"}
    chosen["HasForecast"] = "true"
    chosen["StreamToRead"] = stream_of(NAME)
    for part in (*DEFAULT_PARTS, "endpoints", "serving", "serving-api", "ingest", "forecast", "grants"):
        make(enforcing_emulator.client, NAME, part, **chosen)
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


def test_runs_are_told_with_which_role_their_jobs_work(cloud: AwsEmulator) -> None:
    told = _environment(cloud, f"{NAME}-runs", "run")
    [made] = [one["OutputValue"] for one in _outputs(cloud, "forecast")]
    assert (told["LAKEHOUSE_FORECAST_ON"], told["LAKEHOUSE_FORECAST_ROLE"]) == ("sagemaker", made)
    role = cloud.client("iam").get_role_policy(RoleName=f"{NAME}-forecast-jobs", PolicyName="train-and-forecast")
    [pulled] = [one["Resource"] for one in role["PolicyDocument"]["Statement"] if one["Sid"] == "PullTheImage"]
    assert pulled == "arn:aws:ecr:us-east-1:683313688378:repository/sagemaker-scikit-learn"


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


def test_whom_lake_formation_governs_reads_no_table_from_the_bucket(cloud: AwsEmulator) -> None:
    iam, s3, bucket = cloud.client("iam"), cloud.client("s3"), f"{NAME}-{ACCOUNT}"
    keys = ("lake/silver/one.parquet", "lake/athena-results/one.csv")
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    attached = iam.list_attached_role_policies(RoleName=f"{NAME}-readers")["AttachedPolicies"]
    names = {one["PolicyName"].removeprefix(f"{NAME}-") for one in attached}
    assert names == {"analyst", "key", "governed"}
    account = Account(NAME, "", "", f"arn:aws:sns:{REGION}:{ACCOUNT}:{NAME}-alerts", "", "")

    def read(*policies: str) -> list[bool]:
        said = [roles.made_policy(cloud.client, one, account) for one in policies]
        user = roles.make_user(cloud.client, "-".join(policies), *said)
        client = boto3.client(
            "s3", endpoint_url=cloud.url, region_name=REGION, **{name.lower(): one for name, one in user.items()}
        )
        return [_is_allowed(partial(client.get_object, Bucket=bucket, Key=key)) for key in keys]

    s3.delete_bucket_policy(Bucket=bucket)  # the emulator has no TLS
    assert read("analyst") == [True, True]
    assert read("analyst", "governed") == [False, True]


def _is_allowed(call: Callable[[], object]) -> bool:
    try:
        call()
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDenied":
            raise
        return False
    return True


@pytest.mark.parametrize("way", ["posted", "streamed"])
def test_what_firehose_gets_is_an_object_of_landing(cloud: AwsEmulator, way: str) -> None:
    event = json.dumps({"event_id": way}).encode()
    if way == "posted":
        cloud.client("firehose").put_record(DeliveryStreamName=f"{NAME}-posted", Record={"Data": event})
    else:
        cloud.client("kinesis").put_record(StreamName=f"{NAME}-events", Data=event, PartitionKey="one")
    s3, bucket = cloud.client("s3"), f"{NAME}-{ACCOUNT}"
    keys = [one["Key"] for one in s3.list_objects_v2(Bucket=bucket, Prefix="lake/landing/")["Contents"]]
    [key] = [key for key in keys if f"{NAME}-{way}" in key]
    assert re.fullmatch(r"lake/landing/web_events/\d{4}/\d\d/\d\d/\d\d/[^/]+\.json\.gz", key)
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == event  # the emulator compresses nothing


@pytest.mark.parametrize(("part", "path"), [("ingest", "web_events"), ("serving-api", "metrics")])
def test_a_gateway_takes_nothing_without_a_key(cloud: AwsEmulator, part: str, path: str) -> None:
    said = {one["OutputKey"]: one["OutputValue"] for one in _outputs(cloud, part)}
    gateway = said["Address"].removeprefix("https://").split(".")[0]
    key = cloud.client("apigateway").get_api_key(apiKey=said["Key"], includeValue=True)["value"]

    def answer(**headers: str) -> int:
        url = f"{cloud.url}/_aws/execute-api/{gateway}/v1/{path}"
        said = {"Content-Type": "application/json", **headers}
        method = "POST" if part == "ingest" else "GET"
        return requests.request(method, url, data=b"{}", headers=said, timeout=30).status_code

    assert answer() == answer(**{"x-api-key": "wrong" * 5}) == 403
    assert answer(**{"x-api-key": key}) != 403  # what is behind it the emulator does not call


@pytest.mark.parametrize("kind", sorted(UNKNOWN))
def test_what_is_left_out_is_unknown_to_the_emulator(cloud: AwsEmulator, kind: str) -> None:
    template = {"Resources": {"One": {"Type": kind, "Properties": {}}}}
    with pytest.raises(ClientError, match="Unrecognized resource types"):
        cloud.client("cloudformation").create_stack(StackName="unknown", TemplateBody=json.dumps(template))


def test_the_page_names_what_the_emulator_does_not_know() -> None:
    page = (PROJECT / "docs" / "deploy.md").read_text(encoding="utf-8")
    part = page.partition("### What no test has made")[2]
    assert set(re.findall(r"`(AWS::\w+::\w+)`", part)) == UNKNOWN
    parts = (*DEFAULT_PARTS, *OPTIONAL_PARTS)
    used = {kind for name in parts for one in resources(name).values() for kind in types_of(one)}
    assert used >= UNKNOWN
