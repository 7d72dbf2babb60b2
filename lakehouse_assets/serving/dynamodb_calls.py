"""The calls that are made of DynamoDB: in batches, and repeated for what it did not process. Not here: what is kept."""

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from typing import Any, TypeVar

from lakehouse_assets import aws
from lakehouse_assets.catalog.aws_refusals import code_of, refusal
from lakehouse_assets.contracts.wording import counted
from lakehouse_assets.serving.attributes import Attribute
from lakehouse_assets.storage.stores import StorageError

Item = Mapping[str, Attribute]
T = TypeVar("T")
R = TypeVar("R")
_PER_WRITE, _PER_READ = 25, 100
_ATTEMPTS = 10
"""Of a batch of which something is left unprocessed."""
_IN_PARALLEL = 8
_LONGEST_PAUSE_S = 5.0


class DynamoDbCalls:
    """One table, as whom the usual AWS variables say. The library is loaded with the first call."""

    def __init__(self, table: str) -> None:
        self.table = table

    @cached_property
    def _client(self) -> Any:  # noqa: ANN401 - made by boto3 at run time
        return aws.client("dynamodb", aws.STEADY, connections=_IN_PARALLEL + 2)

    def description(self) -> dict[str, Any] | None:
        """Return what DynamoDB says of the table; None where there is none."""
        answer: dict[str, Any] = {}
        with self._errors_of("DescribeTable", passing={"ResourceNotFoundException"}):
            answer = self._client.describe_table(TableName=self.table)
        return answer.get("Table")

    def create(self, **described: Any) -> None:  # noqa: ANN401 - as boto3 takes it
        """Create the table, paid by the request, and wait until it can be used."""
        with self._errors_of("CreateTable", passing={"ResourceInUseException"}):
            self._client.create_table(TableName=self.table, BillingMode="PAY_PER_REQUEST", **described)
        from botocore.exceptions import WaiterError  # noqa: PLC0415

        try:
            waiter = self._client.get_waiter("table_exists")
            waiter.wait(TableName=self.table, WaiterConfig={"Delay": 2, "MaxAttempts": 60})
        except WaiterError as error:
            raise refusal("dynamodb:DescribeTable", self.table, error) from error

    def item(self, key: Item) -> Item | None:
        """Return one item as it stands; None where there is none."""
        with self._errors_of("GetItem"):
            found = self._client.get_item(TableName=self.table, Key=key, ConsistentRead=True)
        item: Item | None = found.get("Item")
        return item

    def put_if_same(self, item: Item, name: str) -> bool:
        """Write one item unless another one stands there with another value of an attribute; return whether it was."""
        condition = {
            "ConditionExpression": "attribute_not_exists(#name) OR #name = :value",
            "ExpressionAttributeNames": {"#name": name},
            "ExpressionAttributeValues": {":value": item[name]},
        }
        is_refused = True
        with self._errors_of("PutItem", passing={"ConditionalCheckFailedException"}):
            self._client.put_item(TableName=self.table, Item=item, **condition)
            is_refused = False
        return not is_refused

    def query(self, **asked: Any) -> Iterator[Item]:  # noqa: ANN401 - as boto3 takes it
        """Yield the items that a query finds, page by page."""
        with self._errors_of("Query"):
            for page in self._client.get_paginator("query").paginate(TableName=self.table, **asked):
                yield from page["Items"]

    def items(self, keys: Iterable[Item]) -> list[Item]:
        """Return those of some items that are there, as they stand."""

        def read(some: Sequence[Item]) -> list[Item]:
            found: list[Item] = []
            left: dict[str, Any] = {"Keys": list(some), "ConsistentRead": True}
            for attempt in range(_ATTEMPTS):
                with self._errors_of("BatchGetItem"):
                    answer = self._client.batch_get_item(RequestItems={self.table: left})
                found += answer["Responses"].get(self.table, [])
                if not (unprocessed := answer.get("UnprocessedKeys", {}).get(self.table)):
                    return found
                left = unprocessed
                _pause(attempt)
            raise self._unprocessed(len(left["Keys"]))

        return [item for found in _at_once(read, list(keys), _PER_READ) for item in found]

    def write(self, puts: Iterable[Item], deletes: Iterable[Item]) -> None:
        """Put some items and delete others; no key may occur twice. What was written stands where one fails."""

        def written(some: Sequence[Any]) -> None:
            left = list(some)
            for attempt in range(_ATTEMPTS):
                with self._errors_of("BatchWriteItem"):
                    answer = self._client.batch_write_item(RequestItems={self.table: left})
                if not (left := answer.get("UnprocessedItems", {}).get(self.table, [])):
                    return
                _pause(attempt)
            raise self._unprocessed(len(left))

        asked = [{"PutRequest": {"Item": item}} for item in puts]
        asked += [{"DeleteRequest": {"Key": key}} for key in deletes]
        _at_once(written, asked, _PER_WRITE)

    def _unprocessed(self, count: int) -> StorageError:
        return StorageError(
            f"DynamoDB left {counted(count, 'item')} of {self.table} unprocessed {_ATTEMPTS} times: it is throttled. "
            "What was written stands; raise its capacity, or make it pay by the request, then `lakehouse run`."
        )

    @contextmanager
    def _errors_of(self, call: str, passing: set[str] | None = None) -> Iterator[None]:
        """Raise what DynamoDB answers as `StorageError` with what to do, unless its code is one of `passing`."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        try:
            yield
        except (ClientError, BotoCoreError) as error:
            if code_of(error) not in (passing or set()):
                action = f"dynamodb:{call}"
                raise refusal(action, self.table, error) from error


def _at_once(call: Callable[[Sequence[T]], R], asked: Sequence[T], size: int) -> list[R]:
    """Return what some calls answer, each for so many of the things that are asked for."""
    with ThreadPoolExecutor(_IN_PARALLEL) as pool:
        return list(pool.map(call, [asked[at : at + size] for at in range(0, len(asked), size)]))


def _pause(attempt: int) -> None:
    """Wait a moment before asking again, longer each time."""
    time.sleep(random.uniform(0, min(0.05 * 2**attempt, _LONGEST_PAUSE_S)))  # noqa: S311 - only to stop moving in step
