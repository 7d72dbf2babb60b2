"""Packing: the small bronze files of closed partitions are put into packs, which are read in their place.

A pack is written under a name that nobody reads; one commit to `ops.packs` makes it hold the records of its files. A
writer that is killed before leaves a pack that nobody knows. Fingerprints are of contents, not of where these lie, so
packing reopens nothing. Small packs are packed again like other small files, so late objects do not pile up either. Not
here: removing the files that lie in packs now, see `bronze_leftovers`.
"""

import datetime as dt
import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.contracts.partitioning import as_date
from lakehouse_assets.contracts.periods import last_day
from lakehouse_assets.maintenance.leftovers import Found
from lakehouse_assets.maintenance.policy import Policy
from lakehouse_assets.pipeline import packs
from lakehouse_assets.pipeline.batches import batches
from lakehouse_assets.pipeline.bronze import bronze_path
from lakehouse_assets.pipeline.rows import STORED_AS
from lakehouse_assets.storage import delta
from lakehouse_assets.storage.stores import StorageError

if TYPE_CHECKING:
    from deltalake import DeltaTable

_FILES_PER_COMMIT = 20_000
_ROW_GROUP = 65_536


@dataclass(frozen=True)
class Small:
    """One small bronze object, a pack or a file of its own.

    Attributes:
        files: The bronze files in it, each with its records: `file`, `source_hash`, `rows`.
    """

    path: str
    size: int
    files: pl.DataFrame

    @property
    def rows(self) -> int:
        """How many records that are."""
        return int(self.files["rows"].sum())


@dataclass
class _Group:
    """Objects that come into one pack, and what they sum up to."""

    objects: list[Small] = field(default_factory=list)
    contents: set[str] = field(default_factory=set)
    size: int = 0
    rows: int = 0


def pack(lake: Lake, feed: Feed, there: list[Found], policy: Policy, *, dry_run: bool) -> Iterator[tuple[int, int]]:
    """Pack the closed partitions of a feed that have many small bronze files.

    Args:
        there: Every bronze object of the feed.

    Yields:
        Files and bytes that were put into packs by one commit, or would be in a dry run.
    """
    now = dt.datetime.now(dt.UTC)
    found = _small_file_groups(lake, feed, there, policy, now)
    files = {partition: sum(len(group) for group in groups) for partition, groups in found.items()}
    for some in batches(sorted(files), files, _FILES_PER_COMMIT):
        if dry_run:
            groups = [group for partition in some for group in found[partition]]
        else:
            groups = delta.until_committed(partial(_pack, lake, feed, there, policy, now, some))
        objects = [one for group in groups for one in group]
        if objects:
            yield len(objects), sum(one.size for one in objects)


def _small_file_groups(
    lake: Lake, feed: Feed, there: list[Found], policy: Policy, now: dt.datetime, only: list[str] | None = None
) -> dict[str, list[list[Small]]]:
    """Return what is to be packed together, by partition."""
    rows = lake.ledger_of(feed).rows.filter(pl.col("part").is_not_null())
    if only is not None:
        rows = rows.filter(pl.col("part").is_in(only))
    sizes = {item.path: (item.size, item.modified) for item in there if item.size < policy.small_bytes}
    last = lake.today(feed) - policy.pack_after
    closed = {
        part for part in rows["part"].unique() if (date := as_date(part)) and last_day(date, feed.partition_by) < last
    }
    of_file = rows.group_by("part", pl.coalesce("file", "source_hash").alias("file")).agg(
        pl.col("source_hash", "rows").first(), pl.col("source_key").min()
    )
    stored = packs.placed(lake.store, feed.name, of_file).sort("part", "source_key", "file")
    found: dict[str, list[list[Small]]] = {}
    for (name,), files in stored.partition_by("part", as_dict=True, maintain_order=True).items():
        partition, small = str(name), list[Small]()
        by_object = files.with_columns(pl.coalesce("pack", "file").alias("_object"))
        for (stem,), those in by_object.partition_by("_object", as_dict=True, maintain_order=True).items():
            path = bronze_path(feed, partition, str(stem))
            size, modified = sizes.get(path, (0, now))
            is_closed = partition in closed if as_date(partition) else modified < now - policy.pack_after
            if path in sizes and is_closed:
                small.append(Small(path, size, those.select("file", "source_hash", "rows")))
        if len(small) > policy.small_files and (groups := _groups(small, policy, lake.settings.publish_batch_rows)):
            found[partition] = groups
    return found


def _groups(small: list[Small], policy: Policy, most_rows: int) -> list[list[Small]]:
    """Return which objects come into one pack: no content twice, and not more than one object may have."""
    groups: list[_Group] = []
    for one in small:
        contents = set(one.files["source_hash"])
        fitting = (
            group
            for group in groups
            if group.size + one.size <= policy.small_bytes
            and group.rows + one.rows <= most_rows
            and not contents & group.contents
        )
        if (group := next(fitting, None)) is None:
            group = _Group()
            groups.append(group)
        group.objects.append(one)
        group.contents |= contents
        group.size += one.size
        group.rows += one.rows
    return [group.objects for group in groups if len(group.objects) > 1]


