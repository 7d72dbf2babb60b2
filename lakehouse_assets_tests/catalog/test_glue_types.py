"""Every type that a contract can express comes back from Glue: contract, stored Delta table, Glue, contract."""

import json
from pathlib import Path

import dataframely as dy
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp

from lakehouse_assets.contracts.columns import TextMap
from lakehouse_assets.contracts.partitioning import Partitioning
from lakehouse_assets.storage import delta
from lakehouse_assets.storage.delta_types import SchemaMismatchError, delta_type, hive_type
from lakehouse_assets.storage.schema_evolution import open_table
from lakehouse_assets.storage.stores import LocalStore

_INNER = dy.Decimal(18, 4, nullable=True)
ACCEPTED = {
    dy.String: dy.String(),
    dy.Bool: dy.Bool(),
    dy.Date: dy.Date(),
    dy.Datetime: dy.Datetime(time_zone="UTC"),
    dy.Decimal: dy.Decimal(38, 10),
    dy.Float: dy.Float(),
    dy.Float32: dy.Float32(),
    dy.Float64: dy.Float64(),
    dy.Integer: dy.Integer(),
    dy.Int8: dy.Int8(),
    dy.Int16: dy.Int16(),
    dy.Int32: dy.Int32(),
    dy.Int64: dy.Int64(),
    dy.List: dy.List(dy.Struct({"price": _INNER, "tags": dy.List(dy.String())})),
    dy.Struct: dy.Struct({"a_1": dy.Int16(), "b": dy.Struct({"at": dy.Datetime(time_zone="UTC")})}),
    TextMap: TextMap(),
}
REFUSED = {
    dy.Array: dy.Array(dy.Int64(), 2),
    dy.Binary: dy.Binary(),
    dy.Categorical: dy.Categorical(),
    dy.Datetime: dy.Datetime(),
    dy.Duration: dy.Duration(),
    dy.Enum: dy.Enum(["a"]),
    dy.Object: dy.Object(),
    dy.Time: dy.Time(),
    dy.UInt8: dy.UInt8(),
    dy.UInt16: dy.UInt16(),
    dy.UInt32: dy.UInt32(),
    dy.UInt64: dy.UInt64(),
}
_PLAIN = {
    exp.DType.TEXT: pl.String(),
    exp.DType.BOOLEAN: pl.Boolean(),
    exp.DType.DATE: pl.Date(),
    exp.DType.TIMESTAMP: pl.Datetime("us", "UTC"),
    exp.DType.TINYINT: pl.Int8(),
    exp.DType.SMALLINT: pl.Int16(),
    exp.DType.INT: pl.Int32(),
    exp.DType.BIGINT: pl.Int64(),
    exp.DType.FLOAT: pl.Float32(),
    exp.DType.DOUBLE: pl.Float64(),
}


def polars_type(kind: exp.DataType) -> pl.DataType:
    """Return the type that Glue's spelling means, as Hive's grammar reads it."""
    parts = kind.expressions
    match kind.this:
        case exp.DType.DECIMAL:
            return pl.Decimal(*(int(part.name) for part in parts))
        case exp.DType.ARRAY:
            return pl.List(polars_type(parts[0]))
        case exp.DType.MAP:
            return pl.Map(*(polars_type(part) for part in parts))
        case exp.DType.STRUCT:
            return pl.Struct({part.name: polars_type(part.args["kind"]) for part in parts})
        case plain:
            return _PLAIN[plain]


def back(spelling: str) -> pl.DataType:
    return polars_type(exp.DataType.build(spelling, dialect="hive"))


def test_every_column_type_of_a_contract_is_accepted_or_refused() -> None:
    kinds = {kind for kind in vars(dy).values() if isinstance(kind, type) and issubclass(kind, dy.Column)}
    assert kinds - {dy.Column, dy.Any} <= ACCEPTED.keys() | REFUSED.keys()


@pytest.mark.parametrize("column", REFUSED.values(), ids=lambda column: type(column).__name__)
def test_a_type_that_glue_could_not_take_has_no_place_in_the_lake_either(column: dy.Column) -> None:
    with pytest.raises(SchemaMismatchError, match="has no place in a Delta table"):
        delta_type(column.dtype)


def test_each_type_comes_back_from_glue_by_way_of_a_stored_delta_table(tmp_path: Path) -> None:
    columns = {f"c{at}": column.dtype for at, column in enumerate(ACCEPTED.values())}
    store = LocalStore(str(tmp_path))
    open_table(store, "gold/all", columns, Partitioning.SNAPSHOT)

    stored = json.loads(delta.opened(store, "gold/all").schema().to_json())["fields"]

    assert {field["name"]: back(hive_type(field["type"]).lower()) for field in stored} == columns


_SCALARS = st.one_of(
    st.sampled_from(list(_PLAIN.values())),
    st.integers(1, 38).flatmap(lambda p: st.integers(0, p).map(lambda scale: pl.Decimal(p, scale))),
)
# Words that are keywords somewhere, too.
_NAMES = st.sampled_from(["a", "b_1", "date", "map", "array", "from", "timestamp", "_x"])
_TYPES = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        inner.map(pl.List),
        st.tuples(_SCALARS, inner).map(lambda pair: pl.Map(*pair)),
        st.dictionaries(_NAMES, inner, min_size=1, max_size=4).map(pl.Struct),
    ),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(_TYPES)
def test_nested_types_come_back_as_they_were(dtype: pl.DataType) -> None:
    assert back(hive_type(delta_type(dtype))) == dtype
