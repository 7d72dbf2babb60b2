"""A stored table becomes the declared one where nothing can be lost by it, and is refused untouched where it can."""

import datetime as dt
import decimal
from typing import Any

import polars as pl
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.partitioning import Partitioning
from lakehouse_assets.storage import delta
from lakehouse_assets.storage.delta_types import SchemaMismatchError
from lakehouse_assets.storage.schema_evolution import open_table
from lakehouse_assets.storage.stores import Store

DAY = dt.date(2011, 3, 1)
BEFORE: dict[str, pl.DataType] = {"n": pl.Int32(), "price": pl.Decimal(10, 2), "text": pl.String(), "dt": pl.Date()}
ROWS = {"n": [2**31 - 1, None], "price": [decimal.Decimal("99999999.99"), None], "text": ["é", None], "dt": [DAY] * 2}


@pytest.fixture
def store(lake: Lake) -> Store:
    """A lake with a table of one date, published under a fingerprint."""
    table = open_table(lake.store, "t", BEFORE, Partitioning.BY_DATE)
    delta.replace(lake.store, table, pl.DataFrame(ROWS, schema=BEFORE), f"dt in ('{DAY}')", {str(DAY): 7})
    return lake.store


def _state(store: Store) -> tuple[int, list[dict[str, Any]]]:
    table = delta.opened(store, "t")
    return table.version(), delta.rows(store, table).collect().sort("n").rows(named=True)


def test_opening_an_unchanged_table_writes_nothing(store: Store) -> None:
    before = _state(store)
    open_table(store, "t", BEFORE, Partitioning.BY_DATE)
    assert _state(store) == before


def test_a_new_column_is_added_and_null_in_the_rows_that_are_there(store: Store) -> None:
    columns = {"n": pl.Int32(), "new": pl.Decimal(18, 4), **BEFORE}
    table = open_table(store, "t", columns, Partitioning.BY_DATE)
    found = delta.scan(store, "t", columns).collect()
    assert found.schema["new"] == pl.Decimal(18, 4)
    assert found["new"].null_count() == found.height == 2
    assert delta.fingerprints(store, "t") == {str(DAY): 7}
    row = pl.DataFrame({name: [None] for name in columns}, schema=columns).with_columns(pl.lit(DAY).alias("dt"))
    delta.replace(store, table, row, f"dt in ('{DAY}')", {str(DAY): 8})
    assert delta.scan(store, "t", columns).collect().height == 1


@pytest.mark.parametrize(
    "wider",
    [{"n": pl.Int64()}, {"price": pl.Decimal(10 + 4, 2 + 4)}, {"price": pl.Decimal(38, 4), "n": pl.Int64()}],
    ids=str,
)
def test_a_wider_type_keeps_every_value_and_every_fingerprint(store: Store, wider: dict[str, pl.DataType]) -> None:
    columns = BEFORE | wider
    table = open_table(store, "t", columns, Partitioning.BY_DATE)
    found = delta.scan(store, "t", columns).collect().sort("n", nulls_last=True)
    assert {name: found.schema[name] for name in columns} == columns
    assert found.to_dict(as_series=False) == ROWS
    assert table.metadata().partition_columns == ["dt"]
    assert delta.fingerprints(store, "t") == {str(DAY): 7}
    delta.replace(store, table, found.select(*columns).head(0), f"dt in ('{DAY}')", {str(DAY): 8})
    assert delta.scan(store, "t", columns).collect().height == 0


def test_a_wider_type_and_a_new_column_come_together(store: Store) -> None:
    columns = {**BEFORE, "n": pl.Int64(), "new": pl.String()}
    open_table(store, "t", columns, Partitioning.BY_DATE)
    found = delta.scan(store, "t", columns).collect().sort("n", nulls_last=True)
    assert found["n"].to_list() == ROWS["n"]
    assert found["new"].to_list() == [None, None]


LOSSES: dict[str, tuple[dict[str, pl.DataType], str]] = {
    "a column less": (
        {name: dtype for name, dtype in BEFORE.items() if name != "text"},
        "column 'text' is stored but no longer declared",
    ),
    "a narrower integer": (BEFORE | {"n": pl.Int16()}, "column 'n' is declared as short but stored as integer"),
    "fewer digits before the point": (
        BEFORE | {"price": pl.Decimal(10, 4)},
        r"column 'price' is declared as decimal\(10,4\) but stored as decimal\(10,2\)",
    ),
    "fewer digits after the point": (BEFORE | {"price": pl.Decimal(38, 1)}, r"declared as decimal\(38,1\)"),
    "a float for money": (BEFORE | {"price": pl.Float64()}, "column 'price' is declared as double"),
    "another kind": (BEFORE | {"text": pl.Int64()}, "column 'text' is declared as long but stored as string"),
    "text for a number": (BEFORE | {"n": pl.String()}, "column 'n' is declared as string but stored as integer"),
}


@pytest.mark.parametrize(("columns", "message"), LOSSES.values(), ids=LOSSES.keys())
def test_what_would_lose_something_is_refused_untouched(
    store: Store, columns: dict[str, pl.DataType], message: str
) -> None:
    before = _state(store)
    with pytest.raises(SchemaMismatchError, match=message) as error:
        open_table(store, "t", columns, Partitioning.BY_DATE)
    assert str(error.value).startswith("t: ")
    assert "Nothing was written; the stored table stands. Undo the change, or write" in str(error.value)
    assert _state(store) == before


def test_another_partitioning_of_the_same_columns_is_refused_untouched(store: Store) -> None:
    before = _state(store)
    with pytest.raises(SchemaMismatchError, match=r"it is declared partitioned by nothing but stored by .'dt'."):
        open_table(store, "t", BEFORE, Partitioning.SNAPSHOT)
    assert _state(store) == before


def test_a_refused_change_beside_an_allowed_one_adds_nothing(store: Store) -> None:
    before = _state(store)
    columns = {"n": pl.Int16(), "new": pl.String(), **{name: BEFORE[name] for name in ("price", "text", "dt")}}
    with pytest.raises(SchemaMismatchError):
        open_table(store, "t", columns, Partitioning.BY_DATE)
    assert _state(store) == before


def test_a_writer_from_before_an_evolution_loses(store: Store) -> None:
    stale = open_table(store, "t", BEFORE, Partitioning.BY_DATE)
    open_table(store, "t", BEFORE | {"n": pl.Int64()}, Partitioning.BY_DATE)
    with pytest.raises(delta.Conflict):
        delta.replace(store, stale, pl.DataFrame(schema=BEFORE), f"dt in ('{DAY}')", {str(DAY): 8})
    assert _state(store)[1][0]["n"] is None
    assert delta.fingerprints(store, "t") == {str(DAY): 7}


@pytest.mark.parametrize(("there", "free"), [(["t"], 2), (["t", "t.r2"], 3), (["t", "t.r2", "t.r3"], 4)])
def test_a_refusal_names_the_revision_to_write_and_why(store: Store, there: list[str], free: int) -> None:
    for path in there[1:]:
        open_table(store, path, BEFORE, Partitioning.BY_DATE)
    with pytest.raises(SchemaMismatchError) as told:
        open_table(store, there[-1], {"n": pl.Int32(), "dt": pl.Date()}, Partitioning.BY_DATE)
    assert f"or write `revision={free}` in the declaration" in str(told.value)
    assert "dropping one would lose its values; declare one that no file has with nullable=True" in str(told.value)
