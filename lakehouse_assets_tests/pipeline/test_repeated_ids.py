"""Events that are sent again on another day: a check counts them, and with a key they count once."""

import datetime as dt
from pathlib import Path
from typing import Any

import dataframely as dy
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.contracts.partitioning import Partitioning
from lakehouse_assets.orchestration.feed_checks import results
from lakehouse_assets.pipeline.repeated_ids import RepeatedIds, repeated_ids
from lakehouse_assets.query import sql
from lakehouse_assets.query.verify import verify
from lakehouse_assets_tests.pipeline.declared import feed_of, lake_of, put, stored

COLUMNS = {
    "event_id": dy.String(nullable=False),
    "event_time": dy.Datetime(time_zone="UTC", nullable=False),
    "page": dy.String(nullable=False),
}
FIRST = dt.date(2026, 3, 1)


def events(**options: Any) -> Feed:
    return feed_of(COLUMNS, **{"business_date": "event_time", "duplicates": ("event_id",)} | options)


def _event(name: str, day: int, page: str = "/") -> dict[str, Any]:
    at = dt.datetime.combine(FIRST, dt.time(12)) + dt.timedelta(days=day)
    return {"event_id": name, "event_time": f"{at}Z", "page": page}


def _found(lake: Lake, feed: Feed, *days: int) -> dict[int, int]:
    counted: RepeatedIds = repeated_ids(lake, feed, [str(FIRST + dt.timedelta(days=day)) for day in days])
    return {(date - FIRST).days: records for date, records in counted.by_date.items()}


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize("layout", [None, pytest.param(Partitioning.BY_YEAR_MONTH_DAY, marks=pytest.mark.slow)])
def test_ids_on_several_dates_are_counted_near_the_dates_that_are_asked_for(
    tmp_path: Path, layout: Partitioning | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lakehouse_assets.pipeline.repeated_ids._DATES_AT_ONCE", 3)
    lake = lake_of(tmp_path, feed := events(partitioning=layout))
    assert _found(lake, feed, 0) == {}
    put(lake, {"a.json": [_event("x", 0), _event("y", 0), _event("z", 0)]})
    put(lake, {"b.json": [_event("x", 1), _event("y", 1), _event("new", 1)], "c.json": [_event("x", 8)]})
    assert _found(lake, feed, 0) == {1: 2}
    assert _found(lake, feed, 1) == {1: 2, 8: 1}
    assert _found(lake, feed, 8) == {8: 1}
    assert _found(lake, feed, 0, 1, 8) == {1: 2, 8: 1}
    assert _found(lake, feed, 20) == {}
    assert len(stored(lake, "silver", "event_id")) == 7


@pytest.mark.slow(covered=True)
def test_months_are_compared_with_their_neighbours(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, feed := events(partition_by="month", gate=0.5))
    put(lake, {"a.json": [_event("x", 0), _event("x", 32), _event("y", 2), _event("y", 3, "/other")]})
    assert _found(lake, feed, 0) == {31: 1}


@pytest.mark.slow(covered=True)
def test_the_check_of_silver_warns_with_figures_and_no_id(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, feed := events())
    outcomes = list(put(lake, {"a.json": [_event("secret", 0), _event("b", 1)]}).values())
    checks = {result.check_name: result for result in results(lake, feed, outcomes)}
    assert checks["ids_on_several_dates"].passed
    outcomes = list(put(lake, {"again.json": [_event("secret", 1)]}).values())
    check = {result.check_name: result for result in results(lake, feed, outcomes)}["ids_on_several_dates"]
    assert (check.passed, check.severity.value) == (False, "WARN")
    said = (
        "1 id (event_id) published on more than one date: on 2 dates, such as 2026-03-01 and 2026-03-02. The records of"
    )
    assert check.description is not None
    assert check.description.startswith(said)
    assert "secret" not in check.description


@pytest.mark.slow(covered=True)
def test_with_a_key_an_event_that_is_sent_again_the_next_day_counts_once(tmp_path: Path) -> None:
    keyed = events(business_date=None, duplicates="drop", key=("event_id",), versioned_by="event_time", buckets=4)
    lake = lake_of(tmp_path, keyed)
    put(lake, {"1.json": [_event(f"e{at}", 0) for at in range(9)]})
    put(lake, {"2.json": [_event("e3", 1), _event("e4", 0), _event("e5", 1, "/other"), _event("e9", 1)]})
    days = "SELECT event_time::DATE, count(*) FROM silver.things GROUP BY ALL ORDER BY ALL"
    assert sql.run(lake, days).rows == [(FIRST, 8), (FIRST + dt.timedelta(days=1), 2)]
    again = (
        "SELECT event_id, list(page ORDER BY valid_from) FROM silver.things_history GROUP BY ALL HAVING count(*) > 1"
    )
    assert sql.run(lake, again).rows == [("e5", ["/", "/other"])]
    assert list(verify(lake)) == []
