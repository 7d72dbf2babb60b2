"""The forecast by jobs of SageMaker is the one of this process, and no job is begun twice for one result."""

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import boto3
import polars as pl
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.forecast import models, sagemaker, sagemaker_calls, train
from lakehouse_assets.forecast.predict import MODEL_FILE, parquet, predict
from lakehouse_assets.forecast.source_archive import archive, members, source_archive
from lakehouse_assets.settings import Settings, SettingsError, settings
from lakehouse_assets.storage.stores import StorageError
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.forecast.days import dates, sales
from lakehouse_assets_tests.forecast.sagemaker_in_memory import SageMaker, sagemaker_in_memory

ROWS, THROUGH = sales(70), max(dates(70))
ROLE = "arn:aws:iam::123456789012:role/lake-forecast-jobs"
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.4-2-py312-cpu-py3"
KEY = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222"
SETTINGS = {"forecast_on": "sagemaker", "forecast_role": ROLE, "forecast_image": IMAGE, "forecast_key": KEY}


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[SageMaker]:
    lake = lake_at("s3://bucket/lake", **SETTINGS)
    monkeypatch.setattr(sagemaker_calls, "_SHORTEST_PAUSE_S", 0.01)
    with sagemaker_in_memory(monkeypatch, lake, tmp_path) as found:
        boto3.client("s3").create_bucket(Bucket="bucket")
        yield found


