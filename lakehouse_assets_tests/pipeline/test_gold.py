"""A model is built for the dates that changed, and for them alone."""

import datetime as dt
from decimal import Decimal
from pathlib import Path

import dataframely as dy
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.columns import TextMap
from lakehouse_assets.contracts.partitioning import Partitioning
from lakehouse_assets.pipeline.gold import build as build_model
from lakehouse_assets.pipeline.pending import ModelState
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.pipeline.totals import GOOD, NEXT, build_one, stored, totals
from lakehouse_assets_tests.retail import DAY, day, ingest, land, line, publish, run, sales_csv


@pytest.mark.slow(covered=True)
def test_a_model_is_built_date_by_date_and_then_nothing_is_pending(published: Lake) -> None:
    lake, model = totals(published)
    assert build_one(lake, model) == {DAY: 1, NEXT: 1}
    assert sorted(stored(lake), key=str) == [
        {"dt": dt.date.fromisoformat(partition), "units": 6, "sales": Decimal("15.3000")} for partition in (DAY, NEXT)
    ]
    assert ModelState.read(lake, model).pending == []
    assert build_one(lake, model) == {}


@pytest.mark.slow(covered=True)
def test_only_the_dates_that_changed_are_pending_and_built(published: Lake) -> None:
    lake, model = totals(published)
    build_one(lake, model)
    land(lake, "late.csv", sales_csv([line(InvoiceDate=f"{NEXT} 18:00:00", Quantity="100")]))
    ingest(lake)
    publish(lake)
    assert ModelState.read(lake, model).pending == [NEXT]
    assert build_one(lake, model) == {NEXT: 1}
    assert sorted(row["units"] for row in stored(lake)) == [6, 106]


@pytest.mark.slow(covered=True)
def test_a_date_that_lost_all_its_records_is_cleared(published: Lake) -> None:
    lake, model = totals(published)
    build_one(lake, model)
    land(lake, "x.csv", sales_csv(day(NEXT)))
    ingest(lake)
    publish(lake)
    assert build_one(lake, model) == {DAY: 0, NEXT: 1}
    assert [row["dt"] for row in stored(lake)] == [dt.date(2011, 3, 2)]


@pytest.mark.slow(covered=True)
def test_other_sql_makes_every_date_pending(published: Lake) -> None:
    lake, model = totals(published)
    build_one(lake, model)
    lake, model = totals(published, GOOD.replace("sum(quantity)", "max(quantity)"))
    assert ModelState.read(lake, model).pending == [DAY, NEXT]
    build_one(lake, model)
    assert [row["units"] for row in stored(lake)] == [3, 3]


@pytest.mark.slow(covered=True)
def test_a_build_asked_for_by_a_person_is_done_though_nothing_changed(published: Lake) -> None:
    lake, model = totals(published)
    build_one(lake, model)
    before = stored(lake)
    assert build_one(lake, model, force=True) == {DAY: 1, NEXT: 1}
    assert sorted(stored(lake), key=str) == sorted(before, key=str)


@pytest.mark.slow(covered=True)
def test_the_sql_of_a_date_sees_that_date_only(published: Lake) -> None:
    lake, model = totals(published, "SELECT DISTINCT dt, 1 AS units, 0::DECIMAL(38,4) AS sales FROM silver.sales")
    assert [built.rows for built in build_model(lake, model, [NEXT])] == [{NEXT: 1}]
    assert [row["dt"] for row in stored(lake)] == [dt.date(2011, 3, 2)]


def test_nothing_is_pending_before_anything_is_published(lake: Lake) -> None:
    lake, model = totals(lake)
    assert ModelState.read(lake, model).pending == []


def test_outside_and_undated_records_make_no_date_pending(lake: Lake) -> None:
    land(lake, "x.csv", sales_csv([line(InvoiceDate="?"), *day("2001-01-01")]))
    ingest(lake)
    publish(lake)
    lake, model = totals(lake)
    assert ModelState.read(lake, model).pending == []


