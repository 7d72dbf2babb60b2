"""Glue in this process (moto), its calls counted, with faults on demand: what the real client sends and is answered."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber
from moto.core.config import DefaultConfig

from lakehouse_assets_tests.catalog.athena_in_memory import Athena, RefusedError

Fault = Callable[[str, dict[str, Any]], str | None]
"""From the name of a call and its body to the code of an error; None for none."""


@dataclass
class Glue:
    """Counts answered calls by name; `fault` decides which are refused instead, with which code.

    Attributes:
        athena: What answers calls of Athena; None for nobody.
    """

    calls: Counter[str] = field(default_factory=Counter)
    athena: Athena | None = None
    refused: Counter[str] = field(default_factory=Counter)
    fault: Fault = lambda *_: None

    @property
    def client(self) -> Any:
        return boto3.client("glue")

    @property
    def writes(self) -> int:
        return sum(n for name, n in self.calls.items() if not name.startswith("Get"))

    def tables(self, database: str) -> dict[str, dict[str, Any]]:
        pages = self.client.get_paginator("get_tables").paginate(DatabaseName=database)
        return {table["Name"]: table for page in pages for table in page["TableList"]}

    def table(self, name: str) -> dict[str, Any]:
        database, _, table = name.partition(".")
        return dict(self.client.get_table(DatabaseName=database, Name=table)["Table"])

    def change(self, name: str, **changes: Any) -> None:
        """Change a table by hand."""
        kept = ("Name", "Description", "Owner", "TableType", "Parameters", "PartitionKeys", "StorageDescriptor")
        now = {key: value for key, value in self.table(name).items() if key in kept}
        self.client.update_table(DatabaseName=name.partition(".")[0], TableInput=now | changes)

    def end_crawls(self) -> None:
        """Have each crawl ended when it is asked for: moto ends them when they are listed."""

        def end(call: str, body: dict[str, Any]) -> None:
            if call == "GetCrawler":
                self.client.list_crawls(CrawlerName=body["Name"])

        self.fault = end


def text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


@contextmanager
def glue_in_memory(patch: pytest.MonkeyPatch) -> Iterator[Glue]:
    """Have every boto3 client of this process talk to an empty Glue, and to S3 as the environment says."""
    patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    passed: DefaultConfig = {"core": {"mock_credentials": False, "passthrough": {"services": ["s3"]}}}
    # Those of the S3 server: a process keeps the first ones that it sees.
    patch.setenv("AWS_ACCESS_KEY_ID", "testing")
    patch.setenv("AWS_SECRET_ACCESS_KEY", "testing-secret")
    answer, glue = BotocoreStubber.process_request, Glue()

    def watched(stubber: BotocoreStubber, request: Any) -> Any:
        service, _, call = text(request.headers.get("X-Amz-Target", b"")).partition(".")
        if not call:
            return answer(stubber, request)
        if service == "AmazonAthena" and glue.athena is not None:
            try:
                return 200, {}, json.dumps(glue.athena.answer(call, json.loads(request.body)))
            except RefusedError as error:
                return 400, {}, json.dumps({"__type": error.args[0], "message": error.args[1]})
        if code := glue.fault(call, json.loads(request.body)):
            glue.refused[call] += 1
            return 400, {}, json.dumps({"__type": code, "message": "as the test wants it"})
        glue.calls[call] += 1
        return answer(stubber, request)

    patch.setattr(BotocoreStubber, "process_request", watched)
    with mock_aws(config=passed):
        yield glue
