"""Bronze files: the records of one content and partition each, named by the content's hash and never overwritten.

The ledger alone says which of them are live. Maintenance may put many small ones into a pack: it is read in their
place. Not here: reading landed objects, and which files lie in which pack.
"""

import io
from collections.abc import Mapping

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.contracts.partitioning import UNDATED, WHOLE, as_bucket, place
from lakehouse_assets.ledger.readings import Reading
from lakehouse_assets.pipeline import packs
from lakehouse_assets.pipeline.rows import Rows
from lakehouse_assets.storage.delta import UNREADABLE

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
    columns = sorted({*stored.columns, *records.columns} - {"_ingested_at", "_source_key", *_PLACE})
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


def scan_files(
    lake: Lake, feed: Feed, files: pl.DataFrame, first: int = 0, count: int | None = None, *, in_order: bool = False
) -> pl.LazyFrame:
    """Return the records of some bronze files as they are stored, each with what is said of its file.

    Args:
        files: `part` and `file` of each. Other columns are given to all records of a file, in the place of stored ones.
        first: How many of the records are left out at the beginning.
        count: How many are read; None for all the others.
        in_order: Return the records in the order of the files, wherever they lie.
    """
    columns = [name for name in files.columns if name not in {"part", "file"}]
    stored = packs.placed(lake.store, feed.name, files).with_row_index("_at")
    places = stored.select("part", pl.coalesce("pack", "file")).iter_rows()
    uris = [lake.store.uri(bronze_path(feed, partition, file)) for partition, file in places]
    stored = stored.with_columns(pl.Series("_path", uris, dtype=pl.String))
    single, packed = stored.filter(pl.col("pack").is_null()), stored.filter(pl.col("pack").is_not_null())
    scan = _scan(lake, feed, single["_path"].to_list())
    if not packed.height:
        if first or count is not None:
            scan = scan.slice(first, count)
        scan = scan.drop(columns, strict=False)
        return scan.join(single.select("_path", *columns).lazy(), on="_path", how="left", maintain_order="left")
    ours = _scan(lake, feed, packed["_path"].unique(maintain_order=True).to_list()).drop(columns, strict=False)
    content = packed["file"].str.split("-").list.first().alias("_source_hash")
    of_content = packed.select("_path", content, "_at", *columns).lazy()
    both = ours.join(of_content, on=["_path", "_source_hash"], maintain_order="left")
    if single.height:
        of_file = single.select("_path", "_at", *columns).lazy()
        rest = scan.drop(columns, strict=False).join(of_file, on="_path", how="left", maintain_order="left")
        both = pl.concat([both, rest.select(both.collect_schema().names())])
    both = both.map_batches(_in_order) if in_order else both
    return both.drop("_at").slice(first, count)


def _in_order(records: pl.DataFrame) -> pl.DataFrame:
    # A pack that was made of a whole partition has its files in their order.
    return records if records["_at"].is_sorted() else records.sort("_at", maintain_order=True)


def _scan(lake: Lake, feed: Feed, uris: list[str]) -> pl.LazyFrame:
    return pl.scan_parquet(
        uris,
        schema={name: feed.bronze.columns[name].dtype for name in stored_columns(feed)},
        missing_columns="insert",
        extra_columns="ignore",
        include_file_paths="_path",
        glob=False,
        hive_partitioning=False,
        storage_options=lake.store.options or None,
    )


def read_bronze(
    lake: Lake, feed: Feed, live: pl.DataFrame, first: int = 0, count: int | None = None, *, in_order: bool = True
) -> pl.LazyFrame:
    """Return the live records of some partitions, ordered by partition, source key and line.

    Args:
        live: Rows of `FeedLedger.live`.
        first: How many of the records are left out at the beginning.
        count: How many are read; None for all the others.
        in_order: Whether their order counts. If it does not, records of packs need not be in memory for it.

    Returns:
        Bronze columns with `_part`, `dt` and `bucket`. `_source_key` is the ledger's, not that of the first ingestion.
    """
    columns = {name: column.dtype for name, column in feed.bronze.columns.items()}
    if not live.height:
        return pl.LazyFrame(schema={**columns, "_part": pl.String()}).with_columns(place("_part"))
    said = (pl.col("part").alias("_part"), pl.col("source_key").alias("_source_key"))
    files = live.sort("part", "source_key").select("part", "file", *said)
    # The place is of each file, not of each record. A column that landed may have its name.
    files = files.with_columns(place("_part")).drop(name for name in _PLACE if name in stored_columns(feed))
    records = scan_files(lake, feed, files, first, count, in_order=in_order)
    return records.select(*columns, "_part", *(n for n in _PLACE if n not in columns))


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


def stored_columns(feed: Feed) -> list[str]:
    """Return the columns that a bronze file holds; the others are told by its place."""
    return [name for name in feed.bronze.columns if name not in feed.raw_layout.columns]


def read_file(lake: Lake, feed: Feed, partition: str, file: str) -> pl.DataFrame:
    """Return the records of one bronze file with every column that is stored of them.

    Raises:
        StorageError: It is not there.
    """
    place = pl.DataFrame({"part": [partition], "file": [file]})
    pack = packs.placed(lake.store, feed.name, place)["pack"].item()
    records = pl.read_parquet(io.BytesIO(lake.store.read(bronze_path(feed, partition, pack or file))))
    return records if pack is None else records.filter(pl.col("_source_hash") == packs.content_of(file))
