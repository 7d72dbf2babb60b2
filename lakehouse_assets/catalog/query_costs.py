"""What queries in Athena cost: an object per query, and the table `ops.query_costs`, which adds them up by day.

An object of its own needs no commit that another query could be in the way of. Its name says what it holds, so that
reading the table lists objects and opens none. Not here: running queries.
"""

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import polars as pl
from polars.io.plugins import register_io_source

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

_SCHEMA = {name: column.dtype for name, column in TABLE.columns.items()}


def record(lake: Lake, engine: str, query: str, scanned: int, usd: float) -> None:
    """Record what a query cost.

    Args:
        query: Its id, which is never another one's.
        scanned: Bytes.
        usd: US dollars.
    """
    day = dt.datetime.now(dt.UTC).date().isoformat()
    told = {"engine": engine, "bytes_scanned": scanned, "usd": usd}
    name = _SEPARATOR.join([query, engine, str(scanned), repr(usd)])
    lake.store.create(f"{_FOLDER}/{day}/{name}.json", json.dumps(told).encode())


def scan(lake: Lake) -> pl.LazyFrame:
    """Return the rows of `ops.query_costs` lazily: a request for each 1,000 queries of a day that is asked for."""

    def read(
        columns: list[str] | None, predicate: pl.Expr | None, rows: int | None, size: int | None
    ) -> Iterator[pl.DataFrame]:
        del rows, size
        found = _by_day(lake, predicate if predicate is not None and predicate.meta.root_names() == ["dt"] else None)
        found = found if predicate is None else found.filter(predicate)
        yield found if columns is None else found.select(columns)

    return register_io_source(read, schema=_SCHEMA, is_pure=True)


def _by_day(lake: Lake, predicate: pl.Expr | None) -> pl.DataFrame:
    """Return the rows of the days that fulfil a condition on `dt`; of all days without one."""
    folders = [folder.split("/")[1] for folder in lake.store.folders(_FOLDER)]
    days = pl.DataFrame({"dt": folders}, schema={"dt": pl.String}).select(pl.col("dt").str.to_date())
    if predicate is not None:
        days = days.filter(predicate)
    found = [
        {"dt": day, "queries": 1, **_told(lake, stored.path)}
        for day in days["dt"]
        for stored in lake.store.list(f"{_FOLDER}/{day}")
    ]
    rows = pl.DataFrame(found, schema=_SCHEMA)
    return rows.group_by("dt", "engine").agg(pl.col("queries", "bytes_scanned", "usd").sum()).sort("dt", "engine")


def _told(lake: Lake, path: str) -> dict[str, Any]:
    match path.rsplit("/", 1)[1].removesuffix(".json").split(_SEPARATOR):
        case _, engine, scanned, usd:
            return {"engine": engine, "bytes_scanned": int(scanned), "usd": float(usd)}
        case _:  # of an earlier version, whose names said nothing
            told: dict[str, Any] = json.loads(lake.store.read(path))
            return told
