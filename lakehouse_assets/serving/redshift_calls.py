"""The calls that are made of the Redshift Data API: a transaction, and waiting for its end. Not here: its SQL."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lakehouse_assets import aws
from lakehouse_assets.catalog.aws_refusals import code_of, refusal
from lakehouse_assets.storage.stores import StorageError

_ENDED = ("FINISHED", "FAILED", "ABORTED")
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 10.0


@dataclass(frozen=True)
class RedshiftCalls:
    """A database of a Redshift Serverless workgroup, as whom the usual AWS variables say."""

    region: str | None
    workgroup: str
    database: str
    wait_s: float

    @cached_property
    def _client(self) -> Any:  # noqa: ANN401 - made by boto3 at run time
        return aws.client("redshift-data", aws.STEADY, self.region)

    def run(self, statements: Sequence[str], what: str, begun: Callable[[str], None]) -> None:
        """Run some statements as one transaction, and wait for its end.

        Args:
            what: What they do, for messages.
            begun: Called with its number before it is waited for.

        Raises:
            StorageError: It failed, or did not end in time; then nothing of it stands.
        """
        with self._errors_of("BatchExecuteStatement"):
            number = self._client.batch_execute_statement(
                WorkgroupName=self.workgroup, Database=self.database, Sqls=list(statements)
            )["Id"]
        begun(number)
        said = self._end_of(number, what)
        if said["Status"] != "FINISHED":
            why = said.get("Error", "it says no reason").rstrip(".")
            msg = (
                f"Redshift ended the statement {number} ({what}) as {said['Status']}: {why}. Nothing of it stands, and "
                "the rows before it do; mend the cause, then `lakehouse run`."
            )
            raise StorageError(msg)

    def end(self, number: str) -> None:
        """Have a transaction that nobody waits for any more come to its end. Raises `StorageError` if it does not."""
        if self._said(number)["Status"] not in _ENDED:
            self._cancel(number)
            self._end_of(number, "begun by a run that was killed")

    def _end_of(self, number: str, what: str) -> dict[str, Any]:
        deadline, pause = time.monotonic() + self.wait_s, _SHORTEST_PAUSE_S
        while (said := self._said(number))["Status"] not in _ENDED:
            if time.monotonic() > deadline:
                self._cancel(number)
                msg = (
                    f"Redshift did not end the statement {number} ({what}) in {self.wait_s:g} s, and was asked to "
                    "cancel it. Look at the workgroup's queue, or raise LAKEHOUSE_REDSHIFT_WAIT_S; "
                    "then `lakehouse run`."
                )
                raise StorageError(msg)
            time.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE_S)
        return said

    def _cancel(self, number: str) -> None:
        # It may have ended meanwhile, which is refused.
        with suppress(StorageError), self._errors_of("CancelStatement"):
            self._client.cancel_statement(Id=number)

    def _said(self, number: str) -> dict[str, Any]:
        answer: dict[str, Any] = {}
        with self._errors_of("DescribeStatement", passing="ResourceNotFoundException"):
            answer = self._client.describe_statement(Id=number)
        return answer or {"Status": "FINISHED"}  # one that is not known any more ended a day ago

    @contextmanager
    def _errors_of(self, call: str, passing: str = "") -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        try:
            yield
        except (ClientError, BotoCoreError) as error:
            if code_of(error) != (passing or None):
                action = f"redshift-data:{call}"
                raise refusal(action, f"the workgroup {self.workgroup}", error) from error
