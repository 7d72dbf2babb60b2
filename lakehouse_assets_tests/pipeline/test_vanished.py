"""Published records that vanish though their file is live are told; those that a file or a person takes out are not."""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.decisions import kinds, recorded
from lakehouse_assets.operations.decision_commands import discard, revoke
from lakehouse_assets.orchestration.runner import Report
from lakehouse_assets.query.overview import status
from lakehouse_assets_tests.contracts.orders import orders
from lakehouse_assets_tests.retail import ingest, land, publish

DAY = "2011-03-01"
LATER = dt.date(2011, 6, 1)


def _with(lake: Lake, rule: pl.Expr | None = None, **options: Any) -> Lake:
    return replace(lake, registry=Registry([orders(rule, **{"gate": 0.1, **options})], []))


def _file(*lines: str) -> bytes:
    return "\n".join(["Number,Code,Units,At,Price", *lines, ""]).encode()


def _order(number: int, units: int | str = 2, day: str = "01/03/2011") -> str:
    return f"{number},a,{units},{day},1.50"


def _put(lake: Lake, key: str, *lines: str) -> int:
    """Land a file and publish; return the records of the day that vanished."""
    land(lake, key, _file(*lines), "orders")
    ingest(lake, feed="orders")
    return _publish(lake)


def _publish(lake: Lake) -> int:
    outcomes = publish(lake, feed="orders")
    return outcomes[DAY].vanished


@pytest.fixture
def published(lake: Lake) -> Lake:
    """A lake with three published orders of a day, in one file, and a bad one."""
    lake = _with(lake)
    assert _put(lake, "x.csv", _order(1), _order(2), _order(3, 500), _order(4, "x")) == 0
    return lake


@pytest.mark.slow
def test_a_first_date_that_moves_past_a_published_date_is_told(published: Lake) -> None:
    assert _publish(_with(published, start_date=LATER)) == 3


@pytest.mark.slow
def test_a_rule_that_published_records_break_is_told(published: Lake) -> None:
    assert _publish(_with(published, pl.col("units") < 100)) == 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::dagster.BetaWarning")
def test_run_names_what_vanished(published: Lake, run_of: Callable[[Lake], Report]) -> None:
    [line] = run_of(_with(published, start_date=LATER)).failures
    assert line.startswith(f"silver.orders: {DAY}: 3 published records left for quarantine")
    assert "is no longer a business date" in line
    assert run_of(_with(published, start_date=LATER)).failures == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "lines",
    [[_order(1)], [_order(1), _order(2), _order(3, "y")], [_order(1)] * 3, [_order(9, 2, "02/03/2011")]],
    ids=["fewer", "broken", "repeated", "another date"],
)
def test_what_a_new_version_of_the_file_leaves_out_is_not_told(published: Lake, lines: list[str]) -> None:
    assert _put(published, "x.csv", *lines) == 0


def _told(lake: Lake) -> list[str]:
    return status(lake).vanished


@pytest.mark.slow
def test_status_names_what_vanished_until_it_is_back(published: Lake) -> None:
    stricter = _with(published, pl.col("units") < 100)
    assert _told(published) == []
    _publish(stricter)
    [line] = _told(stricter)
    assert line.startswith(f"silver.orders {DAY}: 1 record that had been published, of files that are still live")
    publish(stricter, feed="orders", force=True)
    assert _put(stricter, "late.csv", _order(7), _order(8)) == 0
    assert _told(stricter) == [line]
    _publish(_with(published, pl.col("units") < 3))
    assert _told(stricter) == [line]
    _publish(_with(published, start_date=LATER))
    assert "5 records that had been published" in _told(stricter)[0]
    _publish(published)
    assert _told(published) == []


@pytest.mark.slow
@pytest.mark.parametrize("way", ["another version", "discarded"])
def test_status_no_longer_names_what_has_an_explanation(published: Lake, way: str) -> None:
    stricter = _with(published, pl.col("units") < 100)
    _publish(stricter)
    if way == "discarded":
        recorded.record(stricter.store, discard(stricter, stricter.registry.feed("orders"), "x.csv", 3, "why", "ann"))
        _publish(stricter)
    else:
        _put(stricter, "x.csv", _order(1), _order(2))
    assert _told(stricter) == []


@pytest.mark.slow
def test_a_record_that_becomes_a_duplicate_is_not_told(published: Lake) -> None:
    assert _put(published, "a.csv", _order(1), _order(2)) == 0


@pytest.mark.slow
def test_what_a_person_decided_is_not_told(published: Lake) -> None:
    feed = published.registry.feed("orders")
    gone = discard(published, feed, "x.csv", 1, "why", "ann")
    about = {"source_key": "x.csv", "source_hash": gone.source_hash, "line": 3, "partition": DAY}
    taken = kinds.new(kinds.Waive, "orders", "why", "ann", rules=("few",), **about)
    for decision in (gone, taken):
        recorded.record(published.store, decision)
    assert _publish(published) == 0
    stricter = _with(published, pl.col("units") < 100)
    assert _publish(stricter) == 0  # the waived record stays
    recorded.record(published.store, revoke(stricter, "orders", taken.id, "why", "ann"))
    assert _publish(stricter) == 0
