"""SageMaker in this process: moto takes the requests, and each job runs the scripts of its request as a container does.

The container is played: its archive is unpacked into a folder, the variables are those of AWS's container for scripts,
and the process sees neither this project nor what is installed in it beyond the requirements. Not here: AWS itself.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber
from moto.core.config import DefaultConfig

from lakehouse_assets.context import Lake
from lakehouse_assets.forecast.source_archive import archive, members
from lakehouse_assets_tests.catalog.glue_in_memory import text

_ASK = """
import sys
import predict
body, kind, accept = open(sys.argv[2], "rb").read().decode(), sys.argv[3], sys.argv[4]
forecast = predict.predict_fn(predict.input_fn(body, kind), predict.model_fn(sys.argv[1]))
data, said = predict.output_fn(forecast, accept)
assert said == accept
open(sys.argv[5], "wb").write(data)
"""
"""What the server of the container does with one object of a transform."""


@dataclass
class SageMaker:
    """Jobs that run at once.

    Attributes:
        lake: Whose files they read and write.
        folder: Where containers are played.
        requests: What was asked, as name of the call and body, in order.
        calls: Names of all calls.
        ends: Status and reason of the next jobs, in place of running them; None to run them.
        killed: Called after a job has begun.
    """

    lake: Lake
    folder: Path
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    calls: set[str] = field(default_factory=set)
    ends: tuple[str, str] | None = None
    killed: Callable[[], None] = lambda: None
    _statuses: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def client(self) -> Any:
        return boto3.client("sagemaker")

    def asked(self, call: str) -> list[dict[str, Any]]:
        return [body for name, body in self.requests if name == call]

    def end(self, name: str, status: str, reason: str = "") -> None:
        """Give a job another status."""
        self._statuses[name] = status, reason

    def is_taken(self, call: str, body: dict[str, Any]) -> dict[str, str] | None:
        """Return how SageMaker refuses a name that there is; moto takes it twice."""
        fields = {"CreateTrainingJob": "TrainingJobName", "CreateTransformJob": "TransformJobName"}
        name = fields.get(call, "ModelName")
        if not call.startswith("Create") or body[name] not in {one[name] for one in self.asked(call)}:
            return None
        if call == "CreateModel":
            return {"__type": "ValidationException", "message": "Cannot create already existing model"}
        why = "Job name must be unique within an AWS account and region, and a job with this name already exists"
        return {"__type": "ResourceInUse", "message": why}

    def began(self, call: str, body: dict[str, Any]) -> None:
        self.requests.append((call, body))
        if call not in {"CreateTrainingJob", "CreateTransformJob"}:
            return
        name = body.get("TrainingJobName") or body["TransformJobName"]
        if self.ends:
            self._statuses[name] = self.ends
        elif call == "CreateTrainingJob":
            self._train(body)
        else:
            self._transform(body)
        self.killed()

    def answered(self, call: str, answer: dict[str, Any]) -> dict[str, Any]:
        kind = {"DescribeTrainingJob": "Training", "DescribeTransformJob": "Transform"}.get(call, "")
        if kind and (found := self._statuses.get(answer.get(f"{kind}JobName", ""))):
            return answer | {f"{kind}JobStatus": found[0], "FailureReason": found[1]}
        return answer

    def _path(self, uri: str) -> str:
        return uri.removeprefix(self.lake.store.uri(""))

    def _unpacked(self, name: str, source: str) -> Path:
        code = self.folder / name / "code"
        for path, data in members(self.lake.store.read(self._path(source))).items():
            (code / path).parent.mkdir(parents=True, exist_ok=True)
            (code / path).write_bytes(data)
        return code

    def _train(self, body: dict[str, Any]) -> None:
        """Run the script of a training job, and keep its model, as the container for scripts does."""
        name, said = body["TrainingJobName"], {key: json.loads(one) for key, one in body["HyperParameters"].items()}
        code = self._unpacked(name, said["sagemaker_submit_directory"])
        data, model = self.folder / name / "training", self.folder / name / "model"
        data.mkdir()
        model.mkdir()
        [channel] = body["InputDataConfig"]
        prefix = self._path(channel["DataSource"]["S3DataSource"]["S3Uri"])
        for one in self.lake.store.list(prefix.rstrip("/")):
            (data / one.path.rpartition("/")[2]).write_bytes(self.lake.store.read(one.path))
        arguments = [
            part for key, one in said.items() if not key.startswith("sagemaker_") for part in (f"--{key}", one)
        ]
        variables = {"SM_CHANNEL_TRAINING": str(data), "SM_MODEL_DIR": str(model), "SM_OUTPUT_DATA_DIR": str(model)}
        _run([said["sagemaker_program"], *arguments], code, variables)
        output = f"{self._path(body['OutputDataConfig']['S3OutputPath'])}/{name}/output/model.tar.gz"
        self.lake.store.replace(output, archive({one.name: one.read_bytes() for one in model.iterdir()}))

    def _transform(self, body: dict[str, Any]) -> None:
        """Have each object of a transform answered by the functions of its model's script."""
        [made] = [one for one in self.asked("CreateModel") if one["ModelName"] == body["ModelName"]]
        container = made["PrimaryContainer"]
        code = self._unpacked(body["TransformJobName"], container["Environment"]["SAGEMAKER_SUBMIT_DIRECTORY"])
        assert (code / container["Environment"]["SAGEMAKER_PROGRAM"]).name == "predict.py"
        model = self.folder / body["TransformJobName"] / "model"
        model.mkdir()
        for path, data in members(self.lake.store.read(self._path(container["ModelDataUrl"]))).items():
            (model / path).write_bytes(data)
        given, wanted = body["TransformInput"], body["TransformOutput"]
        for one in list(self.lake.store.list(self._path(given["DataSource"]["S3DataSource"]["S3Uri"]).rstrip("/"))):
            question, answer = self.folder / "question", self.folder / "answer"
            question.write_bytes(self.lake.store.read(one.path))
            asked = [str(model), str(question), given["ContentType"], wanted["Accept"], str(answer)]
            _run(["-c", _ASK, *asked], code, {"SM_MODEL_DIR": str(model), "PYTHONPATH": str(code)})
            path = f"{self._path(wanted['S3OutputPath'])}/{one.path.rpartition('/')[2]}.out"
            self.lake.store.replace(path, answer.read_bytes())