@pytest.fixture
def failing(service: SageMaker) -> SageMaker:
    """Jobs that fail; no script runs."""
    service.ends = "Failed", "ClientError: Data is empty"
    return service


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Smoothing takes most of the time, and is tested elsewhere."""
    monkeypatch.setattr(models, "_smoothed", lambda weeks: weeks[-4:].mean(axis=0))


def _jobs(service: SageMaker, call: str = "CreateTrainingJob") -> list[str]:
    return [body.get("TrainingJobName") or body["TransformJobName"] for body in service.asked(call)]


def _train(lake: Lake) -> train.Trained:
    return sagemaker.train(lake, ROWS, THROUGH)


def _give(service: SageMaker, trained: train.Trained, name: str) -> None:
    """Give a job the model of this process as its result, and have it completed."""
    files = {MODEL_FILE: json.dumps(trained.card).encode(), train.EVALUATION_FILE: parquet(trained.evaluation)}
    [body] = [one for one in service.asked("CreateTrainingJob") if one["TrainingJobName"] == name]
    folder = body["OutputDataConfig"]["S3OutputPath"].removeprefix(service.lake.store.uri(""))
    service.lake.store.replace(f"{folder}/{name}/output/model.tar.gz", archive(files))
    service.end(name, "Completed")


@pytest.mark.slow
def test_jobs_give_the_same_bytes_as_this_process(service: SageMaker) -> None:
    here = train.train(ROWS, THROUGH)
    there = _train(service.lake)
    assert json.dumps(there.card) == json.dumps(here.card)
    assert parquet(there.evaluation) == parquet(here.evaluation)
    assert parquet(sagemaker.predict(service.lake, there.card)) == parquet(predict(here.card))
    assert [name for name, _ in service.requests] == [
        "CreateTrainingJob", "CreateModel", "CreateTransformJob", "DeleteModel",
    ]  # fmt: skip
    before = len(service.requests)
    assert _train(service.lake).card == here.card
    assert sagemaker.predict(service.lake, there.card).equals(predict(here.card))
    assert [name for name, _ in service.requests[before:]] == [], "both are paid once"


def test_what_is_asked_of_a_training_job(failing: SageMaker) -> None:
    with pytest.raises(StorageError):
        _train(failing.lake)
    [body] = failing.asked("CreateTrainingJob")
    name = body["TrainingJobName"]
    folder = f"s3://bucket/lake/forecast/jobs/train-{name.split('-')[3]}"
    assert name.startswith("lake-forecast-train-")
    assert {key: json.loads(value) for key, value in body["HyperParameters"].items()} == {
        "sagemaker_program": "train.py",
        "sagemaker_submit_directory": f"{folder}/source/sourcedir.tar.gz",
        "sagemaker_region": "us-east-1",
        "through": str(THROUGH),
    }
    assert body["AlgorithmSpecification"] == {"TrainingImage": IMAGE, "TrainingInputMode": "File"}
    assert body["RoleArn"] == ROLE
    [channel] = body["InputDataConfig"]
    assert channel["ChannelName"] == "training"
    assert channel["DataSource"]["S3DataSource"]["S3Uri"] == f"{folder}/series/"
    assert body["OutputDataConfig"] == {"S3OutputPath": f"{folder}/output", "KmsKeyId": KEY}
    assert body["ResourceConfig"] == {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10}
    assert body["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600}
    assert body["Tags"] == [{"Key": "lake", "Value": "lake"}]
    stored = failing.lake.store.read(f"{folder.removeprefix('s3://bucket/lake/')}/series/sales.parquet")
    assert stored == parquet(ROWS)


def test_what_is_asked_of_a_transform_job(failing: SageMaker) -> None:
    card = {"model_version": "abc", "groups": [], "model": "x", "trained_through": "2026-01-01"}
    with pytest.raises(StorageError, match=r"#/transform-jobs/lake-forecast-predict-"):
        sagemaker.predict(failing.lake, card)
    [model], [body] = failing.asked("CreateModel"), failing.asked("CreateTransformJob")
    name = body["TransformJobName"]
    folder = f"s3://bucket/lake/forecast/jobs/predict-{name.split('-')[3]}"
    assert model["ModelName"] == body["ModelName"] == name
    assert model["ExecutionRoleArn"] == ROLE
    container = model["PrimaryContainer"]
    assert (container["Image"], container["ModelDataUrl"]) == (IMAGE, f"{folder}/model/model.tar.gz")
    assert container["Environment"]["SAGEMAKER_PROGRAM"] == "predict.py"
    assert container["Environment"]["SAGEMAKER_SUBMIT_DIRECTORY"] == f"{folder}/source/sourcedir.tar.gz"
    assert body["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"] == f"{folder}/question/"
    assert body["TransformInput"]["ContentType"] == "application/json"
    assert body["TransformOutput"] == {
        "S3OutputPath": f"{folder}/answer", "Accept": "application/x-parquet", "AssembleWith": "None", "KmsKeyId": KEY,
    }  # fmt: skip
    assert body["TransformResources"] == {"InstanceType": "ml.m5.large", "InstanceCount": 1}
    assert body["Tags"] == model["Tags"] == [{"Key": "lake", "Value": "lake"}]


@pytest.mark.usefixtures("quick")
def test_whoever_waits_and_is_killed_finds_the_job_again(service: SageMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    def kill() -> None:
        raise KeyboardInterrupt

    service.ends, service.killed = ("InProgress", ""), kill
    with pytest.raises(KeyboardInterrupt):
        _train(service.lake)
    [name] = _jobs(service)
    monkeypatch.setattr("lakehouse_assets_tests.forecast.sagemaker_in_memory.SageMaker.killed", lambda _: None)
    here = train.train(ROWS, THROUGH)
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        _give(service, here, name)

    monkeypatch.setattr("time.sleep", wait)
    assert _train(service.lake).card == here.card
    assert (_jobs(service), len(waited)) == ([name], 1)


@pytest.mark.slow(covered=True)
def test_of_two_that_begin_the_same_job_at_once_one_begins_and_both_wait(
    service: SageMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.ends = "InProgress", ""
    lake, said = lake_at("s3://bucket/lake", **SETTINGS, forecast_wait_s=0.05), sagemaker_calls.SageMakerCalls._said
    for ask in (_train, lambda lake: sagemaker.predict(lake, {"model_version": "1"})):
        for _ in range(2):
            unseen = iter([True])  # the other one began it just after this one had looked
            monkeypatch.setattr(
                sagemaker_calls.SageMakerCalls,
                "_said",
                lambda *given, unseen=unseen: None if next(unseen, False) else said(*given),
            )
            with pytest.raises(StorageError, match="goes on"):
                ask(lake)
    names = [name for name, _ in service.requests]
    assert names == ["CreateTrainingJob", "CreateModel", "CreateTransformJob"]


def test_what_sagemaker_refuses_is_told(service: SageMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = {"__type": "AccessDeniedException", "message": "User is not authorized to perform it"}
    monkeypatch.setattr(service, "is_taken", lambda call, _: refused if call == "CreateTrainingJob" else None)
    with pytest.raises(
        StorageError, match=r"SageMaker refused sagemaker:CreateTrainingJob of lake-forecast-train-\w+-1"
    ):
        _train(service.lake)


def test_a_failed_job_is_told_with_its_reason_and_its_page_and_the_next_call_begins_another(failing: SageMaker) -> None:
    for number in (1, 2):
        with pytest.raises(StorageError) as told:
            _train(failing.lake)
        name = _jobs(failing)[-1]
        assert name.endswith(f"-{number}")
        assert f"The job {name} of SageMaker is failed: ClientError: Data is empty. Nothing landed" in str(told.value)
        assert f"https://us-east-1.console.aws.amazon.com/sagemaker/home?region=us-east-1#/jobs/{name}" in str(
            told.value
        )
    assert len(_jobs(failing)) == 2


def test_a_job_that_does_not_end_is_left_to_itself_and_found_again(service: SageMaker) -> None:
    service.ends = "InProgress", ""
    lake = lake_at("s3://bucket/lake", **SETTINGS, forecast_wait_s=0.05)
    for _ in range(2):
        with pytest.raises(StorageError, match=r"did not end in 0 s, and goes on: https://.*LAKEHOUSE_FORECAST_WAIT_S"):
            _train(lake)
    assert len(_jobs(service)) == 1


@pytest.mark.slow(covered=True)
def test_other_data_another_image_and_another_lake_are_other_jobs(failing: SageMaker) -> None:
    lakes = [
        failing.lake,
        lake_at("s3://bucket/other", **SETTINGS),
        lake_at("s3://bucket/lake", **(SETTINGS | {"forecast_image": f"{IMAGE}-2"})),
    ]
    rows = [ROWS, ROWS, ROWS, ROWS.with_columns(pl.col("net") + 1)]
    for lake, one in zip([*lakes, failing.lake], rows, strict=True):
        with pytest.raises(StorageError):
            sagemaker.train(lake, one, THROUGH)
    assert len({name.rpartition("-")[0] for name in _jobs(failing)}) == 4


@pytest.mark.usefixtures("quick")
def test_a_result_that_is_gone_is_made_anew_and_that_of_other_code_is_refused(service: SageMaker) -> None:
    service.ends = "Completed", ""
    with pytest.raises(StorageError, match="could not be read"):
        _train(service.lake)  # completed, and wrote nothing
    with pytest.raises(StorageError, match="could not be read"):
        _train(service.lake)
    first, second = _jobs(service)
    assert (first[-2:], second[-2:]) == ("-1", "-2")
    here = train.train(ROWS, THROUGH)
    _give(service, train.Trained(here.card | {"model_version": "other"}, here.evaluation), second)
    with pytest.raises(StorageError, match=r"trained the model other with .*statsmodels.*; this process expects"):
        _train(service.lake)


def test_too_little_data_begins_no_job(service: SageMaker) -> None:
    assert sagemaker.train(service.lake, ROWS.head(20), THROUGH).card["model"] is None
    assert service.requests == []


def test_the_archive_has_the_very_files_and_the_versions_that_are_here() -> None:
    files = members(source_archive())
    folder = Path(train.__file__).parent
    for script in ("train.py", "predict.py"):
        assert files[script] == files[f"lakehouse_assets/forecast/{script}"] == (folder / script).read_bytes()
    assert files["requirements.txt"].decode().splitlines() == [
        f"{name}=={version(name)}" for name in ("polars", "statsmodels")
    ]
    assert source_archive() == source_archive()
    assert not [name for name in files if "sagemaker" in name]


@pytest.mark.slow
def test_without_the_setting_nothing_of_aws_is_loaded() -> None:
    program = (
        "import sys, lakehouse_assets.defs.automation.forecast, lakehouse_assets.forecast.sagemaker\n"
        "print([name for name in ('boto3', 'botocore.session', 'statsmodels') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"LAKEHOUSE_ROOT": "here"}, "it is for a lake in S3 only"),
        ({"LAKEHOUSE_FORECAST_ROLE": ""}, "jobs of SageMaker need LAKEHOUSE_FORECAST_ROLE"),
        ({"LAKEHOUSE_FORECAST_IMAGE": ""}, "jobs of SageMaker need LAKEHOUSE_FORECAST_IMAGE"),
        ({"LAKEHOUSE_FORECAST_ON": "ec2"}, "LAKEHOUSE_FORECAST_ON='ec2'"),
        ({"LAKEHOUSE_FORECAST_INSTANCE": "m5.large"}, "kind of instance"),
    ],
)
def test_a_setting_that_lacks_another_is_told(
    given: dict[str, str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (SETTINGS | {"root": "s3://bucket/lake"}).items():
        monkeypatch.setenv(f"LAKEHOUSE_{name.upper()}", value)
    assert Settings().forecast_on == "sagemaker"
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    with pytest.raises(SettingsError, match=told):
        settings()
    settings.cache_clear()
