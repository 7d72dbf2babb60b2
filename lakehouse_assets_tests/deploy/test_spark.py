"""The part `spark` allows the calls that are made and the files of jobs, and nothing else; what it costs is bounded.

Not here: what jobs do (`lakehouse_assets_tests/orchestration/test_emr_serverless.py`), and S3 that enforces the role.
"""

import fnmatch
from collections.abc import Iterator
from typing import Any

import boto3
import dagster as dg
import pytest
from botocore.client import BaseClient
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.pipes import utils
from moto import mock_aws

from deploy import cost
from deploy.demo_aws import roles
from deploy.demo_aws.account import Account
from deploy.templates import read, resources
from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.registry import registry
from lakehouse_assets.engines.spark import STAGING, Job
from lakehouse_assets.engines.spark_models import may_run
from lakehouse_assets.orchestration import emr_serverless
from lakehouse_assets_tests.conftest import lake_at

NAME, ACCOUNT, REGION, APPLICATION = "lakedev", "123456789012", "us-east-1", "00f1"
ARN = f"arn:aws:emr-serverless:{REGION}:{ACCOUNT}:"
_NAMES = {
    "Name": NAME,
    "AWS::AccountId": ACCOUNT,
    "AWS::Region": REGION,
    "AWS::Partition": "aws",
    "Application.Arn": f"{ARN}/applications/{APPLICATION}",
    **{name: str(read("service")["Parameters"][name]["Default"]) for name in ("SparkAboveBytes", "SparkMinutes")},
}
MADE = resources("spark")
_FOLDER = f"{STAGING}/gold.totals/0f"


def _plain(said: Any) -> Any:
    """Return a part of the template with the names in it filled in."""
    match said:
        case list():
            return [_plain(one) for one in said]
        case {"Fn::GetAtt": [of, "Arn"]}:
            return _NAMES[f"{of}.Arn"]
        case {"Fn::Sub": str(text)} | {"Ref": str(text)}:
            text = text if "Fn::Sub" in said else f"${{{text}}}"
            for name, value in _NAMES.items():
                text = text.replace(f"${{{name}}}", value)
            return text
        case {"Fn::ImportValue": {"Fn::Sub": "${Name}-SparkApplication"}}:
            return APPLICATION
        case {"Fn::If": ["HasApplication", there, _]}:
            return _plain(there)
    return said


def _statements(policy: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["Sid"]: one for one in policy["PolicyDocument"]["Statement"]}


RUNS = _statements(MADE["BeginJobs"]["Properties"])
JOBS = _statements(MADE["JobRole"]["Properties"]["Policies"][0])


def _told() -> dict[str, Any]:
    """Return the settings of Spark that a task of a run has."""
    [container] = resources("service")["RunTask"]["Properties"]["ContainerDefinitions"]
    told = {one["Name"]: _plain(one["Value"]) for one in container["Environment"]}
    names = [name for name in told if name.startswith(("LAKEHOUSE_SPARK", "LAKEHOUSE_EMR"))]
    return {name.removeprefix("LAKEHOUSE_").lower(): told[name] for name in names}


def _answering(client: BaseClient, *states: str | BaseException, refused: str = "") -> list[tuple[str, str]]:
    """Have a client answered without a network; return its calls, as they come: name, and ARN of what it is about.

    Args:
        states: Of the job, one for each look at it.
        refused: Name of a call that is not allowed.
    """
    calls: list[tuple[str, str]] = []
    left = iter(states)

    def answer(model: Any, params: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
        about = params["url_path"].removesuffix("/dashboard").removesuffix("/jobruns")
        calls.append((model.name, f"{ARN}{about}"))
        said: dict[str, Any] = {"applicationId": APPLICATION, "jobRunId": "1", "url": "https://x"}
        if model.name == "GetJobRun":
            state = next(left)
            if isinstance(state, BaseException):
                raise state
            said = {"jobRun": {**said, "state": state}}
        elif model.name == "GetApplication":
            said = {"application": {"type": "Spark"}}
        elif model.name == refused:
            said = {"Error": {"Code": "AccessDeniedException", "Message": "no"}}
        return type("Answer", (), {"status_code": 403 if "Error" in said else 200}), said

    client.meta.events.register("before-call.emr-serverless", answer)
    return calls


@pytest.fixture
def lake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    """The lake of a task that has the part, in an S3 of this process."""
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)  # it keeps the credentials that it saw first, for all tests
    for name, value in (("DEFAULT_REGION", REGION), ("ACCESS_KEY_ID", "testing"), ("SECRET_ACCESS_KEY", "testing")):
        monkeypatch.setenv(f"AWS_{name}", value)
    with mock_aws(config={"core": {"mock_credentials": False}}):
        boto3.client("s3").create_bucket(Bucket=f"{NAME}-{ACCOUNT}")
        monkeypatch.setattr(utils, "WAIT_FOR_LOGS_AFTER_EXECUTION_INTERVAL", -1)  # the job says nothing
        monkeypatch.setattr(utils, "DEFAULT_SLEEP_INTERVAL", 0.01)
        yield lake_at(f"s3://{NAME}-{ACCOUNT}/lake", **_told())


def _run(lake: Lake, client: BaseClient) -> None:
    job = Job("gold.totals", _FOLDER, lake.store, lake.settings)

    @dg.asset
    def gold(context: dg.AssetExecutionContext) -> Iterator[dg.Output[None]]:
        emr_serverless.run(context, job, client, poll_s=0.01)
        yield dg.Output(None)

    with dg.instance_for_test() as instance:
        dg.materialize([gold], instance=instance)


