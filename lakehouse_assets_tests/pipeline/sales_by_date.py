"""What the tables of sales hold by date, and how far the feed is. Not here: the tests."""

from collections.abc import Sequence

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.pipeline.accounting import scan_accounting
from lakehouse_assets.pipeline.gate import Outcome
from lakehouse_assets.pipeline.pending import FeedState
from lakehouse_assets.storage import delta
from lakehouse_assets_tests.retail import Record, ingest, land, publish, sales, sales_csv


def put(lake: Lake, key: str, records: Sequence[Record]) -> dict[str, Outcome]:
    land(lake, key, sales_csv(records))
    ingest(lake)
    return publish(lake)


def silver_by_date(lake: Lake) -> dict[str, int]:
    """Published records by date."""
    frame = delta.scan(lake.store, "silver/sales", {"dt": pl.Date()})
    return dict(frame.group_by(pl.col("dt").cast(pl.String)).len().collect().sort("dt").iter_rows())


def quarantine_by_date(lake: Lake) -> dict[str | None, int]:
    frame = delta.scan(lake.store, "quarantine/sales", {"dt": pl.Date()})
    return dict(frame.group_by(pl.col("dt").cast(pl.String)).len().collect().iter_rows())


def accounts(lake: Lake) -> list[dict[str, int | str]]:
    columns = ["part", "source_key", "landed", "valid", "quarantined", "duplicates", "published", "held", "verdict"]
    return scan_accounting(lake.store).select(columns).sort("part", "source_key").collect().rows(named=True)


def state(lake: Lake) -> FeedState:
    feed = sales(lake)
    return FeedState.read(lake, feed, lake.ledger_of(feed))


def table_versions(lake: Lake) -> dict[str, int]:
    from deltalake import DeltaTable

    names = ("silver/sales", "quarantine/sales", "ops/accounting")
    return {name: DeltaTable(lake.store.uri(name)).version() for name in names}
