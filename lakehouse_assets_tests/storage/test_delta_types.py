"""Each type has its place in the Delta protocol, and comes back as it was declared."""

import datetime as dt
import json
from typing import Any

import polars as pl
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.partitioning import Partitioning
from lakehouse_assets.storage import delta, delta_types
from lakehouse_assets.storage.schema_evolution import open_table
from lakehouse_assets.storage.stores import Store


@pytest.fixture
def store(lake: Lake) -> Store:
    return lake.store


TYPES: dict[pl.DataType, Any] = {
    pl.String(): "string",
    pl.Int64(): "long",
    pl.Int32(): "integer",
    pl.Int16(): "short",
    pl.Int8(): "byte",
    pl.Float64(): "double",
    pl.Float32(): "float",
    pl.Boolean(): "boolean",
    pl.Date(): "date",
    pl.Decimal(18, 4): "decimal(18,4)",
    pl.Datetime("us", "UTC"): "timestamp",
    pl.List(pl.String()): {"type": "array", "elementType": "string", "containsNull": True},
    pl.Map(pl.String(), pl.Decimal(38, 2)): {
        "type": "map", "keyType": "string", "valueType": "decimal(38,2)", "valueContainsNull": True,
    },
    pl.Struct({"a": pl.List(pl.Int32())}): {
        "type": "struct",
        "fields": [
            {
                "name": "a",
                "type": {"type": "array", "elementType": "integer", "containsNull": True},
                "nullable": True,
                "metadata": {},
            }
        ],
    },
}  # fmt: skip


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_a_type_has_its_place_in_the_delta_protocol(dtype: pl.DataType) -> None:
    assert delta_types.delta_type(dtype) == TYPES[dtype]


@pytest.mark.parametrize(
    "dtype",
    [pl.Datetime("us"), pl.UInt32(), pl.Categorical(), pl.Datetime("us", "Europe/London"), pl.Duration(), pl.Time()],
    ids=str,
)
def test_a_type_that_delta_would_distort_is_refused(dtype: pl.DataType) -> None:
    for nested in (dtype, pl.List(dtype), pl.Struct({"a": dtype})):
        with pytest.raises(delta_types.SchemaMismatchError, match="has no place in a Delta table; declare a "):
            delta_types.delta_type(nested)


def test_a_table_of_every_type_is_created_as_declared_and_reads_back_the_same(store: Store) -> None:
    columns = {f"c{at}": dtype for at, dtype in enumerate(TYPES)}
    values: list[Any] = [
        "é", 2**63 - 1, -(2**31), 2**15 - 1, -128, 0.1, 0.5, True, dt.date(2011, 3, 1), "-99999999999999.9999",
        dt.datetime(2011, 3, 1, 8, 26, 0, 123456, tzinfo=dt.UTC), ["a", None], {"k": "1.25"}, {"a": [1, None]},
    ]  # fmt: skip
    frame = pl.DataFrame(
        [
            pl.Series(name, [value, None], dtype=pl.String if isinstance(dtype, pl.Decimal) else dtype).cast(dtype)
            for (name, dtype), value in zip(columns.items(), values, strict=True)
        ]
    )
    table = open_table(store, "t", columns, Partitioning.SNAPSHOT)
    delta.replace(store, table, frame, None, {})
    read = delta.scan(store, "t", columns).collect()
    assert read.schema == pl.Schema(columns)
    assert read.equals(frame)
    protocol = table.protocol()
    assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 2)  # which Athena reads
    stored = json.loads(table.schema().to_json())["fields"]
    assert [(field["name"], field["type"], field["nullable"]) for field in stored] == [
        (name, TYPES[dtype], True) for name, dtype in columns.items()
    ]
