"""DuckDB sessions over frames of the lake. Here: how a session is set up; not here: which tables it holds."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    import duckdb


def session(tables: Mapping[str, pl.LazyFrame | pl.DataFrame]) -> "duckdb.DuckDBPyConnection":
    """Return a DuckDB connection in which some frames are tables under their SQL names.

    The time zone is UTC, and nothing is ever downloaded. Filters and column choices reach lazy frames.
    """
    import duckdb  # noqa: PLC0415 - not at import of a declaration

    connection = duckdb.connect(config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"})
    connection.sql("SET TimeZone = 'UTC'")
    for schema in sorted({name.split(".", 1)[0] for name in tables}):
        connection.sql(f'CREATE SCHEMA "{schema}"')
    for name, frame in tables.items():
        schema, table = name.split(".", 1)
        connection.register(f"{schema}__{table}", frame)
        connection.sql(f'CREATE VIEW "{schema}"."{table}" AS FROM "{schema}__{table}"')
    return connection
