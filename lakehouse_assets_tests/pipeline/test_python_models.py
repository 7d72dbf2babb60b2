"""A model made by a Python function has what a model made by SQL has: dates, fingerprints, rules, `verify`."""

import datetime as dt
import inspect
import re
import sys
from collections.abc import Callable
from typing import Any

import dataframely as dy
import duckdb
import polars as pl
import pyarrow as pa
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import ContractError, Model
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.pipeline.gold import ModelError, RuleBrokenError
from lakehouse_assets.pipeline.gold import build as build_model
from lakehouse_assets.pipeline.pending import ModelState
from lakehouse_assets.query.verify import verify
from lakehouse_assets.storage import delta
from lakehouse_assets_tests.retail import DAY, ingest, land, line, publish, sales, sales_csv

NEXT = "2011-03-02"


class Units(dy.Schema):
    """One row per date."""

    dt = dy.Date(primary_key=True)
    units = dy.Int64(nullable=False, max=1000)


def lazily(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Sum up."""
    return rows.group_by("dt").agg(pl.sum("quantity").alias("units"))


def eagerly(rows: pl.DataFrame) -> pl.DataFrame:
    assert isinstance(rows, pl.DataFrame)
    return rows.group_by("dt").agg(pl.sum("quantity").alias("units"))


def in_arrow(rows: pa.Table) -> pa.Table:
    assert isinstance(rows, pa.Table)
    return rows.group_by("dt").aggregate([("quantity", "sum")]).rename_columns(["dt", "units"])


def in_duckdb(rows: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    return rows.aggregate("dt, sum(quantity)::BIGINT AS units")


def unannotated(rows):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    return rows.group_by("dt").agg(pl.sum("quantity").alias("units"))


def declared(lake: Lake, function: Callable[..., Any], **options: Any) -> tuple[Lake, Model]:
    """Return the lake with `gold.units`, made by a function of `silver.sales`, and that model."""
    inputs = options.pop("inputs", {"rows": "silver.sales"})
    texts = {"name": "units", "description": "x", "owner": "team:x", "date": "dt"}
    model = Model(schema=Units, function=function, inputs=inputs, **texts | options)
    return Lake(lake.store, lake.settings, Registry([sales(lake)], [model])), model


def build(lake: Lake, model: Model) -> dict[str, int]:
    done = build_model(lake, model, ModelState.read(lake, model).pending)
    return {partition: rows for built in done for partition, rows in built.rows.items()}


def stored(lake: Lake) -> dict[str, int]:
    return {str(row["dt"]): row["units"] for row in delta.scan(lake.store, "gold/units", {}).collect().rows(named=True)}


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize("function", [lazily, eagerly, in_arrow, in_duckdb, unannotated])
def test_a_function_gets_its_tables_in_the_type_that_it_asks_for(published: Lake, function: Callable[..., Any]) -> None:
    lake, model = declared(published, function)
    assert build(lake, model) == {DAY: 1, NEXT: 1}
    assert stored(lake) == {DAY: 6, NEXT: 6}
    assert ModelState.read(lake, model).pending == []
    assert list(verify(lake)) == []


@pytest.mark.slow(covered=True)
def test_two_tables_meet_in_one_function(published: Lake) -> None:
    def joined(rows: duckdb.DuckDBPyRelation, raw: pl.LazyFrame) -> pl.LazyFrame:
        counted = raw.group_by("dt").agg(pl.len().alias("raw"))
        per_day = rows.aggregate("dt, count(*) AS lines").pl()
        return counted.join(per_day.lazy(), on="dt").select("dt", units=pl.col("raw") * 100 + pl.col("lines"))

    lake, model = declared(published, joined, inputs={"rows": "silver.sales", "raw": "bronze.sales"})
    assert build(lake, model) == {DAY: 1, NEXT: 1}
    assert stored(lake) == {DAY: 303, NEXT: 303}
    land(lake, "late.csv", sales_csv([line(InvoiceDate=f"{NEXT} 18:00:00", Quantity="no number")]))
    ingest(lake)
    assert ModelState.read(lake, model).pending == [NEXT]  # only bronze has changed


@pytest.mark.slow(covered=True)
def test_only_the_dates_that_changed_are_given_to_the_function(published: Lake) -> None:
    asked: list[list[dt.date]] = []

    def remembering(rows: pl.DataFrame) -> pl.DataFrame:
        asked.append(sorted(rows["dt"].unique()))
        return eagerly(rows)

    lake, model = declared(published, remembering)
    build(lake, model)
    land(lake, "late.csv", sales_csv([line(InvoiceDate=f"{NEXT} 18:00:00", Quantity="100")]))
    ingest(lake)
    publish(lake)
    assert build(lake, model) == {NEXT: 1}
    assert asked == [[dt.date(2011, 3, 1), dt.date(2011, 3, 2)], [dt.date(2011, 3, 2)]]


@pytest.mark.slow(covered=True)
def test_other_code_makes_every_date_pending_and_other_words_none(published: Lake) -> None:
    def summed(rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows.group_by("dt").agg(pl.max("quantity").alias("units"))

    lake, model = declared(published, summed)
    build(lake, model)

    def summed(rows: pl.LazyFrame) -> pl.LazyFrame:  # type: ignore[no-redef]
        """Say more, and break the line otherwise."""
        # The greatest one.
        return rows.group_by("dt").agg(
            pl.max("quantity").alias("units"),
        )

    lake, model = declared(published, summed)
    assert ModelState.read(lake, model).pending == []
    lake, model = declared(published, summed, code_version="2")
    assert ModelState.read(lake, model).pending == [DAY, NEXT]

    def summed(rows: pl.LazyFrame) -> pl.LazyFrame:  # type: ignore[no-redef]
        return rows.group_by("dt").agg(pl.min("quantity").alias("units"))

    lake, model = declared(published, summed)
    assert ModelState.read(lake, model).pending == [DAY, NEXT]


@pytest.mark.slow(covered=True)
def test_a_result_that_breaks_the_schema_is_not_written(published: Lake) -> None:
    lake, model = declared(published, lazily)
    build(lake, model)

    def much(rows: pl.LazyFrame) -> pl.LazyFrame:
        return lazily(rows).with_columns(units=pl.lit(1001, pl.Int64))

    lake, model = declared(published, much)
    with pytest.raises(RuleBrokenError, match=r"much\(\): 2 of 2 rows break the rule 'units_max'"):
        build(lake, model)

    def floating(rows: pl.LazyFrame) -> pl.LazyFrame:
        return lazily(rows).cast({"units": pl.Float64})

    lake, model = declared(published, floating)
    with pytest.raises(ModelError, match=r"floating\(\): the column 'units' comes as Float64"):
        build(lake, model)

    def number(rows: pl.LazyFrame) -> int:  # noqa: ARG001
        return 3

    lake, model = declared(published, number)
    with pytest.raises(ModelError, match=r"number\(\): it returns int, not a table"):
        build(lake, model)
    assert stored(lake) == {DAY: 6, NEXT: 6}


@pytest.mark.slow(covered=True)
def test_a_function_that_fails_is_told_by_its_line_and_without_the_values(published: Lake) -> None:
    lake, model = declared(published, lazily)
    build(lake, model)

    def dividing(rows: pl.DataFrame) -> pl.DataFrame:
        raise LookupError(rows.row(0))

    lake, model = declared(published, dividing)
    line_number = inspect.getsourcelines(dividing)[1] + 1
    place = f"LookupError at test_python_models.py:{line_number}. Nothing was written"
    with pytest.raises(ModelError, match=re.escape(f"dividing(): {place}")):
        build(lake, model)

    def misspelt(rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows.group_by("dt").agg(pl.sum("quantitee").alias("units"))

    lake, model = declared(published, misspelt)
    with pytest.raises(ModelError, match=r"ColumnNotFoundError at the computation of its result: .*quantitee"):
        build(lake, model)
    assert stored(lake) == {DAY: 6, NEXT: 6}


@pytest.mark.slow(covered=True)
def test_a_function_that_ends_the_process_fails_like_any_other(published: Lake) -> None:
    def ending(rows: pl.DataFrame) -> pl.DataFrame:
        sys.exit(rows.height)

    lake, model = declared(published, ending)
    with pytest.raises(ModelError, match=r"ending\(\): SystemExit at test_python_models.py:\d+. Nothing was written"):
        build(lake, model)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"function": lazily, "inputs": {}}, "the input 'rows': names no table for it"),
        ({"function": lazily, "inputs": {"rows": "a.b", "more": "a.c"}}, "'more': lazily has no such parameter"),
        ({}, "there is no .*units.sql; write its query there, or name sql= or function="),
        ({"function": test_two_tables_meet_in_one_function, "inputs": {"published": "silver.sales"}}, "is no type"),
    ],
)
def test_a_declaration_that_cannot_be_called_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ContractError, match=message):
        Model(name="units", schema=Units, description="x", owner="team:x", **options)
