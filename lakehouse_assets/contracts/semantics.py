"""What a feed's declaration says about its records as a whole: repeats, deliveries, zones.

Here: what these arguments mean, and which of them make no sense. Not here: doing what they say.
"""

import datetime as dt
import zoneinfo
from collections.abc import Iterable
from typing import Literal, Protocol

import polars as pl

from lakehouse_assets.contracts import deliveries
from lakehouse_assets.contracts.partitioning import Partitioning
from lakehouse_assets.contracts.periods import PERIODS, Period, first_day
from lakehouse_assets.contracts.source import Contract
from lakehouse_assets.contracts.usual_rows import UsualRows

Duplicates = Literal["drop", "keep"] | tuple[str, ...]
"""What becomes of repeated records: equal ones count once, all of them count, or one for each id in some columns."""

Snapshot = Literal["union", "latest"]
"""What a table without dates is: the records of all deliveries, or those of the newest one."""


class Declared(Protocol):
    """What these questions need to know of a feed."""

    @property
    def contract(self) -> type[Contract]:
        """Its columns and rules."""

    @property
    def sources(self) -> Iterable[str]:
        """The columns that are read."""

    @property
    def business_date(self) -> str | None:
        """The column whose day partitions it."""

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that identify a row, for a keyed feed."""

    @property
    def partitioning(self) -> Partitioning | None:
        """The layout of its silver table, where it is declared."""

    @property
    def start_date(self) -> dt.date:
        """The first business date."""

    @property
    def partition_by(self) -> Period:
        """The business dates that a partition holds."""

    @property
    def time_zone(self) -> str:
        """The business time zone."""

    @property
    def naive_zone(self) -> str:
        """The zone of times without an offset."""

    @property
    def source_zone(self) -> str | None:
        """The same, where it is declared."""

    @property
    def duplicates(self) -> Duplicates:
        """What becomes of repeated records."""

    @property
    def prefer(self) -> str | None:
        """The column whose largest value says which record of an id counts."""

    @property
    def snapshot(self) -> Snapshot:
        """Which deliveries count."""

    @property
    def versioned_by(self) -> str | None:
        """What orders the versions of a key."""

    @property
    def usual_rows(self) -> UsualRows | None:
        """How many rows a date usually has."""

    @property
    def delivered_at(self) -> str | None:
        """Where the keys say when a delivery was made."""


def declared(feed: Declared) -> dict[str, object]:
    """Return those of the arguments that are not at their default: only they are part of a feed's version."""
    found: dict[str, object] = {}
    if feed.duplicates != "drop":
        found["duplicates"] = feed.duplicates
    if feed.prefer is not None:
        found["prefer"] = feed.prefer
    if feed.naive_zone != feed.time_zone:
        found["source_zone"] = feed.naive_zone
    if feed.snapshot != "union":
        found["snapshot"] = [feed.snapshot, feed.delivered_at]
    if feed.partition_by != "day":
        found["partition_by"] = feed.partition_by
    return found


def refusal(feed: Declared) -> str | None:
    """Return what in a feed's declaration makes no sense, and what to change; None when all of it makes sense."""
    if not feed.sources:
        return "its contract reads no column, so all records would count as one; declare at least one."
    return (
        _zone_refusal(feed)
        or _duplicates_refusal(feed)
        or _prefer_refusal(feed)
        or _snapshot_refusal(feed)
        or _period_refusal(feed)
        or _usual_rows_refusal(feed)
    )


def once_rule(feed: Declared) -> str | None:
    """Return the id of the rule that a record is the only one with its declared id; None without one."""
    return None if isinstance(feed.duplicates, str) else f"{'_and_'.join(feed.duplicates)}_once"


def once_text(feed: Declared) -> str:
    """Return in words what that rule asks."""
    names = ", ".join(f"`{name}`" for name in feed.duplicates)
    where = "of its business date " if feed.business_date else ""
    if feed.prefer is None:
        return f"the record is the first {where}with its {names}; later ones with the same id have other contents"
    return f"the record has the largest `{feed.prefer}` {where}of those with its {names}; of equal ones it is the first"


