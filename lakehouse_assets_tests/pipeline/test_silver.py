"""A date is published whole or not at all: the gate, the accounting and stale inputs each stop it, and none other."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.pipeline.accounting import scan_accounting
from lakehouse_assets.pipeline.bronze import bronze_path
from lakehouse_assets.pipeline.gate import Outcome
from lakehouse_assets.pipeline.pending import FeedState, ModelState
from lakehouse_assets.pipeline.silver import publish as publish_parts
from lakehouse_assets.storage import delta
from lakehouse_assets_tests.conftest import copied, lake_at
from lakehouse_assets_tests.retail import DAY, Record, build, day, ingest, land, line, publish, run, sales, sales_csv

NEXT = "2011-03-02"
BAD = [line(Quantity="x"), line(Quantity="y")]


def _put(lake: Lake, key: str, records: Sequence[Record]) -> dict[str, Outcome]:
    land(lake, key, sales_csv(records))
    ingest(lake)
    return publish(lake)


def _silver(lake: Lake) -> dict[str, int]:
    """Published records by date."""
    frame = delta.scan(lake.store, "silver/sales", {"dt": pl.Date()})
    return dict(frame.group_by(pl.col("dt").cast(pl.String)).len().collect().sort("dt").iter_rows())


def _quarantine(lake: Lake) -> dict[str | None, int]:
    frame = delta.scan(lake.store, "quarantine/sales", {"dt": pl.Date()})
    return dict(frame.group_by(pl.col("dt").cast(pl.String)).len().collect().iter_rows())


def _accounts(lake: Lake) -> list[dict[str, int | str]]:
    columns = ["part", "source_key", "landed", "valid", "quarantined", "duplicates", "published", "held", "verdict"]
    return scan_accounting(lake.store).select(columns).sort("part", "source_key").collect().rows(named=True)


def _state(lake: Lake) -> FeedState:
    feed = sales(lake)
    return FeedState.read(lake, feed, lake.ledger_of(feed))


def _versions(lake: Lake) -> dict[str, int]:
    from deltalake import DeltaTable

    names = ("silver/sales", "quarantine/sales", "ops/accounting")
    return {name: DeltaTable(lake.store.uri(name)).version() for name in names}


def test_a_date_is_published_and_then_nothing_is_pending(lake: Lake) -> None:
    outcomes = _put(lake, "x.csv", [*day(), *day(NEXT, 2)])
    assert {partition: outcome.verdict for partition, outcome in outcomes.items()} == {
        DAY: "published",
        NEXT: "published",
    }
    assert all(outcome.passed for outcome in outcomes.values())
    assert _silver(lake) == {DAY: 3, NEXT: 2}
    assert _state(lake).pending == _state(lake).held == []
    assert publish(lake) == {}


def test_a_date_at_the_gate_passes_and_one_below_is_held(lake: Lake) -> None:
    at, below = [*day(DAY, 19), BAD[0]], [*day(NEXT, 18), line(Quantity="x", InvoiceDate=f"{NEXT} 09:00:00")]
    outcomes = _put(lake, "x.csv", [*at, *below])
    assert (outcomes[DAY].score, outcomes[DAY].verdict) == (0.95, "published")
    assert (outcomes[NEXT].score, outcomes[NEXT].verdict) == (18 / 19, "held")
    assert not outcomes[NEXT].passed
    assert _silver(lake) == {DAY: 19}


@pytest.fixture(scope="module")
def held_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake whose date was published with 20 records, then resent with 2 bad ones of 20. Read only."""
    lake = lake_at(str(tmp_path_factory.mktemp("held") / "lake"))
    _put(lake, "x.csv", day(count=20))
    build(lake)
    outcome = _put(lake, "x.csv", [*day(count=18, Description="RESENT"), *BAD])[DAY]
    assert (outcome.verdict, outcome.score) == ("held", 0.9)
    return lake


@pytest.fixture
def held(held_lake: Lake, tmp_path: Path) -> Lake:
    """A copy of that lake."""
    return copied(held_lake, tmp_path / "lake")


def test_a_held_date_leaves_the_published_version_as_it_was(held: Lake) -> None:
    published = delta.scan(held.store, "silver/sales", {}).collect()
    assert published.height == 20
    assert "RESENT" not in published["description"].to_list()


def test_the_failing_records_of_a_held_date_show_in_quarantine_and_its_valid_ones_are_counted_as_held(
    held: Lake,
) -> None:
    rows = delta.scan(held.store, "quarantine/sales", {}).collect()
    assert rows["rules"].to_list() == [["quantity_readable"]] * 2
    assert _accounts(held) == [
        {
            "part": DAY, "source_key": "x.csv", "landed": 20, "valid": 18, "quarantined": 2, "duplicates": 0,
            "published": 0, "held": 18, "verdict": "held",
        }
    ]  # fmt: skip


def test_a_held_date_is_not_computed_again_and_not_pending_downstream(held: Lake) -> None:
    assert _state(held).held == [DAY]
    assert _state(held).pending == []
    before = _versions(held)
    assert publish(held) == {}
    assert _versions(held) == before
    # What quarantine holds of it is counted; nothing that reads silver has anything to do.
    pending = {model.name for model in held.registry.models.values() if ModelState.read(held, model).pending}
    assert pending == {"quarantine_by_rule"}


