"""The SQL of a view over one table, as DuckDB reads it without an extension. Not here: the file that has the views."""

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Table
from lakehouse_assets.contracts.sql_text import identifier, literal
from lakehouse_assets.pipeline.accounting import TABLE as ACCOUNTING
from lakehouse_assets.storage import delta, delta_files
from lakehouse_assets.storage.delta_types import duckdb_type


def select_of(lake: Lake, table: Table) -> str:
    """Return the SELECT that shows a table as it is now, by the names of its files."""
    declared = table.types
    # Opened once: the log of a table with many files takes a while to read.
    stored = delta.latest(lake.store, table.path) if delta.exists(lake.store, table.path) else None
    uris = delta_files.file_uris(lake.store, table.path, stored) if stored is not None else []
    # The lake's own columns have a meaning where they are missing; those of a contract have none before it is applied.
    shown = declared if table is ACCOUNTING else delta.scan(lake.store, table.path, declared, stored).collect_schema()
    columns = {name: duckdb_type(dtype) for name, dtype in shown.items()}
    nothing = "SELECT " + ", ".join(f"NULL::{kind} AS {identifier(name)}" for name, kind in columns.items())
    if stored is None or not uris:
        return f"{nothing} WHERE false"
    # As one text: while DuckDB makes the view, or reads it, it needs 10 KB for each element of a list.
    files = f"string_split({literal('|'.join(uris))}, '|')"  # no root and no file of ours has it in its name
    hive = {name: duckdb_type(dtype) for name, dtype in table.partitioning.columns.items()}
    if table is ACCOUNTING:
        hive = dict.fromkeys(stored.metadata().partition_columns, "VARCHAR")
    types = ", ".join(f"'{name}': {kind}" for name, kind in hive.items())
    options = f", hive_partitioning = true, hive_types = {{{types}}}" if hive else ", hive_partitioning = false"
    # A column that was added later is missing in older files; to look into every one of them takes a while.
    options += "" if delta_files.are_alike(lake.store, table.path, stored) else ", union_by_name = true"
    chosen = ", ".join(identifier(name) for name in columns)
    rows = f"FROM read_parquet({files}{options})"
    return f"SELECT {chosen} FROM ({nothing} WHERE false UNION ALL BY NAME {rows})"  # noqa: S608 - names of our own
