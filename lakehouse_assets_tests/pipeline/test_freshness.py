"""Dates of a gold table that are due: there, not there, or built from older records."""

import datetime as dt
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import ContractError
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.pipeline.freshness import dated_feeds, next_due, stale_dates, zone_of
from lakehouse_assets.query.overview import status
from lakehouse_assets_tests import retail
from lakehouse_assets_tests.contracts.orders import orders
from lakehouse_assets_tests.pipeline.totals import build_one, totals
from lakehouse_assets_tests.retail import sales_csv

WITHIN = dt.timedelta(hours=8)
LONDON = ZoneInfo("Europe/London")
TODAY = dt.datetime.now(LONDON).date()


def day(back: int) -> dt.date:
    return TODAY - dt.timedelta(days=back)


def at(back: int, hour: int, minute: int = 0) -> dt.datetime:
    return dt.datetime.combine(day(back), dt.time(hour, minute), LONDON)


@pytest.mark.slow(covered=True)
def test_a_date_is_due_at_its_time_after_the_end_of_the_day(lake: Lake) -> None:
    lake, model = totals(lake, fresh_within=WITHIN)
    for back in (4, 2):
        retail.land(lake, f"{back}.csv", sales_csv(2, day(back)))
    retail.ingest(lake)
    retail.publish(lake)
    assert stale_dates(lake, model, at(1, 8)) == [
        f"gold.totals {day(2)}: not there, and was due at {day(1)} 08:00 (Europe/London)"
    ]
    build_one(lake, model)
    assert [line[:22] for line in stale_dates(lake, model, at(1, 8))] == [f"gold.totals {day(3)}"]
    assert [line[:22] for line in stale_dates(lake, model, at(0, 7, 59))] == [f"gold.totals {day(3)}"]
    assert [line[:22] for line in stale_dates(lake, model, at(0, 8))] == [
        f"gold.totals {day(3)}", f"gold.totals {day(1)}",
    ]  # fmt: skip

    # Late records reopen a date: it is stale until it is built again.
    retail.land(lake, "late.csv", sales_csv(5, day(2)))
    retail.ingest(lake)
    retail.publish(lake)
    assert f"gold.totals {day(2)}: built from older records, and was due at {day(1)} 08:00 (Europe/London)" in (
        stale_dates(lake, model, at(1, 8))
    )
    build_one(lake, model)
    assert [line[:22] for line in stale_dates(lake, model, at(1, 8))] == [f"gold.totals {day(3)}"]
    assert status(lake).stale[0].startswith(f"gold.totals {day(3)}: not there")


def test_a_day_of_which_every_feed_rests_is_not_due(lake: Lake) -> None:
    lake, model = totals(lake, fresh_within=WITHIN)
    resting = replace(lake.registry.feed("sales"), rest_days=(f"{day(1):%A}",))
    lake = replace(lake, registry=Registry([resting], [model]))
    assert stale_dates(lake, model, at(0, 8)) == []
    assert len(stale_dates(lake, model, at(1, 8))) == 1


def test_the_next_date_is_due_after_the_days_of_rest_and_the_end_of_the_period(lake: Lake) -> None:
    feed = replace(lake.registry.feed("sales"), rest_days=("Saturday", "Sunday"))
    friday = dt.date(2011, 3, 25)
    # The clocks go forward on Sunday.
    assert next_due(friday, [feed], WITHIN) == dt.datetime(2011, 3, 29, 8, tzinfo=LONDON)
    assert next_due(friday, [], WITHIN) == dt.datetime(2011, 3, 27, 8, tzinfo=dt.UTC)
    by_month = replace(feed, partition_by="month", rest_days=(), usual_rows=None)
    assert next_due(dt.date(2011, 3, 1), [by_month], WITHIN) == dt.datetime(2011, 4, 2, 8, tzinfo=LONDON)
    assert next_due(None, [feed], WITHIN) is next_due(friday, [feed], None) is None


def test_the_zone_is_that_of_the_feed_whose_day_ends_last(lake: Lake) -> None:
    lake, model = totals(lake)
    assert [feed.name for feed in dated_feeds(lake.registry, model)] == ["sales"]
    assert zone_of([orders(time_zone="Asia/Tokyo"), orders(time_zone="America/New_York")]) == "America/New_York"
    assert zone_of([]) == "UTC"


def test_it_changes_no_identity_and_has_to_be_a_time(lake: Lake) -> None:
    lake, model = totals(lake)
    assert replace(model, fresh_within=WITHIN, inventory=True).version == model.version
    wrongs: tuple[Any, ...] = (8, dt.timedelta(0), dt.timedelta(seconds=90))
    for wrong in wrongs:
        with pytest.raises(ContractError, match="is no time above 0 in whole minutes; write fresh_within="):
            replace(model, fresh_within=wrong)
    with pytest.raises(ContractError, match="fresh_within is for each date, and the table has no dates"):
        totals(lake, date=None, fresh_within=WITHIN)
