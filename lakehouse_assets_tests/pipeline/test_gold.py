"""A model is built for the dates that changed, and only if its SQL returns exactly what it declares."""

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import dataframely as dy
import duckdb
import polars as pl
import pytest

from lakehouse_assets.catalog import duckdb_views
from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.columns import TextMap
from lakehouse_assets.contracts.declare import Model
from lakehouse_assets.contracts.partitioning import Partitioning
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.pipeline.gold import ModelError, RuleBrokenError
from lakehouse_assets.pipeline.gold import build as build_model
from lakehouse_assets.pipeline.pending import ModelState
from lakehouse_assets.query.sql import run as query
from lakehouse_assets.query.verify import verify
from lakehouse_assets.storage import delta
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.contracts.orders import orders
from lakehouse_assets_tests.retail import DAY, build, day, ingest, land, line, publish, run, sales, sales_csv

NEXT = "2011-03-02"


class Totals(dy.Schema):
    dt = dy.Date(primary_key=True)
    units = dy.Int64(nullable=False, max=1000)
    sales = dy.Decimal(38, 4, nullable=False)


GOOD = "SELECT dt, sum(quantity) AS units, sum(line_amount) AS sales FROM silver.sales GROUP BY dt"


@pytest.fixture
def published(lake: Lake) -> Lake:
    """A lake with two published dates: 6 units each."""
    land(lake, "x.csv", sales_csv([*day(DAY), *day(NEXT)]))
    ingest(lake)
    publish(lake)
    return lake


def _model(lake: Lake, sql: str = GOOD, schema: type[dy.Schema] = Totals, **options: Any) -> tuple[Lake, Model]:
    """Return the lake with `gold.totals` declared in it, and that model."""
    file = Path(f"{lake.store.root}-totals.sql")
    file.write_text(sql)
    declared: dict[str, Any] = {"name": "totals", "description": "x", "owner": "team:x", "date": "dt"}
    model = Model(schema=schema, sql=file, **declared | options)
    return Lake(lake.store, lake.settings, Registry([sales(lake)], [model])), model


def _build(lake: Lake, model: Model, *, force: bool = False) -> dict[str, int]:
    state = ModelState.read(lake, model)
    partitions = list(state.inputs) if force else state.pending
    return {
        partition: rows
        for built in build_model(lake, model, partitions, force=force)
        for partition, rows in built.rows.items()
    }


def _gold(lake: Lake, name: str = "totals") -> list[dict[str, Any]]:
    return delta.scan(lake.store, f"gold/{name}", {}).collect().rows(named=True)


def test_a_model_is_built_date_by_date_and_then_nothing_is_pending(published: Lake) -> None:
    lake, model = _model(published)
    assert _build(lake, model) == {DAY: 1, NEXT: 1}
    assert sorted(_gold(lake), key=str) == [
        {"dt": dt.date.fromisoformat(partition), "units": 6, "sales": Decimal("15.3000")} for partition in (DAY, NEXT)
    ]
    assert ModelState.read(lake, model).pending == []
    assert _build(lake, model) == {}


def test_only_the_dates_that_changed_are_pending_and_built(published: Lake) -> None:
    lake, model = _model(published)
    _build(lake, model)
    land(lake, "late.csv", sales_csv([line(InvoiceDate=f"{NEXT} 18:00:00", Quantity="100")]))
    ingest(lake)
    publish(lake)
    assert ModelState.read(lake, model).pending == [NEXT]
    assert _build(lake, model) == {NEXT: 1}
    assert sorted(row["units"] for row in _gold(lake)) == [6, 106]


def test_a_date_that_lost_all_its_records_is_cleared(published: Lake) -> None:
    lake, model = _model(published)
    _build(lake, model)
    land(lake, "x.csv", sales_csv(day(NEXT)))
    ingest(lake)
    publish(lake)
    assert _build(lake, model) == {DAY: 0, NEXT: 1}
    assert [row["dt"] for row in _gold(lake)] == [dt.date(2011, 3, 2)]


