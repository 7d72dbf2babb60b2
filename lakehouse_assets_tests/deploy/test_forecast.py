"""The part `forecast` allows the calls that are made, on what they are made of, and nothing else.

Not here: the requests, and what jobs do (`lakehouse_assets_tests/forecast/test_sagemaker.py`).
"""

import fnmatch
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from deploy.templates import resources
from lakehouse_assets.forecast import sagemaker
from lakehouse_assets.storage.stores import StorageError
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.forecast.days import dates, sales
from lakehouse_assets_tests.forecast.sagemaker_in_memory import SageMaker, sagemaker_in_memory

NAME, ACCOUNT, REGION = "lakedev", "123456789012", "us-east-1"
_NAMES = {"Name": NAME, "AWS::AccountId": ACCOUNT, "AWS::Region": REGION, "AWS::Partition": "aws"}
MADE = resources("forecast")


def _plain(said: Any) -> str:
    text: str = said["Fn::Sub"] if isinstance(said, dict) else said
    for name, value in _NAMES.items():
        text = text.replace(f"${{{name}}}", value)
    return text


def _statements(policy: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["Sid"]: one for one in policy["PolicyDocument"]["Statement"]}


RUNS = _statements(MADE["BeginJobs"]["Properties"])
JOBS = _statements(MADE["JobRole"]["Properties"]["Policies"][0])


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[SageMaker]:
    """All calls of a training and a forecast, with the settings of a task, of jobs that read and write nothing."""
    tasks = [resources("service")[name]["Properties"] for name in ("ServiceTask", "RunTask")]
    told = {one["Name"]: one["Value"] for one in tasks[1]["ContainerDefinitions"][0]["Environment"]}
    assert told["LAKEHOUSE_FORECAST_JOBS"] == {"Ref": "Name"}
    condition, role, _ = told["LAKEHOUSE_FORECAST_ROLE"]["Fn::If"]
    assert condition == "HasJobs"
    lake = lake_at(
        f"s3://{NAME}-{ACCOUNT}/lake",
        forecast_on="sagemaker",
        forecast_jobs=NAME,
        forecast_role=_plain(role),
        forecast_image="a/b:1",
    )
    with sagemaker_in_memory(monkeypatch, lake, tmp_path) as service:
        boto3.client("s3").create_bucket(Bucket=f"{NAME}-{ACCOUNT}")
        service.ends = "Completed", ""
        for ask in (
            lambda: sagemaker.train(lake, sales(70), max(dates(70))),
            lambda: sagemaker.predict(lake, {"model_version": "1"}),
        ):
            with pytest.raises(StorageError, match="could not be read"):
                ask()
        sagemaker._calls(lake).remove_model(service.asked("CreateModel")[0]["ModelName"])
        yield service


@pytest.mark.slow(covered=True)
def test_runs_may_make_exactly_the_calls_that_they_make(asked: SageMaker) -> None:
    allowed = {action for one in RUNS.values() for action in one["Action"]}
    tagged = {"sagemaker:AddTags"}  # what the tags of a request need
    assert allowed == {f"sagemaker:{call}" for call in asked.calls} | tagged | {"iam:PassRole"}


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize(
    ("call", "kind", "sid"),
    [
        ("CreateTrainingJob", "training-job", "TrainModels"),
        ("CreateModel", "model", "MakeModels"),
        ("CreateTransformJob", "transform-job", "AskModels"),
    ],
)
def test_what_is_made_has_a_name_that_is_allowed(asked: SageMaker, call: str, kind: str, sid: str) -> None:
    [body] = asked.asked(call)
    name = (
        next(value for key, value in body.items() if key in {"TrainingJobName", "TransformJobName"})
        if (call != "CreateModel")
        else body["ModelName"]
    )
    pattern = _plain(RUNS[sid]["Resource"])
    assert fnmatch.fnmatchcase(f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{kind}/{name}", pattern)
    assert not fnmatch.fnmatchcase(f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{kind}/other-{name}", pattern)
    role = MADE["JobRole"]["Properties"]["RoleName"]
    assert body.get("RoleArn", body.get("ExecutionRoleArn", f"role/{_plain(role)}")).endswith(f"role/{_plain(role)}")


def test_jobs_reach_their_own_files_and_no_others(asked: SageMaker) -> None:
    [pattern] = {_plain(JOBS["FilesOfJobs"]["Resource"])}
    written = [one.path for one in asked.lake.store.list("forecast")]
    assert len(written) == 5
    for path in written:
        assert fnmatch.fnmatchcase(f"arn:aws:s3:::{NAME}-{ACCOUNT}/lake/{path}", pattern)
    for path in ("forecast/sales/1/model.json", "landing/sales_forecasts/forecast/x.parquet", "gold/daily_sales/x"):
        assert not fnmatch.fnmatchcase(f"arn:aws:s3:::{NAME}-{ACCOUNT}/lake/{path}", pattern)
    assert JOBS["FindFilesOfJobs"]["Condition"] == {"StringLike": {"s3:prefix": ["lake/forecast/jobs/*"]}}


def test_only_sagemaker_of_the_account_takes_the_role_and_runs_give_it_to_nobody_else() -> None:
    [trust] = MADE["JobRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "sagemaker.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    assert RUNS["GiveJobsTheirRole"]["Condition"] == {
        "StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}
    }
    assert RUNS["GiveJobsTheirRole"]["Resource"] == {"Fn::GetAtt": ["JobRole", "Arn"]}
