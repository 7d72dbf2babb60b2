"""DynamoDB in this process (moto), its calls and items counted, with faults on demand."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber
from moto.core.config import DefaultConfig

from lakehouse_assets_tests.catalog.glue_in_memory import Fault, text


@dataclass
class DynamoDb:
    """Counts answered calls and written items; `fault` decides which calls are refused instead, with which code.

    Attributes:
        unprocessed: How many of the next batches leave all but one of their items unprocessed.
    """

    calls: Counter[str] = field(default_factory=Counter)
    items: Counter[str] = field(default_factory=Counter)
    fault: Fault = lambda *_: None
    unprocessed: int = 0

    @property
    def client(self) -> Any:
        return boto3.client("dynamodb")

    def all_items(self, table: str) -> list[dict[str, Any]]:
        pages = self.client.get_paginator("scan").paginate(TableName=table)
        return [item for page in pages for item in page["Items"]]

    def forget_counts(self) -> None:
        self.calls.clear()
        self.items.clear()


@contextmanager
def dynamodb_in_memory(patch: pytest.MonkeyPatch) -> Iterator[DynamoDb]:
    """Have every boto3 client of this process talk to an empty DynamoDB, and to S3 as the environment says."""
    patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    patch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "https://dynamodb.us-east-1.amazonaws.com")
    patch.setenv("AWS_ACCESS_KEY_ID", "testing")
    patch.setenv("AWS_SECRET_ACCESS_KEY", "testing-secret")
    passed: DefaultConfig = {"core": {"mock_credentials": False, "passthrough": {"services": ["s3"]}}}
    answer, db = BotocoreStubber.process_request, DynamoDb()

    def watched(stubber: BotocoreStubber, request: Any) -> Any:
        service, _, call = text(request.headers.get("X-Amz-Target", b"")).partition(".")
        if not service.startswith("DynamoDB"):
            return answer(stubber, request)
        body = json.loads(request.body)
        if code := db.fault(call, body):
            return 400, {}, json.dumps({"__type": code, "message": "as the test wants it"})
        left: dict[str, Any] = {}
        if call.startswith("Batch") and db.unprocessed:
            db.unprocessed -= 1
            body["RequestItems"], left = _first_alone(body["RequestItems"])
            request.body = json.dumps(body).encode()
        answered: Any = answer(stubber, request)
        status, headers, said = answered
        db.calls[call] += 1
        for asked in body["RequestItems"].values() if call == "BatchWriteItem" else ():
            db.items.update(kind for one in asked for kind in one)
        if left:
            name = "UnprocessedItems" if call == "BatchWriteItem" else "UnprocessedKeys"
            said = json.dumps({**json.loads(said), name: left})
            headers = {name: value for name, value in headers.items() if name.lower() != "x-amz-crc32"}
        return status, headers, said

    patch.setattr(BotocoreStubber, "process_request", watched)
    with mock_aws(config=passed):
        yield db


def _first_alone(asked: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the first of the things that a batch asks for, and the rest."""
    [(table, found)] = asked.items()
    if isinstance(found, list):
        return {table: found[:1]}, {table: found[1:]} if found[1:] else {}
    rest = {table: {**found, "Keys": found["Keys"][1:]}} if found["Keys"][1:] else {}
    return {table: {**found, "Keys": found["Keys"][:1]}}, rest