def test_other_sql_makes_every_date_pending(published: Lake) -> None:
    lake, model = _model(published)
    _build(lake, model)
    lake, model = _model(published, GOOD.replace("sum(quantity)", "max(quantity)"))
    assert ModelState.read(lake, model).pending == [DAY, NEXT]
    _build(lake, model)
    assert [row["units"] for row in _gold(lake)] == [3, 3]


def test_a_build_asked_for_by_a_person_is_done_though_nothing_changed(published: Lake) -> None:
    lake, model = _model(published)
    _build(lake, model)
    before = _gold(lake)
    assert _build(lake, model, force=True) == {DAY: 1, NEXT: 1}
    assert sorted(_gold(lake), key=str) == sorted(before, key=str)


def test_the_sql_of_a_date_sees_that_date_only(published: Lake) -> None:
    lake, model = _model(published, "SELECT DISTINCT dt, 1 AS units, 0::DECIMAL(38,4) AS sales FROM silver.sales")
    assert [built.rows for built in build_model(lake, model, [NEXT])] == [{NEXT: 1}]
    assert [row["dt"] for row in _gold(lake)] == [dt.date(2011, 3, 2)]


def test_nothing_is_pending_before_anything_is_published(lake: Lake) -> None:
    lake, model = _model(lake)
    assert ModelState.read(lake, model).pending == []


def test_outside_and_undated_records_make_no_date_pending(lake: Lake) -> None:
    land(lake, "x.csv", sales_csv([line(InvoiceDate="?"), *day("2001-01-01")]))
    ingest(lake)
    publish(lake)
    lake, model = _model(lake)
    assert ModelState.read(lake, model).pending == []


def test_a_model_may_read_quarantine_where_held_and_undated_records_are(lake: Lake) -> None:
    sql = "SELECT dt, count(*) AS units, 0::DECIMAL(38,4) AS sales FROM quarantine.sales GROUP BY dt"
    bad = [line(Quantity="x"), line(Quantity="y", InvoiceDate=f"{NEXT} 09:00:00"), line(InvoiceDate="?")]
    land(lake, "x.csv", sales_csv([*day(count=30), *bad]))
    ingest(lake)
    assert {partition: outcome.verdict for partition, outcome in publish(lake).items()} == {
        DAY: "published", NEXT: "held", "undated": "outside",
    }  # fmt: skip
    lake, model = _model(lake, sql)
    assert _build(lake, model) == {DAY: 1, NEXT: 1}
    assert sorted(str(row["dt"]) for row in _gold(lake)) == [DAY, NEXT]
    assert ModelState.read(lake, model).pending == []


class Snapshot(dy.Schema):
    country = dy.String(primary_key=True)
    units = dy.Int64(nullable=False)


def test_a_snapshot_is_replaced_whole_by_any_change(published: Lake) -> None:
    sql = "SELECT country, sum(quantity) AS units FROM silver.sales GROUP BY country"
    lake, model = _model(published, sql, Snapshot, date=None)
    assert _build(lake, model) == {"whole": 1}
    assert _gold(lake) == [{"country": "United Kingdom", "units": 12}]
    assert _build(lake, model) == {}
    land(lake, "x.csv", sales_csv(day(NEXT, 1, Country="France")))
    ingest(lake)
    publish(lake)
    assert ModelState.read(lake, model).pending == ["whole"]
    _build(lake, model)
    assert _gold(lake) == [{"country": "France", "units": 1}]


class ByDay(dy.Schema):
    date_key = dy.Date(nullable=False)
    units = dy.Int64(nullable=False)
    cut = TextMap()


def test_a_model_by_year_month_day_is_partitioned_by_what_its_date_says(published: Lake) -> None:
    sql = "SELECT dt AS date_key, sum(quantity) AS units, MAP {'a': country} AS cut FROM silver.sales GROUP BY ALL"
    lake, model = _model(published, sql, ByDay, date="date_key", partitioning=Partitioning.BY_YEAR_MONTH_DAY)
    assert _build(lake, model) == {DAY: 1, NEXT: 1}
    assert [(row["year"], row["month"], row["day"], row["cut"]) for row in sorted(_gold(lake), key=str)] == [
        (2011, 3, 1, {"a": "United Kingdom"}), (2011, 3, 2, {"a": "United Kingdom"}),
    ]  # fmt: skip


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
    lake, model = _model(published, good, schema)
    _build(lake, model)
    before = _gold(lake), delta.fingerprints(lake.store, "gold/totals")
    lake, model = _model(published, sql, schema)
    with pytest.raises(ModelError, match=message) as error:
        _build(lake, model)
    assert str(error.value).startswith(f"{model.code}: ")
    assert "Nothing was written; the last good version" in str(error.value)
    assert (_gold(lake), delta.fingerprints(lake.store, "gold/totals")) == before
    assert ModelState.read(lake, model).pending == [DAY, NEXT]


