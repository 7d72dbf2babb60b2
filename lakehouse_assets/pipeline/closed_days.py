"""Business days that a feed's daily close declares complete: what had come by then, and what came later.

It follows from the declaration, the ledger and the clock, so a tick that was missed loses nothing. Not here: who is
told.
"""

import datetime as dt
import zoneinfo
from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.contracts.partitioning import as_date
from lakehouse_assets.contracts.wording import counted

WINDOW = 14
"""How many days are looked at, back from the last one."""


@dataclass(frozen=True)
class ClosedDay:
    """A business day after its close.

    Attributes:
        closed_at: The close, in the business time zone.
        on_time: Live records that were ingested by then.
        late: Live records that were ingested later.
        unit: What is counted: records; or objects, where partitions are no days.
    """

    feed: str
    day: dt.date
    closed_at: dt.datetime
    on_time: int
    late: int
    unit: str = "record"

    @property
    def is_missing(self) -> bool:
        """Whether nothing has come, neither by the close nor later."""
        return not self.on_time + self.late

    @property
    def message(self) -> str:
        """What came, and when the day was closed."""
        closed = f"the daily close at {moment(self.closed_at)}"
        if self.is_missing:
            return f"{self.feed} {self.day}: nothing was ingested by {closed}, or since"
        return f"{self.feed} {self.day}: {counted(self.late, self.unit)} ingested after {closed}"


def moment(at: dt.datetime) -> str:
    """Return a time of day in a zone, as messages say it."""
    return f"{at:%Y-%m-%d %H:%M} ({at.tzinfo})"


def closed_days(lake: Lake, feed: Feed, now: dt.datetime | None = None) -> list[ClosedDay]:
    """Return the days of a feed that its daily close has declared complete: the last two weeks of them, sorted.

    No day before the first one that ever came is expected, and no day of rest. Where partitions are no days, the only
    day is the last one, and what counts is when an object came.
    """
    if feed.daily_close is None:
        return []
    zone = zoneinfo.ZoneInfo(feed.time_zone)
    at = now or dt.datetime.now(dt.UTC)

    def close_of(day: dt.date) -> dt.datetime:
        return dt.datetime.combine(day + dt.timedelta(days=1), feed.daily_close or dt.time(), zone)

    last = at.astimezone(zone).date() - dt.timedelta(days=1)
    if close_of(last) > at:
        last -= dt.timedelta(days=1)
    if feed.business_date is None or feed.partition_by != "day":
        return _by_arrival(lake, feed, last, close_of(last)) if is_expected(last, [feed]) else []
    ledger = lake.counting(feed)
    known = [date for part, rows in ledger.summary.partitions.items() if rows and (date := as_date(part))]
    days = {str(day): close_of(day) for day in last_days(last, known, [feed])}
    if not days:
        return []
    live = ledger.live_of(days).join(ledger.first_landings(days), on="source_hash")
    closes = pl.DataFrame({"part": list(days), "close": pl.Series([c.astimezone(dt.UTC) for c in days.values()])})
    is_late = pl.col("_landed_at") > pl.col("close")
    sums = live.join(closes.with_columns(pl.col("close").cast(live.schema["_landed_at"])), on="part")
    counts = sums.group_by("part").agg(pl.sum("rows").alias("all"), pl.col("rows").filter(is_late).sum().alias("late"))
    found = {part: (total - late, late) for part, total, late in counts.iter_rows()}
    return [
        ClosedDay(feed.name, dt.date.fromisoformat(day), close, *found.get(day, (0, 0))) for day, close in days.items()
    ]


def last_days(last: dt.date, known: Iterable[dt.date], feeds: list[Feed]) -> list[dt.date]:
    """Return the days that are expected, through a last one: of two weeks, from the first known day on, sorted.

    Args:
        known: Days that are there; without any, only the last day is expected.
        feeds: What the days come from. A day on which all of them rest is not expected.
    """
    window = [last - dt.timedelta(days=back) for back in reversed(range(WINDOW))]
    first = min(known, default=last)
    return [day for day in window if day >= first and is_expected(day, feeds)]


def is_expected(day: dt.date, feeds: list[Feed]) -> bool:
    """Return whether something is to come on a day: not where all of some feeds rest on it."""
    resting = [f"{day:%A}" in feed.rest_days for feed in feeds]
    return not resting or not all(resting)


def _by_arrival(lake: Lake, feed: Feed, day: dt.date, close: dt.datetime) -> list[ClosedDay]:
    came = lake.counting(feed).landings_since((close - dt.timedelta(days=1)).astimezone(dt.UTC))
    late = came.filter(pl.col("_landed_at") > close.astimezone(dt.UTC)).height
    return [ClosedDay(feed.name, day, close, came.height - late, late, "object")]