def _pack(
    lake: Lake, feed: Feed, there: list[Found], policy: Policy, now: dt.datetime, partitions: list[str]
) -> list[list[Small]]:
    # Opened before the ledger is read: an erasure that rewrites the ledger meanwhile commits here, too, so this loses.
    table = packs.opened(lake.store)
    known = packs.known(lake.store, feed.name, partitions)
    written, rows = list[str](), list[pl.DataFrame]()
    done = list[list[Small]]()
    for partition, groups in _small_file_groups(lake, feed, there, policy, now, partitions).items():
        for group in groups:
            sound = _read(lake, group)
            if len(sound) > 1:
                name = packs.new_name()
                files = [file for one, _ in sound for file in one.files["file"]]
                written.append(_write(lake, feed, partition, name, [records for _, records in sound]))
                rows.append(packs.places(feed.name, partition, files, name))
                done.append([one for one, _ in sound])
    if rows:
        new = pl.concat(rows)
        touched = new["part"].unique().to_list()
        kept = known.filter(pl.col("part").is_in(touched)).join(new, on=["part", "file"], how="anti")
        _commit(lake, table, feed, touched, pl.concat([kept, new]), written)
    return done


def _read(lake: Lake, group: list[Small]) -> list[tuple[Small, pl.DataFrame]]:
    """Return the objects that hold exactly what the ledger says, with their records: a damaged one is left alone."""

    def read(one: Small) -> tuple[Small, pl.DataFrame] | None:
        try:
            records = pl.read_parquet(io.BytesIO(lake.store.read(one.path)))
            wanted = one.files.filter(pl.col("rows") > 0).select("source_hash", "rows")
            records = records.filter(pl.col("_source_hash").is_in(one.files["source_hash"].implode()))
            count = records.group_by(pl.col("_source_hash").alias("source_hash")).agg(
                pl.len().cast(pl.Int64).alias("rows")
            )
        except (*delta.UNREADABLE, StorageError):
            return None
        return (one, records) if count.sort("source_hash").equals(wanted.sort("source_hash")) else None

    with ThreadPoolExecutor(lake.settings.threads) as pool:
        return [found for found in pool.map(read, group) if found is not None]


def _write(lake: Lake, feed: Feed, partition: str, name: str, records: list[pl.DataFrame]) -> str:
    """Write a pack and return its path. It has all columns that one of its files has; the others are null."""
    path, buffer = bronze_path(feed, partition, name), io.BytesIO()
    whole = pl.concat(records, how="diagonal_relaxed")
    whole.write_parquet(buffer, compression=STORED_AS, row_group_size=_ROW_GROUP)
    lake.store.create(path, buffer.getvalue())
    return path


def _commit(
    lake: Lake, table: "DeltaTable", feed: Feed, partitions: list[str], rows: pl.DataFrame, written: list[str]
) -> None:
    try:
        packs.write(lake.store, table, feed.name, partitions, rows)
    except delta.Conflict:
        for path in written:
            lake.store.delete(path)
        raise


def take_out(lake: Lake, feed: Feed, is_gone: Callable[[str], bool]) -> None:
    """Write packs anew without some contents, which the ledger knows no more, and remove the old ones at once.

    Args:
        is_gone: Whether a bronze file, by its name, holds one of them.
    """
    if not delta.exists(lake.store, packs.TABLE.path):
        return

    def attempt() -> list[str]:
        table, written, old = packs.opened(lake.store), list[str](), list[str]()
        known = packs.known(lake.store, feed.name)
        gone = [file for file in known["file"].unique() if is_gone(file)]
        known = known.with_columns(pl.col("file").is_in(gone).alias("_gone"))
        touched = known.filter(pl.col("_gone").any().over("part", "pack"))
        rows = known.filter(pl.col("part").is_in(touched["part"].implode()) & ~pl.col("_gone")).drop("_gone")
        for (part, name), files in touched.partition_by("part", "pack", as_dict=True).items():
            partition, path, new = str(part), bronze_path(feed, str(part), str(name)), packs.new_name()
            kept = files.filter(~pl.col("_gone"))["file"].map_elements(packs.content_of, pl.String)
            if kept.len():
                records = pl.read_parquet(io.BytesIO(lake.store.read(path)))
                records = records.filter(pl.col("_source_hash").is_in(kept.implode()))
                written.append(_write(lake, feed, partition, new, [records]))
            is_its = (pl.col("part") == partition) & (pl.col("pack") == name)
            rows = rows.with_columns(pl.when(is_its).then(pl.lit(new)).otherwise("pack").alias("pack"))
            old.append(path)
        # Also when there is nothing to change: who read the ledger before it was rewritten must not commit any more.
        _commit(lake, table, feed, touched["part"].unique().to_list(), rows, written)
        return old

    for path in delta.until_committed(attempt):
        lake.store.delete(path)