def test_a_broken_rule_is_told_by_its_id(published: Lake) -> None:
    lake, model = _model(published, GOOD.replace("sum(quantity)", "1001"))
    with pytest.raises(RuleBrokenError) as error:
        _build(lake, model)
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
    lake, model = _model(lake, "SELECT dt, quantity AS units FROM silver.sales", OneQuantity)
    assert _build(lake, model) == {DAY: 3, NEXT: 3}


def test_types_that_lose_nothing_are_taken(published: Lake) -> None:
    sql = "SELECT dt, sum(quantity)::HUGEINT AS units, 7::DECIMAL(9,2) AS sales FROM silver.sales GROUP BY dt"
    lake, model = _model(published, sql)
    _build(lake, model)
    assert {(row["units"], row["sales"]) for row in _gold(lake)} == {(6, Decimal("7.0000"))}


@pytest.mark.slow
def test_building_in_small_batches_gives_the_same(tmp_path: Path) -> None:
    results = []
    for rows in (1, 1_000):
        lake = lake_at(str(tmp_path / f"lake{rows}"), publish_batch_rows=rows)
        land(lake, "x.csv", sales_csv([*day(DAY), *day(NEXT, 5), *day("2011-03-04", 1)]))
        run(lake)
        results.append({name: sorted(_gold(lake, name), key=str) for name in lake.registry.models})
    assert results[0] == results[1]


def test_the_declared_models_hold_their_figures(lake: Lake) -> None:
    land(
        lake,
        "x.csv",
        sales_csv(
            [
                line(Quantity="10", UnitPrice="2.55"),
                line(Quantity="2", UnitPrice="0.0001", CustomerID=None, InvoiceNo="536366"),
                line(Quantity="-4", InvoiceNo="C536367"),
                line(StockCode="POST", Quantity="1", UnitPrice="18"),
                line(Quantity="3", UnitPrice="1", Country="France", Description="OTHER"),
                line(Quantity="5", UnitPrice="1", InvoiceDate=f"{NEXT} 10:00:00", Description="LATEST"),
            ]
        ),
    )
    run(lake)
    daily = sorted(_gold(lake, "daily_sales"), key=lambda row: (row["dt"], row["country"]))
    assert daily[1] == {
        "dt": dt.date(2011, 3, 1), "country": "United Kingdom", "sales": Decimal("25.5002"),
        "returns": Decimal("-10.2000"), "adjustments": Decimal("18.0000"), "net": Decimal("33.3002"), "units": 12,
        "invoices": 2, "customers": 1, "lines": 2,
    }  # fmt: skip
    [product] = _gold(lake, "product_performance")
    assert product == {
        "stock_code": "85123A", "description": "LATEST", "sales": Decimal("33.5002"), "units": 20, "invoices": 2,
        "first_date": dt.date(2011, 3, 1), "last_date": dt.date(2011, 3, 2), "return_rate": 4 / 20,
    }  # fmt: skip
    metrics = {
        (row["date_key"], row["metric_name"], str(row["dimensions"])): row for row in _gold(lake, "daily_metrics")
    }
    assert metrics[dt.date(2011, 3, 1), "net", str({"currency": "GBP"})]["metric_value"] == 36.3002
    assert metrics[dt.date(2011, 3, 1), "units", "{}"]["metric_value"] == 15
    found = metrics[dt.date(2011, 3, 1), "sales_by_country", str({"country": "France", "currency": "GBP"})]
    assert (found["metric_value"], found["year"], found["month"], found["day"]) == (3.0, 2011, 3, 1)