def _run(arguments: list[str], code: Path, variables: dict[str, str]) -> None:
    environment = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", **variables}
    subprocess.run([sys.executable, *arguments], cwd=code, env=environment, check=True)


@contextmanager
def sagemaker_in_memory(patch: pytest.MonkeyPatch, lake: Lake, folder: Path) -> Iterator[SageMaker]:
    """Have every boto3 client of this process talk to moto, and the jobs of SageMaker run in a folder."""
    patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    patch.setenv("AWS_ACCESS_KEY_ID", "testing")
    patch.setenv("AWS_SECRET_ACCESS_KEY", "testing-secret")
    answer, sagemaker = BotocoreStubber.process_request, SageMaker(lake, folder)

    def watched(stubber: BotocoreStubber, request: Any) -> Any:
        service, _, call = text(request.headers.get("X-Amz-Target", b"")).partition(".")
        if service == "SageMaker":
            sagemaker.calls.add(call)
        if service == "SageMaker" and (taken := sagemaker.is_taken(call, json.loads(request.body))):
            return 400, {}, json.dumps(taken)
        found = answer(stubber, request)
        if service != "SageMaker" or found is None or found[0] != 200:
            return found
        if call.startswith(("Create", "Delete")):
            sagemaker.began(call, json.loads(request.body))
            return found
        return found[0], found[1], json.dumps(sagemaker.answered(call, json.loads(text(found[2]))))

    patch.setattr(BotocoreStubber, "process_request", watched)
    passed: DefaultConfig = {"core": {"mock_credentials": False}}
    with mock_aws(config=passed):
        yield sagemaker
