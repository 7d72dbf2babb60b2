"""Training and forecast as jobs of SageMaker: the same two scripts in a container for scripts, over files in the lake.

What jobs read and write is below `forecast/jobs/`, and may be removed at any time. Not here: how a job is waited for.
"""

import datetime as dt
import hashlib
import io
import json
from typing import Any

import polars as pl

from lakehouse_assets import aws
from lakehouse_assets.context import Lake
from lakehouse_assets.forecast import train as script
from lakehouse_assets.forecast.predict import MODEL_FILE, PARQUET, parquet
from lakehouse_assets.forecast.sagemaker_calls import TRAINING, TRANSFORM, SageMakerCalls
from lakehouse_assets.forecast.series import history_of
from lakehouse_assets.forecast.source_archive import archive, members, source_archive
from lakehouse_assets.storage.stores import StorageError

_FOLDER = "forecast/jobs"
_SOURCE, _MODEL = "source/sourcedir.tar.gz", "model/model.tar.gz"
_QUESTION, _ANSWER = "question/question.json", "answer/question.json.out"
_DISK_GB = 10
_LOG_LEVEL = "20"


def train(lake: Lake, rows: pl.DataFrame, through: dt.date) -> script.Trained:
    """Return what `train` makes of some rows, trained by a job.

    With too little data no job is begun.

    Raises:
        StorageError: The job failed or goes on; or it used another code than this process has.
    """
    if script.too_little(history_of(rows, through)):
        return script.train(rows, through)
    version, source = script.version_of(rows, through), source_archive()
    job, calls = _identity(lake, version.encode(), source), _calls(lake)
    folder = f"{_FOLDER}/train-{job}"

    def begin(name: str) -> None:
        lake.store.replace(f"{folder}/{_SOURCE}", source)
        lake.store.replace(f"{folder}/series/sales.parquet", parquet(rows))
        calls.begin(TRAINING, _training(lake, name, folder, through))

    def model_of(name: str) -> str:
        return f"{folder}/output/{name}/output/model.tar.gz"

    stem = f"{lake.settings.forecast_jobs}-forecast-train-{job}"
    name = calls.to_its_end(TRAINING, stem, begin, is_kept=lambda name: bool(lake.store.stat(model_of(name))))
    files = members(lake.store.read(model_of(name)))
    card = json.loads(files[MODEL_FILE])
    if card["model_version"] != version:
        msg = (
            f"The job {name} of SageMaker trained the model {card['model_version']} with {card['code']}; this process "
            f"expects {version}. Nothing landed; take an image in which these versions can be installed."
        )
        raise StorageError(msg)
    return script.Trained(card, pl.read_parquet(io.BytesIO(files[script.EVALUATION_FILE])))


def predict(lake: Lake, card: dict[str, Any]) -> pl.DataFrame:
    """Return what `predict` makes of a model, by a job of batch transform.

    Raises:
        StorageError: The job failed or goes on.
    """
    model, source = archive({MODEL_FILE: json.dumps(card, indent=1).encode()}), source_archive()
    job, calls = _identity(lake, model, source), _calls(lake)
    folder = f"{_FOLDER}/predict-{job}"

    def begin(name: str) -> None:
        lake.store.replace(f"{folder}/{_SOURCE}", source)
        lake.store.replace(f"{folder}/{_MODEL}", model)
        question = {"model_version": card["model_version"]}
        lake.store.replace(f"{folder}/{_QUESTION}", json.dumps(question).encode())
        calls.make_model(_model(lake, name, folder))
        calls.begin(TRANSFORM, _transform(lake, name, folder))

    stem, answer = f"{lake.settings.forecast_jobs}-forecast-predict-{job}", f"{folder}/{_ANSWER}"
    name = calls.to_its_end(TRANSFORM, stem, begin, is_kept=lambda _: bool(lake.store.stat(answer)))
    found = pl.read_parquet(io.BytesIO(lake.store.read(answer)))
    calls.remove_model(name)
    return found


