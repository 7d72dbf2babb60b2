"""Bronze files: the records of one content and partition each, named by the content's hash and never overwritten.

The ledger alone says which of them are live. Maintenance may put many small ones into a pack: it is read in their
place. Not here: writing them, and which files lie in which pack.
"""

import io

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.contracts.partitioning import UNDATED, WHOLE, as_bucket, place
from lakehouse_assets.pipeline import packs

PLACE = ("dt", "bucket")
"""The columns that the place of a file tells."""
_HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"


def bronze_path(feed: Feed, partition: str, file: str) -> str:
    """Return where the records of one content and partition lie; the file is named by the content's hash."""
    folder = f"bronze/{feed.name}"
    if partition == WHOLE:
        return f"{folder}/{file}.parquet"
    if as_bucket(partition) is not None:
        return f"{folder}/{partition}/{file}.parquet"
    return f"{folder}/dt={_HIVE_NULL if partition == UNDATED else partition}/{file}.parquet"


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
    columns = feed.bronze.types
    if not live.height:
        return pl.LazyFrame(schema={**columns, "_part": pl.String()}).with_columns(place("_part"))
    said = (pl.col("part").alias("_part"), pl.col("source_key").alias("_source_key"))
    files = live.sort("part", "source_key").select("part", "file", *said)
    # The place is of each file, not of each record. A column that landed may have its name.
    files = files.with_columns(place("_part")).drop(name for name in PLACE if name in stored_columns(feed))
    records = scan_files(lake, feed, files, first, count, in_order=in_order)
    return records.select(*columns, "_part", *(n for n in PLACE if n not in columns))


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
