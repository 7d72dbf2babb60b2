"""The error log as a DynamoDB table: an item per problem. Not here: what it says.

The table's keys are `asset` (partition key) and `id` (sort key), both strings. An item has an attribute per field, so
that other programs can read it, and all of them again as JSON in `problem`.
"""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from lakehouse_assets.alerts.aws import client
from lakehouse_assets.alerts.problems import Change, Problem

_ATTEMPTS = 20
_NUMBERS = ("count", "position")


class DynamoProblems:
    """Problems of one lake in a table, which several lakes may share; a write is conditional on what was read."""

    def __init__(self, table: str, lake: str) -> None:
        self.table, self.lake = table, lake

    def get(self, asset: str, problem_id: str) -> Problem | None:
        found = client("dynamodb").get_item(TableName=self.table, Key=self._key(asset, problem_id), ConsistentRead=True)
        return Problem.from_json(found["Item"]["problem"]["S"]) if "Item" in found else None

    def change(self, asset: str, problem_id: str, change: Change) -> None:
        from botocore.exceptions import ClientError  # noqa: PLC0415 - loaded with the client

        for _ in range(_ATTEMPTS):
            known = self.get(asset, problem_id)
            changed = change(known)
            if changed is None or changed == known:
                return
            condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(id)"}
            if known is not None:
                condition = {
                    "ConditionExpression": "problem = :known",
                    "ExpressionAttributeValues": {":known": {"S": known.as_json()}},
                }
            try:
                client("dynamodb").put_item(TableName=self.table, Item=self._item(changed), **condition)
            except ClientError as error:
                if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                    raise
            else:
                return
        msg = f"{self.table}: other writers were faster {_ATTEMPTS} times"
        raise TimeoutError(msg)

    def problems(self, asset: str | None = None) -> Iterator[Problem]:
        call, wanted, value = "scan", {"FilterExpression": "lake = :value"}, self.lake
        if asset is not None:
            call, wanted, value = "query", {"KeyConditionExpression": "asset = :value"}, self._asset(asset)
        pages = client("dynamodb").get_paginator(call)
        values = {":value": {"S": value}}
        for page in pages.paginate(TableName=self.table, ExpressionAttributeValues=values, **wanted):
            for item in page["Items"]:
                yield Problem.from_json(item["problem"]["S"])

    def _asset(self, asset: str) -> str:
        return f"{self.lake}#{asset}"

    def _key(self, asset: str, problem_id: str) -> dict[str, Any]:
        return {"asset": {"S": self._asset(asset)}, "id": {"S": problem_id}}

    def _item(self, problem: Problem) -> dict[str, Any]:
        fields = asdict(problem)
        texts = {name: {"S": value} for name, value in fields.items() if isinstance(value, str) and value}
        lists = {name: {"L": [{"S": str(part)} for part in fields[name]]} for name in ("dates", "returned")}
        numbers = {name: {"N": str(fields[name])} for name in _NUMBERS}
        own = {"lake": {"S": self.lake}, "problem": {"S": problem.as_json()}}
        return texts | lists | numbers | own | self._key(problem.asset, problem.id)
