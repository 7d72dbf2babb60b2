"""Compaction: closed dates that lie in many small files, written anew as one.

A rewrite is a commit like a publishing one, under the fingerprints that its dates have: a writer with older inputs
loses and computes again. Not with `optimize.compact` of delta-rs 1.6: of two at once, or of one and an overwrite of
the whole table, both commit, and the rows are doubled. Snapshots and buckets of keys are left alone, because every
run writes them whole, and so is the ledger, which compacts itself.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Table
from lakehouse_assets.pipeline.accounting import TABLE as ACCOUNTING
from lakehouse_assets.pipeline.accounting import mark
from lakehouse_assets.pipeline.batches import batches
from lakehouse_assets.pipeline.packs import TABLE as PACKS
from lakehouse_assets.storage import delta, delta_files

_ATTEMPTS = 5
_YEAR_DIGITS = 4


@dataclass(frozen=True)
class SmallFileGroup:
    """Some closed dates of a table with too many small files, and their size.

    Of a table by feed and year: years of one feed.
    """

    feed: str
    partitions: list[str]
    files: int
    bytes: int


def small_file_groups(lake: Lake, table: Table, more_than: int, small_bytes: int) -> Iterator[SmallFileGroup]:
    """Yield the dates before today that have more than so many small files, a commit's worth of rows at a time."""
    if (not table.partitioning.is_by_date and not _is_by_feed(table)) or not delta.exists(lake.store, table.path):
        return
    files = delta_files.files(lake.store, table.path)
    if not files.height:
        return
    if _is_by_feed(table):
        partition = pl.col("year" if "year" in files.columns else "part")
    else:
        partition = table.partitioning.date.cast(pl.String)
    feed = pl.col("feed") if _is_by_feed(table) else pl.lit("")
    today = min((lake.today(feed) for feed in lake.registry.feeds.values()), default=dt.datetime.now(dt.UTC).date())
    small = (pl.col("size_bytes") < small_bytes).sum()
    dates = (
        files.with_columns(feed.alias("feed"), partition.alias("part"))
        # Of a year, which has no date, every run writes one file: nothing is gained by waiting for its end.
        .filter((pl.col("part").str.to_date(strict=False) < today) | (pl.col("part").str.len_chars() == _YEAR_DIGITS))
        .group_by("feed", "part")
        .agg(small.alias("small"), pl.len().alias("files"), pl.col("size_bytes").sum(), pl.col("num_records").sum())
        .filter(pl.col("small") > more_than)
        .sort("feed", "part")
    )
    for (name,), those in dates.partition_by("feed", as_dict=True, maintain_order=True).items():
        rows = dict(those.select("part", "num_records").iter_rows())
        for batch in batches(sorted(rows), rows, lake.settings.publish_batch_rows):
            sums = those.filter(pl.col("part").is_in(batch)).select(pl.sum("files", "size_bytes")).row(0)
            yield SmallFileGroup(str(name), batch, *map(int, sums))


def _is_by_feed(table: Table) -> bool:
    """Return whether a table is partitioned by feed and year."""
    return table is ACCOUNTING or table is PACKS


def rewrite(lake: Lake, table: Table, group: SmallFileGroup) -> bool:
    """Write some dates anew, as they are; return whether it was done. Runs that keep writing them come first."""
    for _ in range(_ATTEMPTS):
        stored = delta.opened(lake.store, table.path)
        if _is_by_feed(table):
            column = stored.metadata().partition_columns[-1]
            names = ", ".join(f"'{partition}'" for partition in group.partitions)
            predicate: str | None = f"feed = '{group.feed}' and {column} in ({names})"
            chosen = (pl.col("feed") == group.feed) & pl.col(column).is_in(group.partitions)
        else:
            predicate = table.partitioning.sql_predicate(group.partitions)
            chosen = table.partitioning.filter(group.partitions)
        rows = delta.rows(lake.store, stored).filter(chosen).collect()
        ids = group.partitions
        if table is ACCOUNTING:
            ids = [mark(group.feed, partition) for partition in rows["part"].unique().sort()]
        elif table is PACKS:
            ids = [group.feed]
        marks = {name: value for name in ids if (value := stored.transaction_version(name)) is not None}
        try:
            delta.replace(lake.store, stored, rows, predicate, marks)
        except delta.Conflict:
            continue
        return True
    return False
