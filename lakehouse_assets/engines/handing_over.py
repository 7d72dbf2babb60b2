"""Tables handed to Python code in the type that it asks for, and what it returns taken as a frame."""

import inspect
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from lakehouse_assets.contracts.python_function import Function, kinds
from lakehouse_assets.engines.duckdb_session import session

# What they say is of the code. The texts of other errors may quote values, which may be personal data.
_OF_THE_CODE = (pl.exceptions.ColumnNotFoundError, NameError, AttributeError, ImportError)


class CallError(Exception):
    """A function failed, or returned something that is no table; the message quotes no values."""


def call(function: Function, inputs: Mapping[str, str], tables: Mapping[str, pl.LazyFrame]) -> pl.DataFrame:
    """Call a function with its tables and return its result.

    Args:
        inputs: SQL name of the table by parameter.
        tables: The tables by SQL name.

    Raises:
        CallError: It failed, or its result is no table.
    """
    asked = kinds(function)
    connection = session(tables) if "duckdb.DuckDBPyRelation" in asked.values() else None
    try:
        given = {name: as_kind(kind, inputs[name], tables[inputs[name]], connection) for name, kind in asked.items()}
        try:
            return taken(function(**given))
        except CallError:
            raise
        except (Exception, SystemExit) as error:  # code that ends the process would end the run of every table
            raise CallError(_failure(function, error)) from error
    finally:
        if connection is not None:
            connection.close()


def _failure(function: Function, error: Exception | SystemExit) -> str:
    """Return the kind of an error and the function's own line that it came from."""
    file = inspect.getsourcefile(function)
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    place = f"{Path(file).name}:{lines[-1]}" if file and lines else "the computation of its result"
    text = f": {str(error).splitlines()[0]}" if isinstance(error, _OF_THE_CODE) and str(error) else ""
    return f"{type(error).__name__} at {place}{text}"


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
    """Return a table that a function returned, of any of `KINDS`, as a frame. Raises `CallError`."""
    if isinstance(result, pl.DataFrame | pl.LazyFrame):
        return result.lazy().collect()
    if hasattr(result, "to_arrow_table"):  # a DuckDB relation
        result = result.to_arrow_table()
    if hasattr(result, "__arrow_c_stream__"):
        return pl.DataFrame(result)
    msg = f"it returns {type(result).__name__}, not a table; return a Polars frame, an Arrow table or a DuckDB relation"
    raise CallError(msg)