def test_a_held_date_says_what_and_why_and_what_to_do(held: Lake) -> None:
    message = publish(held, force=True)[DAY].message
    assert message == (
        f"{DAY}: quality score 0.9000 is below the gate 0.9500 (2 of 20 records break the contract). The published "
        "version stands. `lakehouse quarantine list --feed sales --date 2011-03-01` lists them; land corrected "
        "records, or correct the contract, and run again."
    )


def test_corrected_records_release_a_held_date(held: Lake) -> None:
    outcome = _put(held, "x.csv", day(count=25, Description="FIXED"))[DAY]
    assert outcome.verdict == "published"
    assert set(delta.scan(held.store, "silver/sales", {}).collect()["description"]) == {"FIXED"}
    assert _silver(held) == {DAY: 25}
    assert _quarantine(held) == {}
    assert _state(held).held == []


def test_a_further_file_can_lift_a_held_date_over_the_gate(held: Lake) -> None:
    outcome = _put(held, "y.csv", day(count=30, InvoiceNo="999999"))[DAY]
    assert (outcome.verdict, outcome.valid, outcome.quarantined) == ("published", 48, 2)
    assert _silver(held) == {DAY: 48}


def test_the_version_before_landed_again_is_the_published_one_again(held: Lake) -> None:
    _put(held, "x.csv", day(count=20))
    assert _state(held).held == _state(held).pending == []
    assert _silver(held) == {DAY: 20}
    assert _quarantine(held) == {}


def test_a_looser_gate_releases_a_held_date(held: Lake) -> None:
    feed = replace(sales(held), gate=0.9)
    looser = replace(held, registry=Registry([feed], list(held.registry.models.values())))
    assert FeedState.read(looser, feed, looser.ledger_of(feed)).pending == [DAY]
    assert publish(looser)[DAY].verdict == "published"
    assert _silver(held) == {DAY: 18}


def test_the_accounting_of_every_source_adds_up(lake: Lake) -> None:
    land(lake, "a.csv", sales_csv([*day(DAY, 20), *day(DAY, 2), BAD[0], line(InvoiceDate="?"), *day(NEXT, 1)]))
    _put(lake, "b.csv", [*day(DAY, 5), line(Quantity="z", InvoiceDate=f"{NEXT} 09:00:00"), *day("2001-01-01", 1)])
    rows = _accounts(lake)
    for row in rows:
        assert row["landed"] == row["valid"] + row["quarantined"] + row["duplicates"]  # type: ignore[operator]
        assert row["valid"] == row["published"] + row["held"]  # type: ignore[operator]
    assert sum(int(row["landed"]) for row in rows) == 25 + 7
    assert sum(int(row["published"]) for row in rows) == sum(_silver(lake).values()) == 20
    assert sum(int(row["quarantined"]) for row in rows) == sum(_quarantine(lake).values()) == 4
    assert {(row["part"], row["source_key"], row["verdict"]) for row in rows} == {
        (DAY, "a.csv", "published"), (DAY, "b.csv", "published"), (NEXT, "a.csv", "held"), (NEXT, "b.csv", "held"),
        ("undated", "a.csv", "outside"), ("2001-01-01", "b.csv", "outside"),
    }  # fmt: skip


def test_a_source_whose_records_are_all_duplicates_has_its_account(lake: Lake) -> None:
    _put(lake, "a.csv", day())
    _put(lake, "b.csv", day(count=2))
    assert [(row["source_key"], row["valid"], row["duplicates"]) for row in _accounts(lake)] == [
        ("a.csv", 3, 0), ("b.csv", 0, 2),
    ]  # fmt: skip


@pytest.mark.slow
def test_a_resend_clears_the_dates_that_it_no_longer_mentions(lake: Lake) -> None:
    land(lake, "x.csv", sales_csv([*day(DAY, 20), BAD[0], *day(NEXT, 2), line(InvoiceDate="?")]))
    run(lake)
    assert _silver(lake) == {DAY: 20, NEXT: 2}
    land(lake, "x.csv", sales_csv(day(NEXT, 3)))
    outcomes = run(lake)
    assert {partition: (o.verdict, o.landed) for partition, o in outcomes.items()} == {
        DAY: ("published", 0), NEXT: ("published", 3), "undated": ("outside", 0),
    }  # fmt: skip
    assert _silver(lake) == {NEXT: 3}
    assert _quarantine(lake) == {}
    assert [row["part"] for row in _accounts(lake)] == [NEXT]
    daily = delta.scan(lake.store, "gold/daily_sales", {}).collect()
    assert daily.select(pl.col("dt").cast(pl.String), "lines").rows() == [(NEXT, 3)]
    assert _state(lake).pending == []


def test_one_late_file_reopens_its_dates_only(lake: Lake) -> None:
    _put(lake, "x.csv", [*day(DAY), *day(NEXT), *day("2011-03-03")])
    outcomes = _put(lake, "late.csv", [line(InvoiceDate=f"{NEXT} 23:59:59")])
    assert list(outcomes) == [NEXT]
    assert _silver(lake) == {DAY: 3, NEXT: 4, "2011-03-03": 3}


