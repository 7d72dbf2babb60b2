"""What queries in Athena cost: a record per query, and the table `ops.query_costs`. Not here: running queries."""

import json
from typing import Any

import polars as pl

from lakehouse_assets.catalog import day_records
from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Column, Table
from lakehouse_assets.contracts.partitioning import Partitioning

_FOLDER, _SEPARATOR = "query_costs", "_"
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

_SCHEMA = TABLE.types


def record(lake: Lake, engine: str, query: str, scanned: int, usd: float) -> None:
    """Record what a query cost.

    Args:
        query: Its id, which is never another one's.
        scanned: Bytes.
        usd: US dollars.
    """
    told = {"engine": engine, "bytes_scanned": scanned, "usd": usd}
    name = _SEPARATOR.join([query, engine, str(scanned), repr(usd)])
    day_records.create(lake, _FOLDER, name, json.dumps(told).encode())


def scan(lake: Lake) -> pl.LazyFrame:
    """Return the rows of `ops.query_costs` lazily."""
    return day_records.scan(_SCHEMA, lambda days: by_day(lake, days))


def by_day(lake: Lake, days: pl.Expr | None) -> pl.DataFrame:
    """Return the rows of the days that fulfil a condition on `dt`; of all days without one."""
    found = [
        {"dt": day, "queries": 1, **_recorded(lake, stored.path)}
        for day, stored in day_records.records(lake, _FOLDER, days)
    ]
    rows = pl.DataFrame(found, schema=_SCHEMA)
    return rows.group_by("dt", "engine").agg(pl.col("queries", "bytes_scanned", "usd").sum()).sort("dt", "engine")


def _recorded(lake: Lake, path: str) -> dict[str, Any]:
    match path.rsplit("/", 1)[1].removesuffix(".json").split(_SEPARATOR):
        case _, engine, scanned, usd:
            return {"engine": engine, "bytes_scanned": int(scanned), "usd": float(usd)}
        case _:  # of an earlier version, whose names said nothing
            told: dict[str, Any] = json.loads(lake.store.read(path))
            return told
