"""Tables handed to Python code in the type that it asks for, and what it returns taken as a frame."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from lakehouse_assets.contracts.python_function import Function, kinds
from lakehouse_assets.engines.duckdb_session import session


class ResultError(Exception):
    """A function returned something that is no table."""


def call(function: Function, inputs: Mapping[str, str], tables: Mapping[str, pl.LazyFrame]) -> pl.DataFrame:
    """Call a function with its tables and return its result.

    Args:
        inputs: SQL name of the table by parameter.
        tables: The tables by SQL name.

    Raises:
        ResultError: The result is no table. What the function itself raises is raised as it is.
    """
    asked = kinds(function)
    connection = session(tables) if "duckdb.DuckDBPyRelation" in asked.values() else None
    try:
        given = {name: as_kind(kind, inputs[name], tables[inputs[name]], connection) for name, kind in asked.items()}
        return taken(function(**given))
    finally:
        if connection is not None:
            connection.close()


def as_kind(kind: str, name: str, table: pl.LazyFrame, connection: Any = None) -> Any:  # noqa: ANN401 - what is asked
    """Return a table as one of `KINDS`.

    Args:
        name: SQL name of the table.
        connection: A DuckDB session that has the table; by default, one of its own.
    """
    match kind:
        case "pl.LazyFrame":
            return table
        case "pl.DataFrame":
            return table.collect()
        case "pa.Table":
            return table.collect().to_arrow()
        case _:
            schema, short = name.split(".", 1)
            return (connection or session({name: table})).sql(f'FROM "{schema}"."{short}"')


def taken(result: object) -> pl.DataFrame:
    """Return a table that a function returned, of any of `KINDS`, as a frame. Raises `ResultError`."""
    if isinstance(result, pl.DataFrame | pl.LazyFrame):
        return result.lazy().collect()
    if hasattr(result, "to_arrow_table"):  # a DuckDB relation
        result = result.to_arrow_table()
    if hasattr(result, "__arrow_c_stream__"):
        return pl.DataFrame(result)
    msg = f"it returns {type(result).__name__}, not a table; return a Polars frame, an Arrow table or a DuckDB relation"
    raise ResultError(msg)
