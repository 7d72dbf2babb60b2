"""How rows and keys stand in the DynamoDB table: its keys, its index, and the three kinds of item. Not here: calls.

- A row: `_series` (the address and the key) and `_date`; `_name` and `_place` are the keys of the index `by_name`.
- A key of which there is a row: `_series` is the address alone, `_date` the key as text. It is written before rows.
- The mark: whose table this is, and what is served from it.

All other attributes are columns of the gold table.
"""

from collections.abc import Mapping
from typing import Any

from lakehouse_assets.serving.attributes import Attribute, canonical
from lakehouse_assets.serving.rows import Key, Row, Served, escaped

SERIES, DATE, NAME, PLACE = "_series", "_date", "_name", "_place"
BY_NAME = "by_name"
MARK: Mapping[str, Attribute] = {SERIES: {"S": ".lake"}, DATE: {"S": "mark"}}
Item = Mapping[str, Attribute]


def _keys(partition: str, order: str) -> list[dict[str, str]]:
    return [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": order, "KeyType": "RANGE"}]


DESCRIBED: Mapping[str, Any] = {
    "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in (SERIES, DATE, NAME, PLACE)],
    "KeySchema": _keys(SERIES, DATE),
    "GlobalSecondaryIndexes": [
        {"IndexName": BY_NAME, "KeySchema": _keys(NAME, PLACE), "Projection": {"ProjectionType": "ALL"}}
    ],
}
"""The table as `CreateTable` takes it."""


def fault(found: Mapping[str, Any]) -> str | None:
    """Return what a table lacks to serve rows; None for nothing."""
    if found["KeySchema"] != DESCRIBED["KeySchema"]:
        return f"its keys are not {SERIES} (partition key) and {DATE} (sort key)"
    indexes = {index["IndexName"]: index for index in found.get("GlobalSecondaryIndexes", [])}
    if BY_NAME not in indexes or indexes[BY_NAME]["KeySchema"] != _keys(NAME, PLACE):
        return f"it has no index {BY_NAME} of {NAME} (partition key) and {PLACE} (sort key)"
    return None


def row_key(path: str, key: str, date: str) -> Item:
    """Return the key of a row's item. `key` is `Key.text`."""
    return {SERIES: {"S": f"{path}/{key}"}, DATE: {"S": date}}


def row_item(table: Served, row: Row) -> Item:
    """Return the item of a row."""
    index = {NAME: {"S": f"{table.path}/{row.key.name}"}, PLACE: {"S": row.place}}
    return {**row.values, **row_key(table.path, row.key.text, row.date), **index}


def key_key(path: str, key: str) -> Item:
    """Return the key of the item of a key."""
    return {SERIES: {"S": path}, DATE: {"S": key}}


def beginning_of(name: str) -> str:
    """Return what the text of every key with a name begins with."""
    return f"{escaped(name)}/"


def key_item(table: Served, key: Key) -> Item:
    """Return the item of a key."""
    return {**key.values, **key_key(table.path, key.text)}


def of_series(series: str) -> dict[str, Any]:
    """Return the query of all items with one partition key."""
    return {
        "KeyConditionExpression": "#series = :series",
        "ExpressionAttributeNames": {"#series": SERIES},
        "ExpressionAttributeValues": {":series": {"S": series}},
    }


def index_key(path: str, name: str, place: str) -> Item:
    """Return the key of a row's item in the index."""
    date, _, rest = place.partition("/")
    key = row_key(path, beginning_of(name) + rest, date)
    return {NAME: {"S": f"{path}/{name}"}, PLACE: {"S": place}, **key}


def identity(item: Item) -> tuple[str, str]:
    """Return what tells an item from all others."""
    return item[SERIES]["S"], item[DATE]["S"]


def values_of(item: Item) -> dict[str, Attribute]:
    """Return the columns of the gold table that an item has."""
    return {name: canonical(value) for name, value in item.items() if not name.startswith("_")}


def is_same(wanted: Item, found: Item) -> bool:
    """Return whether an item stands there as it should."""
    return wanted == {name: canonical(value) for name, value in found.items()}
