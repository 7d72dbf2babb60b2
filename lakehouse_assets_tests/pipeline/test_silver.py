"""A date is published whole or not at all: the gate, the accounting and stale inputs each stop it, and none other."""

import datetime as dt
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.pipeline.accounting import scan_accounting
from lakehouse_assets.pipeline.bronze import bronze_path
from lakehouse_assets.pipeline.pending import FeedState
from lakehouse_assets.pipeline.silver import publish as publish_parts
from lakehouse_assets.storage import delta
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.pipeline.sales_by_date import (
    accounts,
    put,
    quarantine_by_date,
    silver_by_date,
    state,
    table_versions,
)
from lakehouse_assets_tests.retail import DAY, day, ingest, land, line, publish, run, sales, sales_csv

NEXT = "2011-03-02"
BAD = [line(Quantity="x"), line(Quantity="y")]


@pytest.mark.slow
def test_a_date_is_published_and_then_nothing_is_pending(lake: Lake) -> None:
    outcomes = put(lake, "x.csv", [*day(), *day(NEXT, 2)])
    assert {partition: outcome.verdict for partition, outcome in outcomes.items()} == {
        DAY: "published",
        NEXT: "published",
    }
    assert all(outcome.passed for outcome in outcomes.values())
    assert silver_by_date(lake) == {DAY: 3, NEXT: 2}
    assert state(lake).pending == state(lake).held == []
    assert publish(lake) == {}


@pytest.mark.slow
def test_the_accounting_of_every_source_adds_up(lake: Lake) -> None:
    land(lake, "a.csv", sales_csv([*day(DAY, 20), *day(DAY, 2), BAD[0], line(InvoiceDate="?"), *day(NEXT, 1)]))
    put(lake, "b.csv", [*day(DAY, 5), line(Quantity="z", InvoiceDate=f"{NEXT} 09:00:00"), *day("2001-01-01", 1)])
    rows = accounts(lake)
    for row in rows:
        assert row["landed"] == row["valid"] + row["quarantined"] + row["duplicates"]  # type: ignore[operator]
        assert row["valid"] == row["published"] + row["held"]  # type: ignore[operator]
    assert sum(int(row["landed"]) for row in rows) == 25 + 7
    assert sum(int(row["published"]) for row in rows) == sum(silver_by_date(lake).values()) == 20
    assert sum(int(row["quarantined"]) for row in rows) == sum(quarantine_by_date(lake).values()) == 4
    assert {(row["part"], row["source_key"], row["verdict"]) for row in rows} == {
        (DAY, "a.csv", "published"), (DAY, "b.csv", "published"), (NEXT, "a.csv", "held"), (NEXT, "b.csv", "held"),
        ("undated", "a.csv", "outside"), ("2001-01-01", "b.csv", "outside"),
    }  # fmt: skip


@pytest.mark.slow
def test_a_source_whose_records_are_all_duplicates_has_its_account(lake: Lake) -> None:
    put(lake, "a.csv", day())
    put(lake, "b.csv", day(count=2))
    assert [(row["source_key"], row["valid"], row["duplicates"]) for row in accounts(lake)] == [
        ("a.csv", 3, 0), ("b.csv", 0, 2),
    ]  # fmt: skip


@pytest.mark.slow
def test_a_resend_clears_the_dates_that_it_no_longer_mentions(lake: Lake) -> None:
    land(lake, "x.csv", sales_csv([*day(DAY, 20), BAD[0], *day(NEXT, 2), line(InvoiceDate="?")]))
    run(lake)
    assert silver_by_date(lake) == {DAY: 20, NEXT: 2}
    land(lake, "x.csv", sales_csv(day(NEXT, 3)))
    outcomes = run(lake)
    assert {partition: (o.verdict, o.landed) for partition, o in outcomes.items()} == {
        DAY: ("published", 0), NEXT: ("published", 3), "undated": ("outside", 0),
    }  # fmt: skip
    assert silver_by_date(lake) == {NEXT: 3}
    assert quarantine_by_date(lake) == {}
    assert [row["part"] for row in accounts(lake)] == [NEXT]
    daily = delta.scan(lake.store, "gold/daily_sales", {}).collect()
    assert daily.select(pl.col("dt").cast(pl.String), "lines").rows() == [(NEXT, 3)]
    assert state(lake).pending == []


