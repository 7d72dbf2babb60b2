"""Reading one table of any layer lazily: some partitions, or all.

Bronze shows the live records only. Not here: what is done with the rows.
"""

from collections.abc import Iterable

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Table
from lakehouse_assets.pipeline.bronze import read_bronze
from lakehouse_assets.storage import delta


def read(lake: Lake, table: Table, partitions: Iterable[str] | None = None) -> pl.LazyFrame:
    """Return the rows of a table; one that is not yet written is empty.

    Args:
        partitions: Those to read; None for all. A table without dates is always read whole.
    """
    if not table.partitioning.is_by_date:
        partitions = None
    if table.layer == "bronze":
        feed = lake.registry.feed(table.name)
        ledger = lake.counting(feed)
        chosen = ledger.live if partitions is None else ledger.live_of(partitions)
        return read_bronze(lake, feed, chosen, in_order=False).select(*table.columns)
    rows = delta.scan(lake.store, table.path, table.types)
    return rows if partitions is None else rows.filter(table.partitioning.filter(list(partitions)))
