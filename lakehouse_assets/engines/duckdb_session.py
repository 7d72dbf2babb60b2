"""DuckDB sessions over frames of the lake. Here: how a session is set up; not here: which tables it holds."""

import tempfile
import uuid
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

import polars as pl

from lakehouse_assets.engines.streamed_frame import StreamedFrame
from lakehouse_assets.storage.temporary import TemporaryFolder

if TYPE_CHECKING:
    import duckdb

# Of a lazy frame DuckDB expects one row, and so few it would join in a loop over all pairs: as of a time, or by range.
_NO_LOOPS = ("asof_loop_join_threshold", "merge_join_threshold", "nested_loop_join_threshold")
_SETTINGS = "; ".join(("SET TimeZone = 'UTC'", *(f"SET {name} = 0" for name in _NO_LOOPS)))
_LOCK = "SET enable_external_access = false; SET lock_configuration = true"


def session(
    tables: Mapping[str, pl.LazyFrame | pl.DataFrame | StreamedFrame],
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
    for schema in sorted({name.split(".", 1)[0] for name in [*tables, *(views or {})]}):
        connection.sql(f'CREATE SCHEMA "{schema}"')
    for name, frame in tables.items():
        schema, table = name.split(".", 1)
        connection.register(f"{schema}__{table}", frame)
        connection.sql(f'CREATE VIEW "{schema}"."{table}" AS FROM "{schema}__{table}"')
    for name, text in (views or {}).items():
        connection.sql(f"CREATE VIEW {name} AS {text}")
    if not unsafe:
        connection.sql(_LOCK)
    return connection


@cache
def _spilled(_place: str) -> TemporaryFolder:
    """Return the folder of this process: a relation may outlive the connection that it came from."""
    return TemporaryFolder()