@pytest.mark.slow(covered=True)
def test_a_model_may_read_quarantine_where_held_and_undated_records_are(lake: Lake) -> None:
    sql = "SELECT dt, count(*) AS units, 0::DECIMAL(38,4) AS sales FROM quarantine.sales GROUP BY dt"
    bad = [line(Quantity="x"), line(Quantity="y", InvoiceDate=f"{NEXT} 09:00:00"), line(InvoiceDate="?")]
    land(lake, "x.csv", sales_csv([*day(count=30), *bad]))
    ingest(lake)
    assert {partition: outcome.verdict for partition, outcome in publish(lake).items()} == {
        DAY: "published", NEXT: "held", "undated": "outside",
    }  # fmt: skip
    lake, model = totals(lake, sql)
    assert build_one(lake, model) == {DAY: 1, NEXT: 1}
    assert sorted(str(row["dt"]) for row in stored(lake)) == [DAY, NEXT]
    assert ModelState.read(lake, model).pending == []


class Snapshot(dy.Schema):
    country = dy.String(primary_key=True)
    units = dy.Int64(nullable=False)


@pytest.mark.slow(covered=True)
def test_a_snapshot_is_replaced_whole_by_any_change(published: Lake) -> None:
    sql = "SELECT country, sum(quantity) AS units FROM silver.sales GROUP BY country"
    lake, model = totals(published, sql, Snapshot, date=None)
    assert build_one(lake, model) == {"whole": 1}
    assert stored(lake) == [{"country": "United Kingdom", "units": 12}]
    assert build_one(lake, model) == {}
    land(lake, "x.csv", sales_csv(day(NEXT, 1, Country="France")))
    ingest(lake)
    publish(lake)
    assert ModelState.read(lake, model).pending == ["whole"]
    build_one(lake, model)
    assert stored(lake) == [{"country": "France", "units": 1}]


def test_a_snapshot_that_reads_no_table_is_built_once(lake: Lake) -> None:
    lake, model = totals(lake, "SELECT 'France' AS country, 1::BIGINT AS units", Snapshot, date=None)
    assert build_one(lake, model) == {"whole": 1}
    assert stored(lake) == [{"country": "France", "units": 1}]
    lake, model = totals(lake, "SELECT 'Spain' AS country, 2::BIGINT AS units", Snapshot, date=None)
    assert build_one(lake, model) == {"whole": 1}
    assert stored(lake) == [{"country": "Spain", "units": 2}]
    assert build_one(lake, model) == {}


class ByDay(dy.Schema):
    date_key = dy.Date(nullable=False)
    units = dy.Int64(nullable=False)
    cut = TextMap()


def test_a_model_by_year_month_day_is_partitioned_by_what_its_date_says(published: Lake) -> None:
    sql = "SELECT dt AS date_key, sum(quantity) AS units, MAP {'a': country} AS cut FROM silver.sales GROUP BY ALL"
    lake, model = totals(published, sql, ByDay, date="date_key", partitioning=Partitioning.BY_YEAR_MONTH_DAY)
    assert build_one(lake, model) == {DAY: 1, NEXT: 1}
    assert [(row["year"], row["month"], row["day"], row["cut"]) for row in sorted(stored(lake), key=str)] == [
        (2011, 3, 1, {"a": "United Kingdom"}), (2011, 3, 2, {"a": "United Kingdom"}),
    ]  # fmt: skip


@pytest.mark.slow
def test_building_in_small_batches_gives_the_same(tmp_path: Path) -> None:
    results = []
    for rows in (1, 1_000):
        lake = lake_at(str(tmp_path / f"lake{rows}"), publish_batch_rows=rows)
        land(lake, "x.csv", sales_csv([*day(DAY), *day(NEXT, 5), *day("2011-03-04", 1)]))
        run(lake)
        results.append({name: sorted(stored(lake, name), key=str) for name in lake.registry.models})
    assert results[0] == results[1]
