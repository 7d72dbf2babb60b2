"""Expiry of old quarantine: the decision not to keep rows before a business date, and their removal.

The decision is what counts: publishing honours it for whatever lands, is corrected or replayed later, and the next
maintenance honours it for what this one, killed, did not remove. Counts by rule, accounting and scores stay, and so
does bronze. Not here: rows without a date, which never expire by age.
"""

import datetime as dt
from dataclasses import dataclass
from functools import partial

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.contracts.periods import first_day
from lakehouse_assets.contracts.wording import counted
from lakehouse_assets.decisions import kinds, recorded
from lakehouse_assets.pipeline.batches import batches
from lakehouse_assets.pipeline.inputs import without_rows
from lakehouse_assets.pipeline.pending import FeedState
from lakehouse_assets.pipeline.silver import open_declared
from lakehouse_assets.storage import delta, delta_files


@dataclass(frozen=True)
class Old:
    """The quarantined rows of a feed that are older than is to be kept.

    Attributes:
        before: The business date before which rows are not kept.
        decided: Whether a standing decision says so of all that goes.
        gone: Rows, files and bytes by date of what goes: `part`, `rows`, `files`, `bytes`.
        held: The same of dates that the gate holds: a person still has to decide about their records.
        pending: The same of dates that are to be computed, which will say what of them is kept.
    """

    before: dt.date
    decided: bool
    gone: pl.DataFrame
    held: pl.DataFrame
    pending: pl.DataFrame


def old_rows(lake: Lake, feed: Feed, age: dt.timedelta | None) -> Old | None:
    """Return the rows that are too old by the decisions that stand, or by their age; None when no row can be.

    Args:
        age: A row whose business date is longer ago is too old; None leaves it to the decisions.
    """
    if feed.business_date is None or not delta.exists(lake.store, feed.quarantine.path):
        return None
    state = FeedState.of(lake, feed)
    standing = state.expired_before
    wanted = None if age is None else lake.today(feed) - age
    before = max((date for date in (standing, wanted) if date is not None), default=None)
    if before is None:
        return None
    old = _stored(lake, feed, before)
    partitions = [partition for partition in old["part"] if partition in state.inputs]
    held = [partition for partition in partitions if state.is_held(partition)]
    pending = [partition for partition in partitions if state.is_pending(partition)]
    gone = [partition for partition in partitions if partition not in {*held, *pending}]
    decided = all(state.is_expired(partition) for partition in gone)
    return Old(before, decided, *(old.filter(pl.col("part").is_in(those)) for those in (gone, held, pending)))


def decide(lake: Lake, feed: Feed, old: Old, age: dt.timedelta, who: str | None) -> None:
    """Record that rows before a date are not kept, unless existing decisions already cover all of them."""
    if not old.decided:
        why = f"policy: quarantined rows of more than {counted(age.days, 'day')} ago are not kept"
        taken = kinds.new(kinds.Expire, feed.name, why, who, before=old.before.isoformat())
        recorded.record(lake.store, taken)


def remove(lake: Lake, feed: Feed, old: Old) -> pl.DataFrame:
    """Remove the rows of dates that have expired, and return what went: `part`, `rows`, `files`, `bytes`."""
    rows = dict(old.gone.select("part", "rows").iter_rows())
    done: list[str] = []
    for batch in batches(sorted(rows), rows, lake.settings.publish_batch_rows):
        done += delta.until_committed(partial(_remove_batch, lake, feed, batch))
    return old.gone.filter(pl.col("part").is_in(done))


def _remove_batch(lake: Lake, feed: Feed, partitions: list[str]) -> list[str]:
    table = open_declared(lake, feed.quarantine)
    # Read after the table was opened: a date that is published meanwhile makes the commit a conflict.
    state = FeedState.of(lake, feed)
    expired = [partition for partition in partitions if state.is_expired(partition) and partition in state.quarantine]
    expired = [partition for partition in expired if not state.is_held(partition) and not state.is_pending(partition)]
    if expired:
        nothing = pl.DataFrame(schema=feed.quarantine.types)
        # A pinned date may hold an older candidate, so its fingerprint is derived from the stored one.
        marks = {partition: without_rows(state.quarantine[partition]) for partition in expired}
        delta.replace(lake.store, table, nothing, feed.quarantine.partitioning.sql_predicate(expired), marks)
    return expired


def _stored(lake: Lake, feed: Feed, before: dt.date) -> pl.DataFrame:
    """Return the dates before another one that have rows, from what the Delta log says of the files.

    Of months and years, those that ended before it.
    """
    files = delta_files.files(lake.store, feed.quarantine.path)
    sums = (pl.sum("num_records").alias("rows"), pl.len().alias("files"), pl.sum("size_bytes").alias("bytes"))
    found = files.group_by(feed.quarantine.partitioning.date.alias("dt")).agg(sums)
    return found.filter((pl.col("rows") > 0) & (pl.col("dt") < first_day(before, feed.partition_by))).select(
        pl.col("dt").cast(pl.String).alias("part"), "rows", "files", "bytes"
    )
