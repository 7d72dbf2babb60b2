"""What queries in Athena cost: an object per query, and the table `ops.query_costs`, which adds them up by day.

An object of its own needs no commit that another query could be in the way of. Not here: running queries.
"""

import datetime as dt
import json

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Column, Table
from lakehouse_assets.contracts.partitioning import Partitioning

_FOLDER = "query_costs"
TABLE = Table(
    layer="ops",
    name="query_costs",
    columns={
        "dt": Column(pl.Date(), "Day on which the queries ran, UTC."),
        "engine": Column(pl.String(), "Where they ran: athena."),
        "queries": Column(pl.Int64(), "Queries that the lake ran and that succeeded."),
        "bytes_scanned": Column(pl.Int64(), "Bytes that they scanned."),
        "usd": Column(pl.Float64(), "What that costs in US dollars, at the price of the settings."),
    },
    partitioning=Partitioning.SNAPSHOT,
    description="What queries in Athena cost, by day: those after registrations, and of `lakehouse query`.",
    owner="team:data-platform",
)


def record(lake: Lake, engine: str, query: str, scanned: int, usd: float) -> None:
    """Record what a query cost.

    Args:
        query: Its id, which is never another one's.
        scanned: Bytes.
        usd: US dollars.
    """
    day = dt.datetime.now(dt.UTC).date().isoformat()
    told = {"engine": engine, "bytes_scanned": scanned, "usd": usd}
    lake.store.create(f"{_FOLDER}/{day}/{query}.json", json.dumps(told).encode())


def by_day(lake: Lake) -> pl.DataFrame:
    """Return the rows of `ops.query_costs`. Reads one object per query."""
    found = [
        {
            "dt": dt.date.fromisoformat(stored.path.split("/")[1]),
            "queries": 1,
            **json.loads(lake.store.read(stored.path)),
        }
        for stored in lake.store.list(_FOLDER)
    ]
    schema = {name: column.dtype for name, column in TABLE.columns.items()}
    rows = pl.DataFrame(found, schema=schema)
    return rows.group_by("dt", "engine").agg(pl.col("queries", "bytes_scanned", "usd").sum()).sort("dt", "engine")
