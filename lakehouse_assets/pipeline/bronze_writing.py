"""Writing bronze files: the records of one content and partition each, and whether the files that are there hold them.

Not here: which of them are live, and reading them.
"""

import io
from collections.abc import Mapping

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.contracts.partitioning import WHOLE
from lakehouse_assets.ledger.readings import Reading
from lakehouse_assets.pipeline import packs
from lakehouse_assets.pipeline.bronze import PLACE, bronze_path, stored_columns
from lakehouse_assets.pipeline.rows import Rows
from lakehouse_assets.storage.delta import UNREADABLE


def write_bronze(lake: Lake, feed: Feed, parts: Mapping[str, Rows], file: str) -> dict[str, int]:
    """Write the records of one content, a file per partition, and return the rows of each.

    Args:
        parts: The records by partition, as `by_partition` returns them.
        file: Name of the files, without their ending.

    Raises:
        StorageError: The storage refused; a file that was written is not live, and the next attempt finds it.
    """
    partitions = {}
    for partition, rows in parts.items():
        content = rows.as_parquet(stored_columns(feed))
        path = bronze_path(feed, partition, file)
        if not lake.store.create(path, content) and not _file_holds(lake, path, rows, packs.content_of(file)):
            # Left by an ingest that never committed, under another contract: no reader has ever seen it.
            lake.store.replace(path, content)
        partitions[partition] = rows.height
    return partitions


def holds(lake: Lake, feed: Feed, parts: Mapping[str, Rows], reading: Reading) -> bool:
    """Return whether the bronze files of a content hold what was read of it now, by partition."""
    if not is_counted(parts, reading):
        return False
    places = pl.DataFrame({"part": list(parts), "file": reading.file}, schema={"part": pl.String, "file": pl.String})
    stored = dict(packs.placed(lake.store, feed.name, places).select("part", "pack").iter_rows())
    content = packs.content_of(reading.file)
    return all(
        _file_holds(lake, bronze_path(feed, partition, stored[partition] or reading.file), rows, content)
        for partition, rows in parts.items()
    )


def is_counted(parts: Mapping[str, Rows], reading: Reading) -> bool:
    """Return whether a reading of a content has as many records in each partition."""
    # A partition that erased records have left is known with no rows.
    known = {partition: count for partition, count in reading.rows.items() if count}
    return {partition: rows.height for partition, rows in parts.items()} == known


def _file_holds(lake: Lake, path: str, rows: Rows, content: str) -> bool:
    """Return whether a bronze object holds these records of a content, whenever they were ingested.

    A column that it lacks is null.
    """
    if lake.store.stat(path) is None:
        return False
    at = 0
    try:
        if rows.folder is None:  # in memory, so the file has a place there, too
            scan = pl.scan_parquet(io.BytesIO(lake.store.read(path)))
        else:
            scan = pl.scan_parquet(lake.store.uri(path), storage_options=lake.store.options or None, glob=False)
        if packs.is_pack(path):
            scan = scan.filter(pl.col("_source_hash") == content)
        if scan.select(pl.len()).collect().item() != rows.height:
            return False
        for frame in rows:
            if not _are_same(scan.slice(at, frame.height).collect(), frame):
                return False
            at += frame.height
    except UNREADABLE:
        return False
    return True


def _are_same(stored: pl.DataFrame, records: pl.DataFrame) -> bool:
    columns = sorted({*stored.columns, *records.columns} - {"_ingested_at", "_source_key", *PLACE})
    there, wanted = (
        frame.select(pl.col(name) if name in frame.columns else pl.lit(None, pl.String).alias(name) for name in columns)
        for frame in (stored, records)
    )
    return there.equals(wanted)


def by_partition(feed: Feed, records: Rows) -> dict[str, Rows]:
    """Return the records of one content by partition: the bronze columns."""
    if not records.height:
        return {}
    layout = feed.raw_layout
    if not layout.columns:
        return {WHOLE: records}
    parts: dict[str, Rows] = {}
    for frame in records:
        names = frame.select(layout.partition.alias("_part"))
        if names.n_unique() == 1:  # most files are of one date: nothing is copied
            found = {names.row(0): frame}
        else:
            found = names.hstack(frame).partition_by("_part", as_dict=True, maintain_order=True, include_key=False)
        for (partition,), rows in found.items():
            parts.setdefault(str(partition), Rows(folder=records.folder)).add(rows)
    return parts


def by_content(feed: Feed, records: pl.DataFrame) -> dict[str, dict[str, Rows]]:
    """Return what bronze files hold of the records of many contents, by hash and partition.

    Args:
        records: The bronze columns and those of the partition.
    """
    keys = {"_content": pl.col("_source_hash"), "_part": feed.raw_layout.partition}
    named = records.select(*stored_columns(feed), **keys)
    parts: dict[str, dict[str, Rows]] = {}
    for (content, part), rows in named.partition_by(
        *keys, as_dict=True, maintain_order=True, include_key=False
    ).items():
        parts.setdefault(str(content), {})[str(part)] = Rows(rows)
    return parts