def _calls(lake: Lake) -> SageMakerCalls:
    return SageMakerCalls(_region(), lake.settings.forecast_wait_s)


def _region() -> str:
    return aws.region() or "us-east-1"  # as the store has it


def _identity(lake: Lake, *inputs: bytes) -> str:
    """Return what names a job: the same inputs, code and container in the same lake are the same job."""
    said = [lake.settings.root, lake.settings.forecast_image, *(hashlib.sha256(one).hexdigest() for one in inputs)]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:12]


def _training(lake: Lake, name: str, folder: str, through: dt.date) -> dict[str, Any]:
    settings = lake.settings
    parameters = {
        "sagemaker_program": "train.py",
        "sagemaker_submit_directory": lake.store.uri(f"{folder}/{_SOURCE}"),
        "sagemaker_region": _region(),
        "through": str(through),
    }
    series = {"S3DataType": "S3Prefix", "S3Uri": lake.store.uri(f"{folder}/series/")}
    return {
        "TrainingJobName": name,
        "RoleArn": settings.forecast_role,
        "AlgorithmSpecification": {"TrainingImage": settings.forecast_image, "TrainingInputMode": "File"},
        "HyperParameters": {key: json.dumps(value) for key, value in parameters.items()},  # as containers read them
        "InputDataConfig": [
            {
                "ChannelName": "training",
                "ContentType": PARQUET,
                "DataSource": {"S3DataSource": series | {"S3DataDistributionType": "FullyReplicated"}},
            }
        ],
        "OutputDataConfig": {"S3OutputPath": lake.store.uri(f"{folder}/output"), **_key(lake)},
        "ResourceConfig": {
            "InstanceType": settings.forecast_instance,
            "InstanceCount": 1,
            "VolumeSizeInGB": _DISK_GB,
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": max(60, int(settings.forecast_wait_s))},
        "Tags": _tags(lake),
    }


def _model(lake: Lake, name: str, folder: str) -> dict[str, Any]:
    said = {
        "SAGEMAKER_PROGRAM": "predict.py",
        "SAGEMAKER_SUBMIT_DIRECTORY": lake.store.uri(f"{folder}/{_SOURCE}"),
        "SAGEMAKER_REGION": _region(),
        "SAGEMAKER_CONTAINER_LOG_LEVEL": _LOG_LEVEL,
    }
    container = {"Image": lake.settings.forecast_image, "ModelDataUrl": lake.store.uri(f"{folder}/{_MODEL}")}
    return {
        "ModelName": name,
        "ExecutionRoleArn": lake.settings.forecast_role,
        "PrimaryContainer": {**container, "Environment": said},
        "Tags": _tags(lake),
    }


def _transform(lake: Lake, name: str, folder: str) -> dict[str, Any]:
    asked = {"S3DataType": "S3Prefix", "S3Uri": lake.store.uri(f"{folder}/{_QUESTION.partition('/')[0]}/")}
    answers = lake.store.uri(f"{folder}/{_ANSWER.partition('/')[0]}")
    return {
        "TransformJobName": name,
        "ModelName": name,
        "BatchStrategy": "SingleRecord",
        "MaxConcurrentTransforms": 1,
        "TransformInput": {
            "DataSource": {"S3DataSource": asked},
            "ContentType": "application/json",
            "SplitType": "None",
        },
        "TransformOutput": {"S3OutputPath": answers, "Accept": PARQUET, "AssembleWith": "None", **_key(lake)},
        "TransformResources": {"InstanceType": lake.settings.forecast_instance, "InstanceCount": 1},
        "Tags": _tags(lake),
    }


def _key(lake: Lake) -> dict[str, str]:
    return {"KmsKeyId": lake.settings.forecast_key} if lake.settings.forecast_key else {}


def _tags(lake: Lake) -> list[dict[str, str]]:
    return [{"Key": "lake", "Value": lake.settings.forecast_jobs}]