def test_an_alias_of_what_is_published_reopens_nothing(lake: Lake) -> None:
    _put(lake, "a.csv", day())
    before = _versions(lake)
    assert _put(lake, "b.csv", day()) == {}
    assert _versions(lake) == before


def test_undated_records_hold_no_date_back(lake: Lake) -> None:
    outcomes = _put(lake, "x.csv", [*day(), *(line(InvoiceDate=f"day {at}") for at in range(50))])
    assert outcomes[DAY].verdict == "published"
    assert (outcomes["undated"].verdict, outcomes["undated"].quarantined) == ("outside", 50)
    assert outcomes["undated"].passed
    assert _quarantine(lake) == {None: 50}
    assert _state(lake).pending == _state(lake).held == []


def test_an_earlier_first_date_publishes_what_stood_outside_and_a_later_one_withdraws_it(lake: Lake) -> None:
    assert _put(lake, "x.csv", day("2008-06-01", 2))["2008-06-01"].verdict == "outside"
    assert _silver(lake) == {}
    earlier = replace(lake, registry=Registry([replace(sales(lake), start_date=dt.date(2008, 1, 1))], []))
    assert publish(earlier)["2008-06-01"].verdict == "published"
    assert (_silver(earlier), _quarantine(earlier)) == ({"2008-06-01": 2}, {})
    assert publish(lake)["2008-06-01"].verdict == "outside"
    assert (_silver(lake), _quarantine(lake)) == ({}, {"2008-06-01": 2})
    assert _state(lake).pending == []


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


@pytest.mark.parametrize("kept", [0, 1, 5], ids=["no record", "too few", "too many"])
def test_bronze_that_differs_from_the_ledger_blocks_its_date_and_no_other(lake: Lake, kept: int) -> None:
    _put(lake, "x.csv", [*day(DAY), *day(NEXT)])
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
    assert _silver(lake) == {DAY: 3, NEXT: 6}
    assert [row["part"] for row in _accounts(lake)] == [DAY, NEXT, NEXT]
    assert _state(lake).pending == [DAY]
    lake.store.replace(bronze_path(sales(lake), DAY, live["source_hash"][0]), before)
    assert publish(lake)[DAY].verdict == "published"
    assert _silver(lake) == {DAY: 6, NEXT: 6}


def test_a_bronze_file_that_is_gone_blocks_its_date_and_no_other(lake: Lake) -> None:
    _put(lake, "x.csv", [*day(DAY), *day(NEXT)])
    land(lake, "y.csv", sales_csv([*day(DAY, 3, Country="France"), *day(NEXT, 3, Country="France")]))
    ingest(lake)
    _damage(lake, "y.csv", DAY, None)
    outcomes = publish(lake)
    assert {partition: outcome.verdict for partition, outcome in outcomes.items()} == {
        DAY: "unaccounted",
        NEXT: "published",
    }
    assert _silver(lake) == {DAY: 3, NEXT: 6}


@pytest.mark.slow
def test_publishing_in_small_batches_gives_the_same(tmp_path: Path) -> None:
    records = [*day(DAY, 20), BAD[0], *day(NEXT, 5), line(InvoiceDate="?"), *day("2011-03-04", 2)]
    results = []
    for rows in (1, 22, 1_000):
        lake = lake_at(str(tmp_path / f"lake{rows}"), publish_batch_rows=rows)
        outcomes = _put(lake, "x.csv", records)
        results.append((outcomes, _silver(lake), _quarantine(lake), _accounts(lake)))
    assert results[0] == results[1] == results[2]


def test_replaying_a_date_that_did_not_change_gives_the_same_again(lake: Lake) -> None:
    first = _put(lake, "x.csv", [*day(DAY, 20), BAD[0], line(InvoiceDate="?")])
    before = (delta.scan(lake.store, "silver/sales", {}).collect(), _quarantine(lake), _accounts(lake))
    assert publish(lake, force=True) == first
    assert delta.scan(lake.store, "silver/sales", {}).collect().equals(before[0])
    assert (_quarantine(lake), _accounts(lake)) == before[1:]


def test_a_partition_that_never_was_is_not_published(lake: Lake) -> None:
    _put(lake, "x.csv", day())
    assert list(publish_parts(lake, sales(lake), ["2011-12-31"], "run")) == []
    assert _silver(lake) == {DAY: 3}


def test_a_change_of_the_contract_reopens_every_date(lake: Lake) -> None:
    _put(lake, "x.csv", [*day(), *day(NEXT)])
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
    _put(s3_lake, "x.csv", [*day(count=20), *day(NEXT, 2)])
    assert _put(s3_lake, "x.csv", [*day(count=18), *BAD])[DAY].verdict == "held"
    assert _silver(s3_lake) == {DAY: 20}
    assert _quarantine(s3_lake) == {DAY: 2}
    assert _put(s3_lake, "x.csv", day(count=7))[DAY].verdict == "published"
    assert _silver(s3_lake) == {DAY: 7}