@pytest.mark.slow(covered=True)
def test_runs_may_make_exactly_the_calls_that_they_make_on_that_application_only(lake: Lake) -> None:
    client = boto3.client("emr-serverless")
    calls = _answering(client, "QUEUED", "RUNNING", "SUCCESS", "RUNNING", DagsterExecutionInterruptedError())
    _run(lake, client)
    with pytest.raises(DagsterExecutionInterruptedError):
        _run(lake, client)
    tagged = {"emr-serverless:TagResource"}  # what the tags of a request need
    allowed = {action: one for one in RUNS.values() for action in one["Action"]}
    assert allowed.keys() == {f"emr-serverless:{call}" for call, _ in calls} | tagged | {"iam:PassRole"}
    for call, about in calls:
        pattern = _plain(allowed[f"emr-serverless:{call}"]["Resource"])
        assert fnmatch.fnmatchcase(about, pattern), call
        assert not fnmatch.fnmatchcase(about.replace(APPLICATION, "00f2"), pattern), call


@pytest.mark.slow(covered=True)
def test_a_job_whose_dashboard_is_refused_goes_on(lake: Lake) -> None:
    client = boto3.client("emr-serverless")
    calls = _answering(client, "RUNNING", "SUCCESS", refused="GetDashboardForJobRun")
    _run(lake, client)
    assert [call for call, _ in calls][-2:] == ["GetJobRun", "GetApplication"]
    assert "GetDashboardForJobRun" in {call for call, _ in calls}


@pytest.mark.slow(covered=True)
def test_runs_write_what_they_ship_and_jobs_read_it(lake: Lake) -> None:
    emr_serverless.request(Job("gold.totals", _FOLDER, lake.store, lake.settings))
    shipped = [f"arn:aws:s3:::{NAME}-{ACCOUNT}/lake/{one.path}" for one in lake.store.list(STAGING)]
    account = Account(NAME, "", "", f"arn:aws:sns:{REGION}:{ACCOUNT}:{NAME}-alerts", "", "")
    [tables] = [one for one in roles.policy("run", account)["Statement"] if one["Sid"] == "WriteTheTables"]
    assert len(shipped) == 2
    for one in shipped:
        assert any(fnmatch.fnmatchcase(one, pattern) for pattern in tables["Resource"])
        assert fnmatch.fnmatchcase(one, _plain(JOBS["WorkInTheFoldersOfJobs"]["Resource"]))


@pytest.mark.usefixtures("every_table")
def test_jobs_read_the_tables_of_models_and_write_nowhere_but_in_their_folders() -> None:
    declared = registry()
    models = [model for model in declared.models.values() if may_run(model, everything=True)]
    paths = {declared.table(name).path for model in models for name in model.upstream}
    readable = [*_plain(JOBS["ReadTables"]["Resource"]), _plain(JOBS["WorkInTheFoldersOfJobs"]["Resource"])]
    at = f"arn:aws:s3:::{NAME}-{ACCOUNT}/"
    assert len(paths) > 5
    for path in paths:
        assert any(fnmatch.fnmatchcase(f"{at}lake/{path}/dt=2011-03-01/one.parquet", one) for one in readable), path
    for path in ("landing/sales/x.csv", "bronze/sales/x", "ops/errors/x", "decisions/x", "erasures/x"):
        assert not any(fnmatch.fnmatchcase(f"{at}lake/{path}", one) for one in readable)
    writing = [one for one in JOBS.values() if {"s3:PutObject", "s3:DeleteObject"} & {*one["Action"]}]
    assert [_plain(one["Resource"]) for one in writing] == [f"{at}lake/{STAGING}/*"]
    found = JOBS["FindFiles"]["Condition"]["StringLike"]["s3:prefix"]
    assert sorted(f"{at}{prefix}" for prefix in found) == sorted(readable)


def test_only_the_application_takes_the_role_and_runs_give_it_to_nobody_else() -> None:
    [trust] = MADE["JobRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "emr-serverless.amazonaws.com"}
    assert trust["Condition"] == {
        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
        "ArnLike": {"aws:SourceArn": {"Fn::GetAtt": ["Application", "Arn"]}},
    }
    given = RUNS["GiveJobsTheirRole"]
    assert given["Condition"] == {"StringEquals": {"iam:PassedToService": "emr-serverless.amazonaws.com"}}
    assert given["Resource"] == {"Fn::GetAtt": ["JobRole", "Arn"]}
    assert _told()["emr_role"].endswith(f"role/{_plain(MADE['JobRole']['Properties']['RoleName'])}")


def test_what_an_hour_costs_is_bounded_and_nothing_is_paid_while_no_job_works(lake: Lake) -> None:
    made = MADE["Application"]["Properties"]
    assert made["AutoStartConfiguration"] == {"Enabled": True}
    assert made["AutoStopConfiguration"]["Enabled"] is True
    assert "InitialCapacity" not in made  # workers that are kept ready are paid for
    assert made["MaximumCapacity"].keys() == {"Cpu", "Memory"}
    vcpus, gb = cost._largest()
    assert gb == 4 * vcpus
    assert cost._spark(vcpus, gb) < 3
    asked = emr_serverless.request(Job("gold.totals", _FOLDER, lake.store, lake.settings))
    monitoring = asked["configurationOverrides"]["monitoringConfiguration"]
    assert monitoring["managedPersistenceMonitoringConfiguration"]["enabled"] is False
    assert made["MonitoringConfiguration"] == {"ManagedPersistenceMonitoringConfiguration": {"Enabled": False}}
