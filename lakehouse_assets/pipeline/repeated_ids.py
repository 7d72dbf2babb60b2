"""Ids that published records of several dates have: an id is unique within its date, so such records count on each.

Reads silver only, near the dates that are asked for. Not here: repeats within one date (`repeats`).
"""

import datetime as dt
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.contracts.partitioning import as_date
from lakehouse_assets.contracts.periods import Period
from lakehouse_assets.storage import delta

DAYS: dict[Period, int] = {"day": 7, "month": 31, "year": 366}
_DATES_AT_ONCE = 16
_SHOWN = 3


@dataclass(frozen=True)
class RepeatedIds:
    """Records of a feed that have the id of a record on an earlier date.

    Attributes:
        by_date: How many there are, by the later date, where there is any.
    """

    feed: Feed
    by_date: dict[dt.date, int]

    @property
    def records(self) -> int:
        """How many records have the id of an earlier one."""
        return sum(self.by_date.values())

    @property
    def message(self) -> str:
        """The outcome in words: culprit, consequence, fix."""
        ids, days = ", ".join(self.feed.duplicates), DAYS[self.feed.partition_by]
        if not self.records:
            return f"no record has the {ids} of one on another date, {days} days around the dates of this run"
        such = ", ".join(f"{date} ({records:,})" for date, records in list(self.by_date.items())[:_SHOWN])
        return (
            f"{self.records:,} records have the {ids} of a record on an earlier date, such as on {such}. Each of them "
            "counts, because an id is unique within its date only: declare key and versioned_by, so that an id counts "
            "once on all dates; see docs/contracts.md."
        )


def is_checked(feed: Feed) -> bool:
    """Return whether records of a feed have a declared id that may come again on another date."""
    return not isinstance(feed.duplicates, str) and feed.business_date is not None


def repeated_ids(lake: Lake, feed: Feed, partitions: Collection[str]) -> RepeatedIds:
    """Count the records that have the id of one on an earlier date, where one of the two dates is asked for.

    Only dates that are no more than `DAYS` apart are compared, so that the cost is that of the dates asked for, not of
    the history.
    """
    asked = {date for partition in partitions if (date := as_date(partition))}
    window = dt.timedelta(days=DAYS[feed.partition_by])
    recent: dict[dt.date, pl.Series] = {}
    found: dict[dt.date, int] = {}
    for date, ids in _ids(lake, feed, _near(asked, window)):
        recent = {day: known for day, known in recent.items() if date - day <= window}
        compared = [known for day, known in recent.items() if date in asked or day in asked]
        if compared and (count := int(ids.is_in(pl.concat(compared).implode()).sum())):
            found[date] = count
        recent[date] = ids
    return RepeatedIds(feed, found)


def _near(asked: Collection[dt.date], window: dt.timedelta) -> list[dt.date]:
    days = [dt.timedelta(days=days) for days in range(-window.days, window.days + 1)]
    return sorted({date + apart for date in asked for apart in days})


def _ids(lake: Lake, feed: Feed, dates: list[dt.date]) -> Iterator[tuple[dt.date, pl.Series]]:
    """Yield the dates that silver has, in order, with a hash of each record's id."""
    table = feed.silver
    columns = {name: about.dtype for name, about in table.columns.items()}
    ids = pl.struct(feed.duplicates).hash().alias("id")
    for at in range(0, len(dates), _DATES_AT_ONCE):
        chosen = table.partitioning.filter([str(date) for date in dates[at : at + _DATES_AT_ONCE]])
        rows = delta.scan(lake.store, table.path, columns).filter(chosen)
        frame = rows.select(table.partitioning.date.alias("date"), ids).collect()
        by_date = frame.partition_by("date", as_dict=True, include_key=False)
        for (date,), records in sorted(by_date.items()):
            yield date, records["id"]
