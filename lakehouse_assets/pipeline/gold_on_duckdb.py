"""A model's SQL on DuckDB, in bounded memory where it reads large tables whole. Not here: what becomes of its rows."""

from collections.abc import Collection, Mapping
from contextlib import closing
from typing import TYPE_CHECKING

import polars as pl
from sqlglot import exp

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Model
from lakehouse_assets.contracts.partitioning import Partitioning
from lakehouse_assets.contracts.views import parsed
from lakehouse_assets.engines.duckdb_session import lent, session
from lakehouse_assets.engines.streamed_frame import StreamedFrame
from lakehouse_assets.pipeline.model_inputs import rows_of, upstream_tables

if TYPE_CHECKING:
    import duckdb

MEMORY = "1GiB"
"""What DuckDB may hold of a query over large tables; the rest goes to the disk."""


class SqlError(Exception):
    """A query failed; the message quotes no values."""


def large_inputs(lake: Lake, model: Model) -> set[str]:
    """Return the SQL names of the tables of which a model reads more rows at once than a batch has.

    Not those whose dates its SQL narrows: only of a lazy frame DuckDB reads no other dates. Nor bronze.
    """
    if model.layout is not Partitioning.SNAPSHOT:
        return set()
    wheres = parsed(model.query).find_all(exp.Where)
    narrowed = {column.name.lower() for where in wheres for column in where.find_all(exp.Column)}
    return {
        table.full_name
        for table in upstream_tables(lake, model)
        if table.layer != "bronze"
        and narrowed.isdisjoint(table.partitioning.columns)
        and sum(rows_of(lake, table).values()) > lake.settings.publish_batch_rows
    }


def rows(
    model: Model, tables: Mapping[str, pl.LazyFrame], large: Collection[str] = (), limit: int | None = None
) -> pl.DataFrame:
    """Return what a model's SQL makes of some tables.

    Args:
        large: The tables to be read as streams.
        limit: The most rows to return.

    Raises:
        SqlError: It fails.
    """
    import duckdb  # noqa: PLC0415 - not at import of a declaration

    given = {name: StreamedFrame(frame) if name in large else frame for name, frame in tables.items()}
    try:
        try:
            return _answer(model.query, given, limit, MEMORY if large else None)
        except duckdb.OutOfMemoryException:
            if not large:
                raise
            return _answer(model.query, given, limit, None)  # not all that DuckDB holds can go to the disk
    except duckdb.Error as error:
        raise SqlError(_told(error)) from None


def _answer(
    query: str, tables: Mapping[str, pl.LazyFrame | StreamedFrame], limit: int | None, memory: str | None
) -> pl.DataFrame:
    with lent(tables) if memory is None else closing(session(tables, memory=memory)) as connection:
        found = connection.sql(query)
        return pl.DataFrame((found if limit is None else found.limit(limit)).to_arrow_table())


def _told(error: "duckdb.Error") -> str:
    """Return what a failed query may say in logs and in Dagster.

    Errors that come before any row is read speak of the SQL. The others quote values, which may be personal data.
    """
    import duckdb  # noqa: PLC0415 - not at import of a declaration

    if isinstance(
        error, duckdb.ParserException | duckdb.BinderException | duckdb.CatalogException | duckdb.PermissionException
    ):
        return str(error)
    return f"a value cannot be computed ({type(error).__name__}); run the SQL with `lakehouse query` to see which"
