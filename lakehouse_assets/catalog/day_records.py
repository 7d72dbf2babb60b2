"""Small records of what was spent: an object each, in a folder by day, and tables that add them up by day.

An object of its own needs no commit that another writer could be in the way of. Its name says what it holds, so that
reading a table lists objects and opens none. Not here: what is recorded.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping

import polars as pl
from polars.io.plugins import register_io_source

from lakehouse_assets.context import Lake
from lakehouse_assets.storage.stores import Stored


def create(lake: Lake, folder: str, name: str, data: bytes = b"") -> None:
    """Write a record of today, UTC. The name is never another one's."""
    day = dt.datetime.now(dt.UTC).date().isoformat()
    lake.store.create(f"{folder}/{day}/{name}.json", data)


def records(lake: Lake, folder: str, days: pl.Expr | None) -> Iterator[tuple[dt.date, Stored]]:
    """Yield the records of the days that fulfil a condition on `dt`; of all days without one."""
    names = [name.rpartition("/")[2] for name in lake.store.folders(folder)]
    found = pl.DataFrame({"dt": names}, schema={"dt": pl.String}).select(pl.col("dt").str.to_date())
    for day in (found if days is None else found.filter(days))["dt"]:
        for stored in lake.store.list(f"{folder}/{day}"):
            yield day, stored


def scan(schema: Mapping[str, pl.DataType], by_day: Callable[[pl.Expr | None], pl.DataFrame]) -> pl.LazyFrame:
    """Return a table lazily: a request for each 1,000 records of a day that is asked for.

    Args:
        schema: Its columns, `dt` among them.
        by_day: Returns the rows of the days that fulfil a condition.
    """

    def read(
        columns: list[str] | None, predicate: pl.Expr | None, rows: int | None, size: int | None
    ) -> Iterator[pl.DataFrame]:
        del rows, size
        found = by_day(predicate if predicate is not None and predicate.meta.root_names() == ["dt"] else None)
        found = found if predicate is None else found.filter(predicate)
        yield found if columns is None else found.select(columns)

    return register_io_source(read, schema=schema, is_pure=True)