@pytest.mark.slow
def test_one_late_file_reopens_its_dates_only(lake: Lake) -> None:
    put(lake, "x.csv", [*day(DAY), *day(NEXT), *day("2011-03-03")])
    outcomes = put(lake, "late.csv", [line(InvoiceDate=f"{NEXT} 23:59:59")])
    assert list(outcomes) == [NEXT]
    assert silver_by_date(lake) == {DAY: 3, NEXT: 4, "2011-03-03": 3}


def test_an_alias_of_what_is_published_reopens_nothing(lake: Lake) -> None:
    put(lake, "a.csv", day())
    before = table_versions(lake)
    assert put(lake, "b.csv", day()) == {}
    assert table_versions(lake) == before


def test_undated_records_hold_no_date_back(lake: Lake) -> None:
    outcomes = put(lake, "x.csv", [*day(), *(line(InvoiceDate=f"day {at}") for at in range(50))])
    assert outcomes[DAY].verdict == "published"
    assert (outcomes["undated"].verdict, outcomes["undated"].quarantined) == ("outside", 50)
    assert outcomes["undated"].passed
    assert quarantine_by_date(lake) == {None: 50}
    assert state(lake).pending == state(lake).held == []


@pytest.mark.slow
def test_an_earlier_first_date_publishes_what_stood_outside_and_a_later_one_withdraws_it(lake: Lake) -> None:
    assert put(lake, "x.csv", day("2008-06-01", 2))["2008-06-01"].verdict == "outside"
    assert silver_by_date(lake) == {}
    earlier = replace(lake, registry=Registry([replace(sales(lake), start_date=dt.date(2008, 1, 1))], []))
    assert publish(earlier)["2008-06-01"].verdict == "published"
    assert (silver_by_date(earlier), quarantine_by_date(earlier)) == ({"2008-06-01": 2}, {})
    assert publish(lake)["2008-06-01"].verdict == "outside"
    assert (silver_by_date(lake), quarantine_by_date(lake)) == ({}, {"2008-06-01": 2})
    assert state(lake).pending == []


def _damage(lake: Lake, key: str, partition: str, rows: pl.DataFrame | None) -> bytes:
    """Replace the bronze file of a source's date by other rows, or remove it; return what it was."""
    feed = sales(lake)
    live = lake.ledger_of(feed).live.filter((pl.col("source_key") == key) & (pl.col("part") == partition))
    path = Path(lake.store.uri(bronze_path(feed, partition, live["source_hash"][0])))
    before = path.read_bytes()
    path.unlink()
    if rows is not None:
        rows.write_parquet(path)
    return before


@pytest.mark.slow
@pytest.mark.parametrize("kept", [0, 1, 5], ids=["no record", "too few", "too many"])
def test_bronze_that_differs_from_the_ledger_blocks_its_date_and_no_other(lake: Lake, kept: int) -> None:
    put(lake, "x.csv", [*day(DAY), *day(NEXT)])
    land(lake, "y.csv", sales_csv([*day(DAY, 3, Country="France"), *day(NEXT, 3, Country="France")]))
    ingest(lake)
    live = lake.ledger_of(sales(lake)).live.filter(source_key="y.csv", part=DAY)
    rows = pl.read_parquet(lake.store.uri(bronze_path(sales(lake), DAY, live["source_hash"][0])))
    before = _damage(lake, "y.csv", DAY, pl.concat([rows, rows]).head(kept))
    outcomes = publish(lake)
    assert {partition: outcome.verdict for partition, outcome in outcomes.items()} == {
        DAY: "unaccounted",
        NEXT: "published",
    }
    assert not outcomes[DAY].passed
    assert outcomes[DAY].message == (
        f"{DAY}: source y.csv has 3 records in the ledger but {kept} in bronze; `lakehouse run bronze.sales "
        f"--from {DAY} --to {DAY}` reads its landed original again. Nothing was written; the last good version stands."
    )
    assert silver_by_date(lake) == {DAY: 3, NEXT: 6}
    assert [row["part"] for row in accounts(lake)] == [DAY, NEXT, NEXT]
    assert state(lake).pending == [DAY]
    lake.store.replace(bronze_path(sales(lake), DAY, live["source_hash"][0]), before)
    assert publish(lake)[DAY].verdict == "published"
    assert silver_by_date(lake) == {DAY: 6, NEXT: 6}


