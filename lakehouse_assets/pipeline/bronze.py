"""Bronze files: the records of one content and partition each, named by the content's hash and never overwritten.

The ledger alone says which of them are live. Not here: reading landed objects.
"""

import io

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.contracts.partitioning import UNDATED, WHOLE, as_bucket, place
from lakehouse_assets.ledger.readings import Reading
from lakehouse_assets.pipeline import repair
from lakehouse_assets.pipeline.rows import Rows
from lakehouse_assets.storage.delta import UNREADABLE
from lakehouse_assets.storage.stores import StorageError

_PLACE = ("dt", "bucket")
_HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"


def bronze_path(feed: Feed, partition: str, file: str) -> str:
    """Return where the records of one content and partition lie; the file is named by the content's hash."""
    folder = f"bronze/{feed.name}"
    if partition == WHOLE:
        return f"{folder}/{file}.parquet"
    if as_bucket(partition) is not None:
        return f"{folder}/{partition}/{file}.parquet"
    return f"{folder}/dt={_HIVE_NULL if partition == UNDATED else partition}/{file}.parquet"


def write_bronze(lake: Lake, feed: Feed, records: Rows, file: str) -> dict[str, int]:
    """Write the records of one content, a file per partition, and return the rows of each.

    Args:
        records: The bronze columns.
        file: Name of the files, without their ending.

    Raises:
        StorageError: The storage refused; a file that was written is not live, and the next attempt finds it.
    """
    partitions = {}
    for partition, rows in _by_partition(feed, records).items():
        content = rows.as_parquet(_stored(feed))
        path = bronze_path(feed, partition, file)
        if not lake.store.create(path, content) and not _file_holds(lake, path, rows):
            # Left by an ingest that never committed, under another contract: no reader has ever seen it.
            lake.store.replace(path, content)
        partitions[partition] = rows.height
    return partitions


def holds(lake: Lake, feed: Feed, records: Rows, reading: Reading) -> bool:
    """Return whether the bronze files of a content hold what was read of it now: the bronze columns."""
    parts = _by_partition(feed, records)
    return is_counted(feed, records, reading) and all(
        _file_holds(lake, bronze_path(feed, partition, reading.file), rows) for partition, rows in parts.items()
    )


def is_counted(feed: Feed, records: Rows, reading: Reading) -> bool:
    """Return whether a reading of a content has as many records in each partition: the bronze columns."""
    # A partition that erased records have left is known with no rows.
    known = {partition: count for partition, count in reading.rows.items() if count}
    return {partition: rows.height for partition, rows in _by_partition(feed, records).items()} == known


def _file_holds(lake: Lake, path: str, rows: Rows) -> bool:
    """Return whether a bronze file holds these records, whenever they were ingested. A column it lacks is null."""
    if lake.store.stat(path) is None:
        return False
    at = 0
    try:
        if rows.folder is None:  # in memory, so the file has a place there, too
            scan = pl.scan_parquet(io.BytesIO(lake.store.read(path)))
        else:
            scan = pl.scan_parquet(lake.store.uri(path), storage_options=lake.store.options or None, glob=False)
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
    columns = sorted({*stored.columns, *records.columns} - {"_ingested_at", "_source_key", *_PLACE})
    there, wanted = (
        frame.select(pl.col(name) if name in frame.columns else pl.lit(None, pl.String).alias(name) for name in columns)
        for frame in (stored, records)
    )
    return there.equals(wanted)


def _by_partition(feed: Feed, records: Rows) -> dict[str, Rows]:
    if not records.height:
        return {}
    layout = feed.raw_layout
    if not layout.columns:
        return {WHOLE: records}
    parts: dict[str, Rows] = {}
    for frame in records:
        named = frame.with_columns(layout.partition.alias("_part"))
        for (partition,), rows in named.partition_by("_part", as_dict=True, maintain_order=True).items():
            parts.setdefault(str(partition), Rows(folder=records.folder)).add(rows.drop("_part"))
    return parts


def scan_files(lake: Lake, feed: Feed, paths: list[str]) -> pl.LazyFrame:
    """Return the records of some bronze files as they are stored, with the address of each one's file as `_path`."""
    return pl.scan_parquet(
        [lake.store.uri(path) for path in paths],
        schema={name: feed.bronze.columns[name].dtype for name in _stored(feed)},
        missing_columns="insert",
        extra_columns="ignore",
        include_file_paths="_path",
        glob=False,
        hive_partitioning=False,
        storage_options=lake.store.options or None,
    )


