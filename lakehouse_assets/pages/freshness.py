"""How fresh each feed and table of the page is: its newest date, when it was written, what is late, what is due next.

What is late is found when the page is made; the page compares what is due next with the clock of whoever reads it.
Not here: what late means, which `pipeline.freshness` and `pipeline.closed_days` say.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed, Model
from lakehouse_assets.contracts.partitioning import as_date
from lakehouse_assets.pipeline.closed_days import closed_days
from lakehouse_assets.pipeline.freshness import dated_feeds, next_due, stale_dates
from lakehouse_assets.storage import delta, delta_files, delta_log


def read(lake: Lake, models: Iterable[Model], now: dt.datetime) -> Mapping[str, Any]:
    """Return a row for each feed and for each of some gold tables."""
    rows = [_of_feed(lake, feed, now) for feed in lake.registry.feeds.values()]
    rows += [_of_model(lake, model, now) for model in models]
    return {"made": f"{now.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC", "rows": rows}


def _of_feed(lake: Lake, feed: Feed, now: dt.datetime) -> dict[str, Any]:
    found = lake.counting(feed).summary
    known = [partition for partition, rows in found.partitions.items() if rows]
    newest = _newest(set(known) - lake.outside(feed, known))
    close = feed.daily_close
    within = None if close is None else dt.timedelta(hours=close.hour, minutes=close.minute, seconds=close.second)
    missing = [day.message for day in closed_days(lake, feed, now) if day.is_missing]
    return {
        "table": feed.silver.full_name,
        "newest": newest and str(newest),
        "written": found.updated,
        **_limit(within, next_due(newest, [feed], within), missing),
    }


def _of_model(lake: Lake, model: Model, now: dt.datetime) -> dict[str, Any]:
    store, path, within = lake.store, model.table.path, model.fresh_within
    newest = _newest(partition for partition, value in delta_log.read(store, path).transactions.items() if value)
    written = delta_files.files(store, path)["modification_time"].max() if delta.exists(store, path) else None
    return {
        "table": model.table.full_name,
        "newest": newest and str(newest),
        "written": written.isoformat() if isinstance(written, dt.datetime) else None,
        **_limit(within, next_due(newest, dated_feeds(lake.registry, model), within), stale_dates(lake, model, now)),
    }


def _newest(partitions: Iterable[str]) -> dt.date | None:
    return max((date for partition in partitions if (date := as_date(partition))), default=None)


def _limit(within: dt.timedelta | None, due: dt.datetime | None, late: list[str]) -> dict[str, str | None]:
    """Return what is due next and what is late by a declared limit; the last of several stands for all."""
    said = "no limit is declared" if within is None else "nothing"
    if late:
        said = late[-1] + (f" (and {len(late) - 1} more: lakehouse status)" if len(late) > 1 else "")
    return {"due": None if due is None else due.isoformat(), "late": said}
