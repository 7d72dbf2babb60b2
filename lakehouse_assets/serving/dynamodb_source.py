"""Rows from the DynamoDB table, by the queries that an API Gateway in front of it makes. Not here: what it holds."""

from collections.abc import Sequence
from itertools import islice
from typing import Any

from lakehouse_assets.serving import items
from lakehouse_assets.serving.dynamodb_calls import DynamoDbCalls
from lakehouse_assets.serving.rows import Key, Row, Served
from lakehouse_assets.serving.source import Asked

_LAST = "9999-12-31"
_AFTER_SLASH = "0"
"""The character after `/`: a date and this stand after every place of that date."""


class DynamoDbSource:
    """The items as they stand, a moment behind what was written last: the index is brought up to date by DynamoDB."""

    def __init__(self, table: str) -> None:
        self._calls = DynamoDbCalls(table)

    def keys(self, table: Served, name: str | None = None) -> Sequence[Key]:
        asked = items.of_series(table.path)
        if name is not None:
            asked["KeyConditionExpression"] += " AND begins_with(#date, :name)"
            asked["ExpressionAttributeNames"]["#date"] = items.DATE
            asked["ExpressionAttributeValues"][":name"] = {"S": items.beginning_of(name)}
        return [table.key(items.values_of(item)) for item in self._calls.query(**asked)]

    def rows(self, table: Served, asked: Asked, keys: Sequence[Key]) -> Sequence[Row]:
        by_series = len(keys) == 1
        partition, order = (items.SERIES, items.DATE) if by_series else (items.NAME, items.PLACE)
        value = f"{table.path}/{keys[0].text if by_series else asked.name}"
        query: dict[str, Any] = {
            "KeyConditionExpression": "#partition = :value AND #order BETWEEN :first AND :last",
            "ExpressionAttributeNames": {"#partition": partition, "#order": order},
            "ExpressionAttributeValues": {
                ":value": {"S": value},
                ":first": {"S": asked.first or "0"},
                ":last": {"S": (asked.last or _LAST) + ("" if by_series else _AFTER_SLASH)},
            },
            "PaginationConfig": {"PageSize": asked.limit + 1},
        }
        if asked.after:
            start = items.index_key(table.path, asked.name, asked.after)
            query["ExclusiveStartKey"] = {name: start[name] for name in items.MARK} if by_series else start
        if not by_series:
            query["IndexName"] = items.BY_NAME
        wanted = {key.text for key in keys}
        rows = (self._row(table, item) for item in self._calls.query(**query))
        return list(islice((row for row in rows if row.key.text in wanted), asked.limit + 1))

    def _row(self, table: Served, item: items.Item) -> Row:
        values = items.values_of(item)
        found = {column: values[column] for column in table.columns}
        return Row(table.key(found), found[table.date]["S"], found)
