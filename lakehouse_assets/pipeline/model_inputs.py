"""The tables that a model reads, and how many rows they have: from statistics, no row is read."""

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Model, Table
from lakehouse_assets.contracts.partitioning import Partitioning
from lakehouse_assets.pipeline.batches import rows_by_partition
from lakehouse_assets.storage import delta, delta_files


def upstream_rows(lake: Lake, model: Model) -> dict[str, int]:
    """Return upstream rows by partition, from file statistics: what bounds the memory of a batch."""
    rows: dict[str, int] = {}
    if model.layout is Partitioning.SNAPSHOT:
        return rows
    for table in upstream_tables(lake, model):
        for partition, count in rows_of(lake, table).items():
            rows[partition] = rows.get(partition, 0) + count
    return rows


def rows_read(lake: Lake, model: Model, partitions: list[str]) -> int:
    """Return how many stored rows are read to build some partitions, where file statistics and the ledger say it."""
    counts = [rows_of(lake, table) for table in upstream_tables(lake, model)]
    if model.layout is Partitioning.SNAPSHOT:
        return sum(sum(rows.values()) for rows in counts)
    return sum(rows.get(partition, 0) for rows in counts for partition in partitions)


def rows_of(lake: Lake, table: Table) -> dict[str, int]:
    """Return the rows of a table by date; nothing for a table without dates."""
    if table.layer == "bronze":
        return rows_by_partition(lake.counting(lake.registry.feed(table.name)).live)
    if not table.partitioning.is_by_date or not delta.exists(lake.store, table.path):
        return {}
    files = delta_files.files(lake.store, table.path)
    dated = files.select(table.partitioning.date.cast(pl.String).alias("part"), "num_records")
    return {str(part): int(n) for part, n in dated.drop_nulls().group_by("part").agg(pl.sum("num_records")).iter_rows()}


def upstream_tables(lake: Lake, model: Model) -> list[Table]:
    """Return the tables that a model reads."""
    return [lake.registry.table(name) for name in model.upstream]
