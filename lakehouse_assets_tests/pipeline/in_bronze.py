"""What an ingest leaves in bronze."""

from collections.abc import Mapping

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.pipeline.bronze import read_bronze
from lakehouse_assets_tests.retail import ingest, sales


def bronze_files(lake: Lake) -> dict[str, bytes]:
    """Return the bronze files of sales by path."""
    return {stored.path: lake.store.read(stored.path) for stored in lake.store.list("bronze/sales")}


def live_rows(lake: Lake) -> dict[tuple[str, str], int]:
    """Return how many records are live, by partition and source key."""
    rows = lake.ledger_of(sales(lake)).live.select("part", "source_key", "rows").iter_rows()
    return {(partition, key): count for partition, key, count in rows}


def records(lake: Lake) -> pl.DataFrame:
    """Return the records that are live."""
    feed = sales(lake)
    return read_bronze(lake, feed, lake.ledger_of(feed).live).collect()


def touched(lake: Lake) -> Mapping[str, int]:
    """Ingest one batch, and return the partitions that it touches with their records."""
    [result] = ingest(lake)
    return result.touched
