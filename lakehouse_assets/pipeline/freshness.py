"""Dates of gold tables that are not there, or not up to date, when they are due: `Model(fresh_within=...)`.

Dagster's freshness policies know when an asset was materialized last, whichever date it was. Here each date counts.
Not here: who is told.
"""

import datetime as dt
import zoneinfo
from collections.abc import Iterator

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed, Model
from lakehouse_assets.contracts.partitioning import as_date
from lakehouse_assets.contracts.periods import first_day, last_day
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.pipeline.closed_days import is_expected, last_days, moment
from lakehouse_assets.pipeline.pending import ModelState


def stale_dates(lake: Lake, model: Model, now: dt.datetime | None = None) -> list[str]:
    """Return a line for each date of the last two weeks that is due and not there, or built from older inputs."""
    if model.fresh_within is None:
        return []
    feeds = dated_feeds(lake.registry, model)
    zone = zoneinfo.ZoneInfo(zone_of(feeds))
    at = (now or dt.datetime.now(dt.UTC)).astimezone(zone)
    last = (at.replace(tzinfo=None) - model.fresh_within).date() - dt.timedelta(days=1)
    state = ModelState.read(lake, model)
    period = feeds[0].partition_by if feeds else "day"
    known = [date for part in state.built if (date := as_date(part))]
    days = reversed(last_days(last, known, feeds))
    return list(_lines(state, {str(first_day(day, period)): _due(day, feeds, model.fresh_within) for day in days}))


def _lines(state: ModelState, due: dict[str, dt.datetime]) -> Iterator[str]:
    name = state.model.table.full_name
    for partition, by in sorted(due.items()):
        if partition not in state.built:
            yield f"{name} {partition}: not there, and was due at {moment(by)}"
        elif partition in state.inputs and state.is_pending(partition):
            yield f"{name} {partition}: built from older records, and was due at {moment(by)}"


def next_due(newest: dt.date | None, feeds: list[Feed], within: dt.timedelta | None) -> dt.datetime | None:
    """Return when the first date after the newest one is due; None without a newest one or a limit.

    Args:
        feeds: What the dates come from. A date on which all of them rest is not due.
        within: How long after the end of a date it has to be there.
    """
    if newest is None or within is None:
        return None
    last = last_day(newest, feeds[0].partition_by if feeds else "day")
    following = (last + dt.timedelta(days=ahead) for ahead in range(1, 8))
    day = next((day for day in following if is_expected(day, feeds)), None)
    return None if day is None else _due(day, feeds, within)


def _due(day: dt.date, feeds: list[Feed], within: dt.timedelta) -> dt.datetime:
    zone = zoneinfo.ZoneInfo(zone_of(feeds))
    return dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), zone) + within


def dated_feeds(registry: Registry, model: Model) -> list[Feed]:
    """Return the feeds with dates that a model is built from, whatever models are between, sorted by name."""
    owners = {table.full_name: feed for feed in registry.feeds.values() for table in feed.tables}
    found: dict[str, Feed] = {}
    waiting = list(model.upstream)
    while waiting:
        name = waiting.pop()
        if (feed := owners.get(name)) is not None:
            found |= {feed.name: feed} if feed.business_date else {}
        else:
            waiting += registry.models[name.partition(".")[2]].upstream
    return [found[name] for name in sorted(found)]


def zone_of(feeds: list[Feed]) -> str:
    """Return the zone in which a business day of some feeds ends last; UTC without any."""
    day = dt.datetime(2026, 1, 1)  # noqa: DTZ001 - the zone is what is asked for
    zones = sorted({feed.time_zone for feed in feeds} or {"UTC"})
    return max(zones, key=lambda zone: day.replace(tzinfo=zoneinfo.ZoneInfo(zone)))
