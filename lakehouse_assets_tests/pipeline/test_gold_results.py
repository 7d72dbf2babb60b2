"""A model takes the place of its last good version only if its SQL returns exactly what it declares."""

from decimal import Decimal
from pathlib import Path

import dataframely as dy
import polars as pl
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.pipeline.gold import ModelError, RuleBrokenError
from lakehouse_assets.pipeline.pending import ModelState
from lakehouse_assets.storage import delta
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.pipeline.totals import GOOD, NEXT, Totals, build_one, stored, totals
from lakehouse_assets_tests.retail import DAY, day, land, run, sales_csv


class Nullable(dy.Schema):
    dt = dy.Date(nullable=True)
    units = dy.Int64(nullable=False)


WRONG: dict[str, tuple[str, type[dy.Schema], str]] = {
    "a column that is not declared": (
        GOOD.replace("SELECT dt", "SELECT dt, 1 AS more"), Totals,
        "it returns the column 'more', which Totals does not declare",
    ),
    "a declared column missing": (
        GOOD.replace("sum(quantity) AS units, ", ""), Totals,
        "it does not return the column 'units', which Totals declares",
    ),
    "text for a number": (
        GOOD.replace("sum(quantity)", "'6'"), Totals,
        "the column 'units' comes as String but is declared as Int64; cast it there",
    ),
    "a float for money": (
        GOOD.replace("sum(line_amount)", "sum(line_amount)::DOUBLE"), Totals,
        "the column 'sales' comes as Float64 but is declared as Decimal",
    ),
    "a float for an integer": (GOOD.replace("sum(quantity)", "6.0::DOUBLE"), Totals, "'units' comes as Float64"),
    "more decimals than declared": (
        GOOD.replace("sum(line_amount)", "sum(line_amount)::DECIMAL(38,6)"), Totals,
        "the column 'sales' comes as Decimal.*scale=6.*declared as Decimal.*scale=4",
    ),
    "a time for a date": (GOOD.replace("SELECT dt", "SELECT dt::TIMESTAMP AS dt"), Totals, "'dt' comes as Datetime"),
    "an integer that does not fit": (GOOD.replace("sum(quantity)", "10::HUGEINT ** 20"), Totals, "units"),
    "a date that was not asked for": (
        GOOD.replace("SELECT dt", "SELECT dt + 1 AS dt"), Totals,
        "it returns rows for 2011-03-03, a date that was not asked for",
    ),
    "no date": (
        "SELECT NULL::DATE AS dt, count(*) AS units FROM silver.sales", Nullable, "date",
    ),
    "a broken rule": (
        GOOD.replace("sum(quantity)", "1001"), Totals,
        "2 of 2 rows break the rule 'units_max' .`units` is at most 1000.",
    ),
    "a null": (
        GOOD.replace("sum(quantity)", "NULL::BIGINT"), Totals, "2 of 2 rows break the rule 'units_required'",
    ),
    "a key twice": (
        "SELECT dt, quantity AS units, line_amount AS sales FROM silver.sales", Totals,
        "6 of 6 rows break the rule 'primary_key'",
    ),
    "a function that there is not": (GOOD.replace("sum(quantity)", "summ(quantity)"), Totals, "summ"),
    "a column that there is not": (GOOD.replace("sum(quantity)", "sum(qty)"), Totals, "qty"),
    "a failing cast": (
        GOOD.replace("sum(quantity)", "max(country)::BIGINT"), Totals,
        r"a value cannot be computed \(ConversionException\); run the SQL with",
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("sql", "schema", "message"), WRONG.values(), ids=WRONG.keys())
def test_nothing_is_written_when_the_sql_returns(
    published: Lake, sql: str, schema: type[dy.Schema], message: str
) -> None:
    good = GOOD if schema is Totals else "SELECT dt, count(*) AS units FROM silver.sales GROUP BY dt"
    lake, model = totals(published, good, schema)
    build_one(lake, model)
    before = stored(lake), delta.fingerprints(lake.store, "gold/totals")
    lake, model = totals(published, sql, schema)
    with pytest.raises(ModelError, match=message) as error:
        build_one(lake, model)
    assert str(error.value).startswith(f"{model.code}: ")
    assert "Nothing was written; the last good version" in str(error.value)
    assert (stored(lake), delta.fingerprints(lake.store, "gold/totals")) == before
    assert ModelState.read(lake, model).pending == [DAY, NEXT]


@pytest.mark.slow(covered=True)
def test_a_broken_rule_is_told_by_its_id(published: Lake) -> None:
    lake, model = totals(published, GOOD.replace("sum(quantity)", "1001"))
    with pytest.raises(RuleBrokenError) as error:
        build_one(lake, model)
    assert error.value.rule == "units_max"


class OneQuantity(dy.Schema):
    dt = dy.Date(nullable=False)
    units = dy.Int64(nullable=False)

    @dy.rule()
    def once(cls) -> pl.Expr:  # noqa: N805
        return pl.len().over("units") == 1

    @dy.rule()
    def starts_with_one(cls) -> pl.Expr:  # noqa: N805
        return pl.col("units").sort().first() == 1


@pytest.mark.slow
@pytest.mark.parametrize("rows", [1, 1_000], ids=["a date at a time", "all dates at once"])
def test_a_rule_about_other_rows_sees_those_of_its_date(tmp_path: Path, rows: int) -> None:
    lake = lake_at(str(tmp_path / "lake"), publish_batch_rows=rows)
    land(lake, "x.csv", sales_csv([*day(DAY), *day(NEXT)]))
    run(lake)
    lake, model = totals(lake, "SELECT dt, quantity AS units FROM silver.sales", OneQuantity)
    assert build_one(lake, model) == {DAY: 3, NEXT: 3}


@pytest.mark.slow(covered=True)
def test_types_that_lose_nothing_are_taken(published: Lake) -> None:
    sql = "SELECT dt, sum(quantity)::HUGEINT AS units, 7::DECIMAL(9,2) AS sales FROM silver.sales GROUP BY dt"
    lake, model = totals(published, sql)
    build_one(lake, model)
    assert {(row["units"], row["sales"]) for row in stored(lake)} == {(6, Decimal("7.0000"))}
