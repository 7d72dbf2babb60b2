"""DuckDB sessions over frames of the lake. Here: how a session is set up; not here: which tables it holds."""

import os
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

import polars as pl

from lakehouse_assets.engines.streamed_frame import StreamedFrame
from lakehouse_assets.storage.temporary import TemporaryFolder

if TYPE_CHECKING:
    import duckdb

# Of a lazy frame DuckDB expects one row, and so few it would join in a loop over all pairs: as of a time, or by range.
_NO_LOOPS = ("asof_loop_join_threshold", "merge_join_threshold", "nested_loop_join_threshold")
_SETTINGS = "; ".join(("SET TimeZone = 'UTC'", *(f"SET {name} = 0" for name in _NO_LOOPS)))
_Tables: TypeAlias = Mapping[str, pl.LazyFrame | pl.DataFrame | StreamedFrame]
_LOCK = "SET enable_external_access = false; SET lock_configuration = true"
_LENT = "lent"
_IDLE: "list[duckdb.DuckDBPyConnection]" = []


def session(
    tables: _Tables,
    views: Mapping[str, str] | None = None,
    *,
    unsafe: bool = False,
    memory: str | None = None,
) -> "duckdb.DuckDBPyConnection":
    """Return a DuckDB connection in which some frames are tables under their SQL names.

    Its SQL sees these tables only: no file, no other database, no extension, no variable of this program. The time
    zone is UTC. Filters and column choices reach lazy frames, which are collected; of streamed ones all is read, and
    not held. What exceeds the memory goes to the system's folder for temporary files.

    Args:
        tables: The frames by SQL name.
        views: SQL over these tables by the view's name.
        unsafe: Let its SQL also read and write files, attach databases and change settings.
        memory: How much DuckDB may hold, without collected frames; by default 80 % of what the machine has.
    """
    connection = _started(memory)
    _fill(connection, tables, views or {})
    if not unsafe:
        connection.sql(_LOCK)
    return connection


@contextmanager
def lent(tables: _Tables) -> Iterator["duckdb.DuckDBPyConnection"]:
    """Lend a connection as `session` returns it, to a DuckDB instance that was used before: to start one takes 20 ms.

    The tables are in a database of this query's own, and nobody else has the instance meanwhile. For queries only: what
    other SQL may leave in the instance, the next query would find.
    """
    try:
        connection = _IDLE.pop()
    except IndexError:
        connection = session({})
    try:
        connection.sql(f"ATTACH ':memory:' AS {_LENT}; USE {_LENT}")
        _fill(connection, tables, {})
        yield connection
        for name in tables:
            connection.unregister(_frame_of(name))
        connection.sql(f"USE memory; DETACH {_LENT}")
    except BaseException:
        connection.close()
        raise
    _IDLE.append(connection)


def _end_idle() -> None:
    while _IDLE:
        _IDLE.pop().close()


# A forked process would have a database without its threads, and die when it closes it.
os.register_at_fork(before=_end_idle)


def _started(memory: str | None) -> "duckdb.DuckDBPyConnection":
    import duckdb  # noqa: PLC0415 - not at import of a declaration

    connection = duckdb.connect(
        config={
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "python_enable_replacements": "false",
            "temp_directory": str(_spilled(tempfile.gettempdir()).path / uuid.uuid4().hex),
        }
    )
    connection.sql(_SETTINGS)
    if memory is not None:
        connection.sql(f"SET memory_limit = '{memory}'")
    return connection


def _fill(connection: "duckdb.DuckDBPyConnection", tables: _Tables, views: Mapping[str, str]) -> None:
    for schema in sorted({name.split(".", 1)[0] for name in [*tables, *views]}):
        connection.sql(f'CREATE SCHEMA "{schema}"')
    for name, frame in tables.items():
        schema, table = name.split(".", 1)
        connection.register(_frame_of(name), frame)
        connection.sql(f'CREATE VIEW "{schema}"."{table}" AS FROM "{_frame_of(name)}"')
    for name, text in views.items():
        connection.sql(f"CREATE VIEW {name} AS {text}")


def _frame_of(name: str) -> str:
    return name.replace(".", "__", 1)


@cache
def _spilled(_place: str) -> TemporaryFolder:
    """Return the folder of this process: a relation may outlive the connection that it came from."""
    return TemporaryFolder()
