"""The calls that are made of SageMaker: a job is found again or begun, and waited for. Not here: what jobs do."""

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lakehouse_assets import aws
from lakehouse_assets.catalog.aws_refusals import code_of, refusal
from lakehouse_assets.storage.stores import StorageError

_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 2.0, 30.0
_FAILED = ("Failed", "Stopped")
_ABSENT = ("could not find", "not found", "does not exist")
_THERE = ("already exist", "already in use")


@dataclass(frozen=True)
class Kind:
    """A kind of job: how SageMaker's API spells it, and where its console shows one."""

    name: str
    call: str
    console: str

    @property
    def field(self) -> str:
        """The field with the name of a job."""
        return f"{self.name}JobName"

    @property
    def status(self) -> str:
        """The field with the status of a job."""
        return f"{self.name}JobStatus"


TRAINING = Kind("Training", "training_job", "jobs")
TRANSFORM = Kind("Transform", "transform_job", "transform-jobs")


@dataclass(frozen=True)
class SageMakerCalls:
    """SageMaker in a region, as whom the usual AWS variables say."""

    region: str
    wait_s: float

    @cached_property
    def _client(self) -> Any:  # noqa: ANN401 - made by boto3 at run time
        return aws.client("sagemaker", aws.STEADY, self.region)

    def to_its_end(self, kind: Kind, stem: str, begin: Callable[[str], None], *, is_kept: Callable[[str], bool]) -> str:
        """Have a job completed, and return its name.

        A job that was begun before under the same stem is waited for, or counts if it is completed: whoever began it
        may be dead. Only after one that failed, or whose result is gone, another one is begun, with the next number.

        Args:
            begin: Begins a job of a name.
            is_kept: Whether the result of a completed job is still there.

        Raises:
            StorageError: The job failed, or goes on for longer than it is waited for; or SageMaker refused.
        """
        for number in itertools.count(1):
            name = f"{stem}-{number}"
            before = self._said(kind, name)
            if before is None:
                with self._errors_of(f"sagemaker:Create{kind.name}Job", name, passing=_THERE):
                    begin(name)
                break
            ended = before[kind.status]
            if ended not in _FAILED and (ended != "Completed" or is_kept(name)):
                break
        said = self._end_of(kind, name)
        if said[kind.status] == "Completed":
            return name
        why = str(said.get("FailureReason") or "SageMaker says no reason").rstrip(".")
        msg = (
            f"The job {name} of SageMaker is {said[kind.status].lower()}: {why}. Nothing landed, and the forecast "
            f"before stands. Its lines: {self._link(kind, name)}. Mend the cause, then `lakehouse forecast`, which "
            "begins another one."
        )
        raise StorageError(msg)

    def begin(self, kind: Kind, request: dict[str, Any]) -> None:
        """Begin a job."""
        getattr(self._client, f"create_{kind.call}")(**request)

    def make_model(self, request: dict[str, Any]) -> None:
        """Make a model, unless one of this name is there: its name says what is in it."""
        with self._errors_of("sagemaker:CreateModel", request["ModelName"], passing=_THERE):
            self._client.create_model(**request)

    def remove_model(self, name: str) -> None:
        """Remove a model, if it is there."""
        with self._errors_of("sagemaker:DeleteModel", name, passing=_ABSENT):
            self._client.delete_model(ModelName=name)

    def _end_of(self, kind: Kind, name: str) -> dict[str, Any]:
        deadline, pause = time.monotonic() + self.wait_s, _SHORTEST_PAUSE_S
        while (said := self._said(kind, name) or {kind.status: "Starting"})[kind.status] not in {*_FAILED, "Completed"}:
            if time.monotonic() + pause > deadline:
                msg = (
                    f"The job {name} of SageMaker did not end in {self.wait_s:,.0f} s, and goes on: "
                    f"{self._link(kind, name)}. Nothing landed. `lakehouse forecast` waits for the same job again; "
                    "LAKEHOUSE_FORECAST_WAIT_S says how long."
                )
                raise StorageError(msg)
            time.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE_S)
        return said

    def _said(self, kind: Kind, name: str) -> dict[str, Any] | None:
        """Return what SageMaker says of a job; None if there is none of this name."""
        found: list[dict[str, Any]] = []
        with self._errors_of(f"sagemaker:Describe{kind.name}Job", name, passing=_ABSENT):
            found.append(getattr(self._client, f"describe_{kind.call}")(**{kind.field: name}))
        return found[0] if found else None

    def _link(self, kind: Kind, name: str) -> str:
        return (
            f"https://{self.region}.console.aws.amazon.com/sagemaker/home?region={self.region}#/{kind.console}/{name}"
        )

    @contextmanager
    def _errors_of(self, action: str, name: str, passing: tuple[str, ...] = ()) -> Iterator[None]:
        """Raise a refusal as `StorageError`; not one that only says that something is there, or is not there."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        try:
            yield
        except (ClientError, BotoCoreError) as error:
            # SageMaker answers ValidationException for nearly everything: only its text says what it means.
            expected = code_of(error) in {"ValidationException", "ResourceNotFound", "ResourceInUse"}
            if not (expected and any(one in str(error).lower() for one in passing)):
                raise refusal(action, name, error) from error
