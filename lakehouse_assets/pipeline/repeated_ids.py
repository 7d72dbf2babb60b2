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
from lakehouse_assets.contracts.wording import counted
from lakehouse_assets.pipeline.reading import read

DAYS: dict[Period, int] = {"day": 7, "month": 31, "year": 366}
_DATES_AT_ONCE = 16


@dataclass(frozen=True)
class RepeatedIds:
    """Records of a feed that have the id of a record on an earlier date.

    Attributes:
        by_date: How many there are, by the later date, where there is any.
        ids: How many ids stand on several dates.
        dates: The dates on which these stand.
        such_as: Two dates with one id.
    """

    feed: Feed
    by_date: dict[dt.date, int]
    ids: int = 0
    dates: frozenset[dt.date] = frozenset()
    such_as: tuple[dt.date, dt.date] | None = None

    @property
    def records(self) -> int:
        """How many records have the id of an earlier one."""
        return sum(self.by_date.values())

    @property
    def message(self) -> str:
        """The outcome in words: culprit, consequence, fix."""
        columns, days = ", ".join(self.feed.duplicates), DAYS[self.feed.partition_by]
        if self.such_as is None:
            return f"no record has the {columns} of one on another date, {days} days around the dates of this run"
        return (
            f"{counted(self.ids, 'id')} ({columns}) published on more than one date: on {len(self.dates):,} dates, "
            f"such as {self.such_as[0]} and {self.such_as[1]}. The records of each date count, because an id is unique "
            "within its date only: declare key and versioned_by, so that an id counts once on all dates; see "
            "docs/contracts.md."
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
    repeated, pairs = list[pl.Series](), list[tuple[dt.date, dt.date]]()
    for date, ids in _ids(lake, feed, _near(asked, window)):
        recent = {day: known for day, known in recent.items() if date - day <= window}
        is_known = pl.repeat(value=False, n=ids.len(), dtype=pl.Boolean, eager=True)
        for day, known in recent.items():
            if (date in asked or day in asked) and (on_both := ids.is_in(known.implode())).any():
                is_known |= on_both
                pairs.append((day, date))
        if is_known.any():
            found[date] = int(is_known.sum())
            repeated.append(ids.filter(is_known))
        recent[date] = ids
    count = pl.concat(repeated).n_unique() if repeated else 0
    return RepeatedIds(feed, found, count, frozenset(day for pair in pairs for day in pair), next(iter(pairs), None))


def _near(asked: Collection[dt.date], window: dt.timedelta) -> list[dt.date]:
    days = [dt.timedelta(days=days) for days in range(-window.days, window.days + 1)]
    return sorted({date + apart for date in asked for apart in days})


def _ids(lake: Lake, feed: Feed, dates: list[dt.date]) -> Iterator[tuple[dt.date, pl.Series]]:
    """Yield the dates that silver has, in order, with a hash of each record's id."""
    table = feed.silver
    ids = pl.struct(feed.duplicates).hash().alias("id")
    for at in range(0, len(dates), _DATES_AT_ONCE):
        chosen = table.partitioning.filter([str(date) for date in dates[at : at + _DATES_AT_ONCE]])
        rows = read(lake, table).filter(chosen)
        frame = rows.select(table.partitioning.date.alias("date"), ids).collect()
        by_date = frame.partition_by("date", as_dict=True, include_key=False)
        for (date,), records in sorted(by_date.items()):
            yield date, records["id"]
