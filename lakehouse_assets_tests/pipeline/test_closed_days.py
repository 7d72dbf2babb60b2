"""Days that a daily close declares complete: what came by then, what came later, and what did not come."""

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import ContractError, Feed
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.ledger import entries
from lakehouse_assets.ledger import ledger as ledgers
from lakehouse_assets.pipeline.closed_days import WINDOW, ClosedDay, closed_days
from lakehouse_assets.query.overview import status
from lakehouse_assets_tests import customers, retail
from lakehouse_assets_tests.retail import sales, sales_csv

LONDON = ZoneInfo("Europe/London")
NOW = dt.datetime.now(LONDON)
CLOSE = (NOW + dt.timedelta(hours=12)).time().replace(second=0, microsecond=0)
TODAY = (NOW - dt.timedelta(hours=12)).date()
"""The day whose close comes next, in twelve hours: whatever time it is, no close passes while the tests run."""
LATER = NOW + dt.timedelta(days=3)
"""Until then, what the tests ingest now was on time for today, and late for the days before."""


def day(back: int) -> dt.date:
    return TODAY - dt.timedelta(days=back)


def closing(lake: Lake, **options: object) -> tuple[Lake, Feed]:
    feed = replace(sales(lake), daily_close=CLOSE, **options)  # type: ignore[arg-type]
    return replace(lake, registry=Registry([feed], [])), feed


def came(lake: Lake, **files: bytes) -> None:
    for name, data in files.items():
        retail.land(lake, f"{name}.csv", data)
        retail.ingest(lake)


def counts(days: list[ClosedDay]) -> dict[dt.date, tuple[int, int]]:
    return {one.day: (one.on_time, one.late) for one in days}


@pytest.fixture(params=[100_000, -1], ids=["entries in memory", "large ledger"])
def _ledger(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledgers, "_ENTRIES_IN_MEMORY", request.param)


@pytest.mark.slow(covered=True)
@pytest.mark.usefixtures("_ledger")
def test_each_day_has_what_came_by_its_close_and_what_came_later(lake: Lake) -> None:
    lake, feed = closing(lake)
    came(lake, first=sales_csv(2, day(2)), second=sales_csv(3, day(0)))
    found = counts(closed_days(lake, feed, dt.datetime.combine(day(-3), CLOSE, LONDON)))
    assert found == {day(2): (0, 2), day(1): (0, 0), day(0): (3, 0), day(-1): (0, 0), day(-2): (0, 0)}
    missing = [one.day for one in closed_days(lake, feed, LATER) if one.is_missing]
    assert missing[0] == day(1)
    # It comes after all.
    came(lake, third=sales_csv(4, day(1)))
    assert counts(closed_days(lake, feed, LATER))[day(1)] == (0, 4)


@pytest.mark.slow(covered=True)
def test_a_resend_after_the_close_is_late_and_the_same_bytes_again_are_not(lake: Lake) -> None:
    lake, feed = closing(lake)
    came(lake, today=sales_csv(2, day(0)), copy=sales_csv(2, day(0)))
    assert counts(closed_days(lake, feed, LATER))[day(0)] == (2, 0)
    came(lake, earlier=sales_csv(2, day(3)))
    came(lake, earlier=sales_csv(5, day(3)))
    assert counts(closed_days(lake, feed, LATER))[day(3)] == (0, 5)


def test_reading_the_same_bytes_anew_is_not_late(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake, feed = closing(lake)
    came(lake, today=sales_csv(2, day(0)))
    before = closed_days(lake, feed, LATER)
    rows = entries.rows_of

    def a_week_later(*given: object) -> list[dict[str, object]]:
        found = list(rows(*given))  # type: ignore[arg-type]
        return [row | {"ingested_at": LATER.astimezone(dt.UTC) + dt.timedelta(days=7)} for row in found]

    monkeypatch.setattr(ledgers, "rows_of", a_week_later)
    other = replace(feed, time_zone="Europe/Paris")
    read_anew = replace(lake, registry=Registry([other], []))
    retail.ingest(read_anew)
    assert lake.ledger_of(feed).last_version == 2
    assert closed_days(lake, feed, LATER) == before


def test_the_day_before_closes_at_the_minute(lake: Lake) -> None:
    lake, feed = closing(lake)
    came(lake, first=sales_csv(1, day(5)))
    at = dt.datetime.combine(day(1), CLOSE, LONDON)
    before = closed_days(lake, feed, at - dt.timedelta(seconds=1))
    assert before[-1].day == day(3)
    assert closed_days(lake, feed, at)[-1] == ClosedDay("sales", day(2), at, 0, 0)


def test_two_weeks_are_looked_at_from_the_first_day_that_came_without_days_of_rest(lake: Lake) -> None:
    lake, feed = closing(lake)
    later = dt.datetime.combine(TODAY, CLOSE, LONDON)
    assert len(closed_days(lake, feed, later)) == 1, "of a feed of which nothing ever came"
    assert closed_days(lake, replace(feed, rest_days=(f"{day(1):%A}",)), later) == []
    came(lake, old=sales_csv(1, day(400)))
    assert [one.day for one in closed_days(lake, feed, later)] == [day(back) for back in range(WINDOW, 0, -1)]
    resting = replace(feed, rest_days=("Saturday", "Sunday"))
    assert [one.day for one in closed_days(lake, resting, later)] == [
        day(back) for back in range(WINDOW, 0, -1) if day(back).isoweekday() <= 5
    ]


def test_of_a_feed_whose_partitions_are_no_days_an_object_has_to_come(tmp_path: Path) -> None:
    lake = customers.lake_of(str(tmp_path / "lake"), customers.feed(daily_close=CLOSE, time_zone="Europe/London"))
    feed = lake.registry.feed("customers")
    last = closed_days(lake, feed, NOW)
    assert [one.is_missing for one in last] == [True]
    customers.land(lake, "a.csv", [customers.ANNA])
    retail.ingest(lake, feed="customers")
    [now] = closed_days(lake, feed, NOW + dt.timedelta(minutes=1))
    assert (now.on_time, now.late, now.unit) == (0, 1, "object")
    [tomorrow] = closed_days(lake, feed, now.closed_at + dt.timedelta(days=1))
    assert (tomorrow.on_time, tomorrow.late) == (1, 0)
    assert closed_days(lake, feed, LATER)[0].is_missing


def test_status_names_what_is_missing_and_what_came_late(lake: Lake) -> None:
    lake, feed = closing(lake)
    came(lake, first=sales_csv(2, day(4)))
    found = status(lake)
    assert found.late == [
        f"sales {day(4)}: 2 records ingested after the daily close at {day(3)} {CLOSE:%H:%M} (Europe/London)"
    ]
    assert found.missing[0] == (
        f"sales {day(3)}: nothing was ingested by the daily close at {day(2)} {CLOSE:%H:%M} (Europe/London), or since"
    )
    assert closed_days(lake, replace(feed, daily_close=None)) == []


def test_days_of_rest_change_no_identity_and_are_days_of_the_week(lake: Lake) -> None:
    feed = sales(lake)
    other = replace(feed, daily_close=CLOSE, rest_days=("Saturday",), inventory=True)
    assert (other.version, other.reading_version) == (feed.version, feed.reading_version)
    wrongs: tuple[Any, ...] = (("Caturday",), "Saturday", tuple(f"{day(back):%A}" for back in range(7)))
    for wrong in wrongs:
        with pytest.raises(ContractError, match="is no tuple of some days of the week; write rest_days="):
            replace(feed, rest_days=wrong)