@pytest.mark.slow
def test_a_bronze_file_that_is_gone_blocks_its_date_and_no_other(lake: Lake) -> None:
    put(lake, "x.csv", [*day(DAY), *day(NEXT)])
    land(lake, "y.csv", sales_csv([*day(DAY, 3, Country="France"), *day(NEXT, 3, Country="France")]))
    ingest(lake)
    _damage(lake, "y.csv", DAY, None)
    outcomes = publish(lake)
    assert {partition: outcome.verdict for partition, outcome in outcomes.items()} == {
        DAY: "unaccounted",
        NEXT: "published",
    }
    assert silver_by_date(lake) == {DAY: 3, NEXT: 6}


@pytest.mark.slow
def test_publishing_in_small_batches_gives_the_same(tmp_path: Path) -> None:
    records = [*day(DAY, 20), BAD[0], *day(NEXT, 5), line(InvoiceDate="?"), *day("2011-03-04", 2)]
    results = []
    for rows in (1, 22, 1_000):
        lake = lake_at(str(tmp_path / f"lake{rows}"), publish_batch_rows=rows)
        outcomes = put(lake, "x.csv", records)
        results.append((outcomes, silver_by_date(lake), quarantine_by_date(lake), accounts(lake)))
    assert results[0] == results[1] == results[2]


@pytest.mark.slow
def test_replaying_a_date_that_did_not_change_gives_the_same_again(lake: Lake) -> None:
    first = put(lake, "x.csv", [*day(DAY, 20), BAD[0], line(InvoiceDate="?")])
    before = (delta.scan(lake.store, "silver/sales", {}).collect(), quarantine_by_date(lake), accounts(lake))
    assert publish(lake, force=True) == first
    assert delta.scan(lake.store, "silver/sales", {}).collect().equals(before[0])
    assert (quarantine_by_date(lake), accounts(lake)) == before[1:]


def test_a_partition_that_never_was_is_not_published(lake: Lake) -> None:
    put(lake, "x.csv", day())
    assert list(publish_parts(lake, sales(lake), ["2011-12-31"], "run")) == []
    assert silver_by_date(lake) == {DAY: 3}


def test_a_change_of_the_contract_reopens_every_date(lake: Lake) -> None:
    put(lake, "x.csv", [*day(), *day(NEXT)])
    feed = replace(sales(lake), gate=0.5)
    state = FeedState.read(lake, feed, lake.ledger_of(feed))
    assert state.pending == [DAY, NEXT]


def test_who_published_is_on_record(lake: Lake) -> None:
    land(lake, "x.csv", sales_csv())
    ingest(lake)
    publish(lake, "run-7")
    assert set(scan_accounting(lake.store).collect()["run_id"]) == {"run-7"}


@pytest.mark.slow
def test_the_same_holds_on_s3(s3_lake: Lake) -> None:
    put(s3_lake, "x.csv", [*day(count=20), *day(NEXT, 2)])
    assert put(s3_lake, "x.csv", [*day(count=18), *BAD])[DAY].verdict == "held"
    assert silver_by_date(s3_lake) == {DAY: 20}
    assert quarantine_by_date(s3_lake) == {DAY: 2}
    assert put(s3_lake, "x.csv", day(count=7))[DAY].verdict == "published"
    assert silver_by_date(s3_lake) == {DAY: 7}
