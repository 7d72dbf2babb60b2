"""The data files of a Delta table, from its log: rows, bytes, partitions. Not here: reading rows."""

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import unquote

import polars as pl

from lakehouse_assets.storage import delta
from lakehouse_assets.storage.stores import Store

if TYPE_CHECKING:
    from deltalake import DeltaTable


def files(store: Store, path: str) -> pl.DataFrame:
    """Return one row per data file of a table's latest version: rows, bytes, modification, partition columns."""
    frame = pl.DataFrame(delta.latest(store, path).get_add_actions(flatten=True))
    partitions = [
        pl.col(name).alias(name.removeprefix("partition.")) for name in frame.columns if name.startswith("part")
    ]
    modified = pl.from_epoch("modification_time", "ms").dt.replace_time_zone("UTC")
    return frame.select("num_records", "size_bytes", modified, *partitions)


def scan_files(store: Store, path: str, names: list[str], columns: Mapping[str, pl.DataType]) -> pl.LazyFrame:
    """Return the rows of some data files of a table lazily; a column that a file lacks is null.

    Args:
        names: Paths of the files below the table, as the log has them.
        columns: Name and type of the columns wanted, without partition columns.
    """
    if not names:
        return pl.LazyFrame(schema=dict(columns))
    return pl.scan_parquet(
        [f"{store.uri(path)}/{unquote(name)}" for name in names],
        schema=dict(columns),
        missing_columns="insert",
        extra_columns="ignore",
        glob=False,
        hive_partitioning=False,
        storage_options=store.options or None,
    )


def file_uris(store: Store, path: str, table: "DeltaTable | None" = None) -> list[str]:
    """Return the addresses of the data files of a table's latest (or given) version, not encoded."""
    return sorted(f"{store.uri(path)}/{name}" for name in file_sizes(store, path, table))


def are_alike(store: Store, path: str, table: "DeltaTable | None" = None) -> bool:
    """Return whether all data files of a table's latest (or given) version have the same columns, as its log tells."""
    frame = pl.DataFrame((table or delta.latest(store, path)).get_add_actions(flatten=True))
    counts = frame.select(pl.selectors.starts_with("null_count.").is_null().sum())
    return all(missing in {0, frame.height} for missing in (counts.row(0) if counts.width else ()))


def first_commit(store: Store, path: str) -> tuple[int, dt.datetime]:
    """Return the oldest version of a table that its log still tells of, and when it was committed."""
    oldest = delta.opened(store, path).history()[-1]
    return int(oldest["version"]), dt.datetime.fromtimestamp(oldest["timestamp"] / 1000, dt.UTC)


def file_sizes(store: Store, path: str, table: "DeltaTable | None" = None) -> dict[str, int]:
    """Return the bytes of each data file of a table's latest (or given) version, by its path below the table."""
    actions = (table or delta.latest(store, path)).get_add_actions(flatten=True)
    frame = pl.DataFrame(actions).select("path", "size_bytes")
    return {unquote(name): int(size) for name, size in frame.iter_rows()}


def lost_files(store: Store, path: str, table: "DeltaTable", chosen: pl.Expr) -> list[str]:
    """Return the data files of an opened version that are gone, by their paths below the table.

    Args:
        chosen: Which files to look at, as an expression over the partition columns.
    """
    frame = pl.DataFrame(table.get_add_actions(flatten=True)).rename(lambda name: name.removeprefix("partition."))
    there = {stored.path.removeprefix(f"{path}/") for stored in store.list(path)}
    return sorted(name for name in map(unquote, frame.filter(chosen)["path"]) if name not in there)
