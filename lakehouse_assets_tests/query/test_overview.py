"""Status and sizes say what is there, what waits and why."""

import datetime as dt

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.query.overview import sizes, status
from lakehouse_assets_tests.retail import DAY, day, ingest, land, line, publish, run, sales, sales_csv, zipped

NEXT = "2011-03-02"


def test_a_new_lake_is_idle_and_looking_at_it_creates_nothing(lake: Lake) -> None:
    found = status(lake)
    assert found.is_idle
    assert (found.landed, found.pending, found.held, found.rejected) == ([], {}, [], [])
    assert {(size.rows, size.bytes, size.updated) for size in sizes(lake)} == {(0, 0, None)}
    assert list(lake.store.list("")) == []


@pytest.mark.slow
def test_status_follows_the_work_step_by_step(lake: Lake) -> None:
    land(lake, "x.csv", sales_csv([*day(), *day(NEXT)]))
    assert status(lake).landed == ["sales: x.csv"]
    assert not status(lake).is_idle
    ingest(lake)
    assert (status(lake).landed, status(lake).pending) == ([], {"silver.sales": [DAY, NEXT]})
    publish(lake)
    waiting = status(lake).pending
    assert "silver.sales" not in waiting
    assert waiting["gold.daily_sales"] == [DAY, NEXT]
    run(lake)
    assert status(lake).is_idle


@pytest.mark.slow
def test_a_held_date_is_listed_with_its_score_until_it_is_released(lake: Lake) -> None:
    land(lake, "x.csv", sales_csv([*day(count=8), line(Quantity="x"), line(Quantity="y")]))
    run(lake)
    found = status(lake)
    assert found.is_idle
    [held] = found.held
    assert held.startswith(
        f"silver.sales {DAY}: quality score 0.8000 is below the gate 0.9500 (2 of 10 records break the contract; "
        "see quarantine.sales)"
    )
    land(lake, "x.csv", sales_csv(day()))
    run(lake)
    assert status(lake).held == []


@pytest.mark.slow
def test_a_rejected_object_is_listed_with_its_reason_until_its_next_version(lake: Lake) -> None:
    land(lake, "x.zip", zipped({"a.csv": sales_csv(1), "b.csv": b""}))
    run(lake)
    [rejected] = status(lake).rejected
    assert rejected.startswith("sales: x.zip!b.csv: ")
    assert "the object is empty; land it again with its records" in rejected
    assert status(lake).is_idle
    land(lake, "x.zip", zipped({"a.csv": sales_csv(1)}))
    run(lake)
    assert status(lake).rejected == []


@pytest.mark.slow
def test_sizes_count_rows_dates_bytes_and_quality(lake: Lake) -> None:
    before = dt.datetime.now(dt.UTC)
    records = [*day(count=20), *day(count=2), line(Quantity="x"), *day(NEXT, 1), line(InvoiceDate="?")]
    land(lake, "x.csv", sales_csv(records))
    run(lake)
    found = {size.name: size for size in sizes(lake)}
    assert [size.name for size in sizes(lake)][:3] == ["bronze.sales", "silver.sales", "quarantine.sales"]
    assert (found["bronze.sales"].rows, found["bronze.sales"].dates) == (25, 2)
    silver = found["silver.sales"]
    assert (silver.rows, silver.dates, silver.quarantined, silver.duplicates) == (21, 2, 2, 2)
    assert silver.score == 21 / 23
    assert found["quarantine.sales"].rows == 2
    assert (found["gold.daily_sales"].rows, found["gold.daily_sales"].dates) == (2, 2)
    assert (found["gold.product_performance"].rows, found["gold.product_performance"].dates) == (1, None)
    assert found["gold.daily_metrics"].dates == 2
    for name in ("bronze.sales", "silver.sales", "gold.daily_sales", "ops.ledger"):
        assert found[name].bytes > 0
        moment = found[name].updated
        assert moment is not None
        assert before - dt.timedelta(seconds=1) <= moment <= dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1)
    landed = sum(stored.size for stored in lake.store.list("landing/sales"))
    assert found["bronze.sales"].bytes == landed


@pytest.mark.slow
def test_sizes_follow_a_resend(lake: Lake) -> None:
    land(lake, "x.csv", sales_csv([*day(), *day(NEXT)]))
    run(lake)
    land(lake, "x.csv", sales_csv(day(NEXT, 1)))
    run(lake)
    found = {size.name: (size.rows, size.dates) for size in sizes(lake)}
    assert found["bronze.sales"] == found["silver.sales"] == (1, 1)
    assert found["gold.daily_sales"] == (1, 1)


@pytest.mark.slow
def test_a_rejected_object_that_was_removed_from_landing_waits_for_nobody(lake: Lake) -> None:
    land(lake, "x.csv", sales_csv())
    land(lake, "junk.csv", b"")
    run(lake)
    before = lake.ledger_of(sales(lake)).shown
    assert len(status(lake).rejected) == 1
    lake.store.delete("landing/sales/junk.csv")
    assert status(lake).rejected == []
    assert status(lake).is_idle
    assert lake.ledger_of(sales(lake)).shown.equals(before)  # it is known still