@pytest.mark.slow
def test_quarantine_is_counted_by_date_and_rule_also_where_no_date_can_be_read(lake: Lake) -> None:
    bad = [line(Quantity="six", Country=""), line(Quantity="7.5"), line(InvoiceDate="someday", Quantity="many")]
    land(lake, "x.csv", sales_csv([*day(count=60), *bad]))
    run(lake)
    day_one = dt.date(2011, 3, 1)
    assert sorted(_gold(lake, "quarantine_by_rule"), key=str) == sorted(
        [
            {"feed": "sales", "dt": day_one, "rule": "country_required", "records": 1},
            {"feed": "sales", "dt": day_one, "rule": "quantity_readable", "records": 2},
            {"feed": "sales", "dt": None, "rule": "invoiced_at_readable", "records": 1},
            {"feed": "sales", "dt": None, "rule": "quantity_readable", "records": 1},
        ],
        key=str,
    )
    land(lake, "x.csv", sales_csv([*day(count=60), *bad[2:]]))
    run(lake)
    assert {row["dt"] for row in _gold(lake, "quarantine_by_rule")} == {None}


@pytest.mark.slow
def test_a_feed_that_is_added_is_counted_too(lake: Lake) -> None:
    land(lake, "x.csv", sales_csv([*day(count=19), line(Quantity="six")]))
    run(lake)
    model = lake.registry.models["quarantine_by_rule"]
    more = Lake(lake.store, lake.settings, Registry([sales(lake), orders(business_date=None, gate=0.0)], [model]))
    [model] = more.registry.models.values()
    assert _build(more, model) == {"whole": 1}
    land(more, "o.json", b'[{"Number": "x", "Units": 2, "At": "01/03/2011", "Price": 1.5}]', "orders")
    ingest(more, feed="orders")
    publish(more, feed="orders")
    assert _build(more, model) == {"whole": 2}
    expected = [("orders", None, "number_regex", 1), ("sales", dt.date.fromisoformat(DAY), "quantity_readable", 1)]
    assert sorted(tuple(row.values()) for row in _gold(more, "quarantine_by_rule")) == expected
    asked = "SELECT feed, dt, rule, records FROM quarantine.by_rule ORDER BY feed"
    assert query(more, asked).rows == expected
    duckdb_views.rebuild(more)
    assert list(duckdb_views.unreadable_views(more)) == []
    with duckdb.connect(more.store.uri(duckdb_views.PATH), read_only=True) as catalog:
        assert catalog.sql(asked).fetchall() == expected


@pytest.mark.slow
def test_records_without_a_date_alone_are_counted_anew_too(lake: Lake) -> None:
    for odd in (1, 3):
        land(lake, "x.csv", sales_csv([line(InvoiceDate=f"day {at}") for at in range(odd)]))
        run(lake)
        assert [row["records"] for row in _gold(lake, "quarantine_by_rule")] == [odd]
    assert list(verify(lake)) == []


def test_a_product_that_was_only_returned_has_no_performance(lake: Lake) -> None:
    land(lake, "x.csv", sales_csv([line(InvoiceNo="C536365", Quantity="-6")]))
    run(lake)
    assert _gold(lake, "product_performance") == []
    assert len(_gold(lake, "daily_product_sales")) == 1


def test_a_date_of_adjustments_only_has_figures_of_nothing(lake: Lake) -> None:
    land(lake, "x.csv", sales_csv([line(StockCode="POST")]))
    run(lake)
    [row] = _gold(lake, "daily_sales")
    assert (row["sales"], row["units"], row["invoices"], row["lines"]) == (0, 0, 0, 0)
    assert row["net"] == row["adjustments"] == Decimal("15.3000")
    names = {row["metric_name"] for row in _gold(lake, "daily_metrics")}
    assert "average_order_value" not in names
    assert build(lake) == {name: [] for name in lake.registry.models}


def test_money_stays_decimal_until_the_metrics(lake: Lake) -> None:
    for model in lake.registry.models.values():
        floats = [n for n, column in model.table.columns.items() if column.dtype == pl.Float64()]
        assert floats == {"daily_metrics": ["metric_value"], "product_performance": ["return_rate"]}.get(model.name, [])