def _zone_refusal(feed: Declared) -> str | None:
    for argument, zone in (("time_zone", feed.time_zone), ("source_zone", feed.naive_zone)):
        try:
            zoneinfo.ZoneInfo(zone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError):
            return f"{argument}={zone!r} is no time zone; name one such as 'UTC' or 'America/New_York'."
    types = (feed.contract.columns()[name].dtype for name in feed.sources)
    if feed.source_zone is not None and not any(isinstance(dtype, pl.Datetime) for dtype in types):
        return "source_zone is the zone of times without an offset, and the contract reads no time; leave it out."
    return None


def _duplicates_refusal(feed: Declared) -> str | None:
    ids = feed.duplicates
    if isinstance(ids, str):
        if ids in {"drop", "keep"}:
            return None
        hint = f"; for an id in a column write duplicates=({ids!r},)" if ids in feed.contract.columns() else ""
        return f'duplicates={ids!r} says nothing; it is "drop", "keep" or a tuple of columns{hint}.'
    columns = feed.contract.columns()
    if not ids or (odd := next((name for name in ids if name not in columns), None)):
        what = f"names {odd!r}, which is no column of its contract" if ids else "names no column"
        return f"duplicates={ids!r} {what}; name the columns that hold the id of a record."
    if optional := next((name for name in ids if columns[name].nullable), None):
        return f"duplicates={ids!r}: without {optional!r} a record has no id; declare the column with nullable=False."
    return None


def _prefer_refusal(feed: Declared) -> str | None:
    if feed.prefer is None:
        return None
    if isinstance(feed.duplicates, str):
        return (
            f"prefer={feed.prefer!r} chooses between records with one id, and no id is declared; name its columns with "
            f'duplicates=("...",){", or say versioned_by" if feed.key else ""}, or leave prefer out.'
        )
    columns = feed.contract.columns()
    if feed.prefer not in columns or feed.prefer in feed.duplicates:
        what = "a column of the id" if feed.prefer in feed.duplicates else "no column of its contract"
        return f"prefer={feed.prefer!r} is {what}; name the column whose largest value says which record counts."
    return None


def _snapshot_refusal(feed: Declared) -> str | None:
    if feed.snapshot not in {"union", "latest"}:
        return f'snapshot={feed.snapshot!r} says nothing; it is "union" or "latest".'
    if feed.snapshot == "latest" and feed.business_date is not None:
        return (
            'snapshot="latest" is for a feed without business_date: there each delivery replaces the one before, '
            "and here a date is replaced by a resend under its key. Leave one of the two out."
        )
    if feed.snapshot == "latest" and feed.key:
        return (
            'snapshot="latest" is for a feed without key: with a key each record replaces the one before of its key, '
            'and delivery="full" deletes the keys that a delivery lacks. Leave one of the two out.'
        )
    if feed.delivered_at is None:
        return None
    if feed.snapshot != "latest" and feed.versioned_by != "landing":
        return (
            'delivered_at orders the deliveries of a feed with snapshot="latest", or of one with '
            'versioned_by="landing"; declare that, or leave it out.'
        )
    return deliveries.refusal(feed.delivered_at)


def _usual_rows_refusal(feed: Declared) -> str | None:
    if feed.usual_rows is not None and (feed.business_date is None or feed.partition_by != "day"):
        return "usual_rows compares weekdays, and its partitions are no days; leave it out."
    return None


def _period_refusal(feed: Declared) -> str | None:
    period = feed.partition_by
    if period not in PERIODS:
        return f'partition_by={period!r} says nothing; it is "day", "month" or "year".'
    if period == "day":
        return None
    if feed.business_date is None or feed.partitioning is not None:
        return (
            f"partition_by={period!r} is for a feed with a business_date whose silver table is partitioned by `dt`; "
            "leave it out, or leave out partitioning."
        )
    if feed.start_date != (first := first_day(feed.start_date, period)):
        return f"partition_by={period!r} needs a start_date at the beginning of a {period}, such as {first}."
    return None