def read_bronze(lake: Lake, feed: Feed, live: pl.DataFrame, first: int = 0, count: int | None = None) -> pl.LazyFrame:
    """Return the live records of some partitions, ordered by partition, source key and line.

    Args:
        live: Rows of `FeedLedger.live`.
        first: How many of the records are left out at the beginning.
        count: How many are read; None for all the others.

    Returns:
        Bronze columns with `_part`, `dt` and `bucket`. `_source_key` is the ledger's, not that of the first ingestion.
    """
    columns = {name: column.dtype for name, column in feed.bronze.columns.items()}
    if not live.height:
        return pl.LazyFrame(schema={**columns, "_part": pl.String()}).with_columns(place("_part"))
    ordered = live.sort("part", "source_key")
    paths = [bronze_path(feed, partition, file) for partition, file in ordered.select("part", "file").iter_rows()]
    of_path = ordered.select(
        pl.Series("_path", [lake.store.uri(path) for path in paths]),
        pl.col("part").alias("_part"),
        pl.col("source_key").alias("_source_key"),
    ).with_columns(place("_part"))  # of each file, not of each record
    scan = scan_files(lake, feed, paths)
    if first or count is not None:
        scan = scan.slice(first, count)
    joined = scan.drop("_source_key").join(of_path.lazy(), on="_path", how="left", maintain_order="left")
    return joined.select(*columns, "_part", *(n for n in _PLACE if n not in columns))


def read_in_portions(lake: Lake, feed: Feed, live: pl.DataFrame, limit: int) -> list[pl.LazyFrame]:
    """Return the same records in portions of at most `limit`. Reading a portion opens its own files only.

    Polars would read a scan of many records faster than anybody takes them, into memory.
    """
    if live["rows"].sum() <= limit:
        return [read_bronze(lake, feed, live)]
    number = ((pl.col("rows").cum_sum() - pl.col("rows")) // limit).alias("_number")
    groups = live.sort("part", "source_key").with_columns(number).partition_by("_number", maintain_order=True)
    portions = []
    for group in groups:
        starts = range(0, max(int(group["rows"].sum()), 1), limit)
        # To the end: a file that has more records than the ledger says has to be noticed.
        portions += [read_bronze(lake, feed, group, at, None if at == starts[-1] else limit) for at in starts]
    return portions


def _stored(feed: Feed) -> list[str]:
    """Return the columns that a bronze file holds; the others are told by its place."""
    return [name for name in feed.bronze.columns if name not in feed.raw_layout.columns]


def unreadable(lake: Lake, feed: Feed, live: pl.DataFrame) -> dict[str, str]:
    """Return the partitions one of whose bronze files is missing or damaged, with the reason.

    Args:
        live: Rows of `FeedLedger.live`.
    """
    lost = {}
    for partition, file, key in live.select("part", "file", "source_key").iter_rows():
        path = bronze_path(feed, partition, file)
        try:
            scan = pl.scan_parquet(lake.store.uri(path), storage_options=lake.store.options or None, glob=False)
            scan.select(pl.col("_line").max()).collect()
        except UNREADABLE as error:
            reason = str(error).splitlines()[0]
            fix = repair.of_bronze(feed.name, [partition])
            lost[partition] = f"the bronze file {path} of {key} cannot be read ({reason}); {fix}"
    return lost


def check_bronze(lake: Lake, feed: Feed, partitions: list[str]) -> None:
    """Raise `StorageError` when bronze files of some partitions still cannot be read: no original of them is left."""
    live = lake.counting(feed).live_of(partitions)
    if lost := unreadable(lake, feed, live):
        lacking = live.filter(pl.col("part").is_in(list(lost)))["source_key"].unique().sort().to_list()
        msg = (
            f"bronze.{feed.name} of {', '.join(sorted(lost)[:5])} still cannot be read: landing does not hold an "
            f"original of it. Land what is gone of {', '.join(lacking[:5])} again, then run the same command again."
        )
        raise StorageError(msg)
