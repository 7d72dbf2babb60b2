"""Running a person's SQL and writing its answer as a table, JSON or CSV. Not here: which tables there are."""

import csv
import datetime as dt
import decimal
import difflib
import io
import json
import logging
import math
import re
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text
from sqlglot import exp
from sqlglot.errors import SqlglotError

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.views import parsed, tables_in
from lakehouse_assets.engines.duckdb_session import session
from lakehouse_assets.query.tables import described, frames

# Table functions of DuckDB to which a name is a value, that may be put together when the query runs.
_NAMES_A_VALUE = re.compile(r"\bquery(_table)?\s*\(", re.IGNORECASE)
_NO_TABLE, _NEAR = "Table with name", 3
_READ_ONLY = "A query reads the lake's tables only; `--unsafe` lifts this."

# It warns of a statement that is no query, such as EXPLAIN; whether that is wrong is for DuckDB to say.
logging.getLogger("sqlglot").setLevel(logging.ERROR)


class QueryError(Exception):
    """The SQL could not be run; the message is one line."""


@dataclass(frozen=True)
class Answer:
    """Column names and rows of a query, as Python values."""

    columns: list[str]
    rows: list[tuple[Any, ...]]


def run(lake: Lake, sql: str, at: dt.datetime | None = None, *, unsafe: bool = False) -> Answer:
    """Run DuckDB SQL over the tables of the lake, as they stand or as they stood. Raises `QueryError`.

    Args:
        unsafe: Let the SQL reach files and other databases, too, in any number of statements; the answer is the last
            one's. Without it, the SQL is one query of the lake's tables.
    """
    import duckdb  # noqa: PLC0415 - not at import of the command line

    _check(sql, unsafe=unsafe)
    views = lake.registry.views
    read = None if unsafe else _tables_read(lake, sql)
    named_in = " ".join([sql, *(text for name, text in views.items() if name in sql)])
    tables = frames(lake, at, "" if _NAMES_A_VALUE.search(sql) else named_in, only=read)
    whole = {name: text for name, text in views.items() if tables_in(text) <= tables.keys()}
    connection = session(tables, whole, unsafe=unsafe)
    try:
        result = connection.sql(sql)
        return Answer([], []) if result is None else Answer(list(result.columns), result.fetchall())
    except duckdb.Error as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        if isinstance(error, duckdb.CatalogException) and _NO_TABLE in lines[0]:
            lines = [_unknown_table(lake, sql) or lines[0]]
        if isinstance(error, duckdb.PermissionException):
            lines = [f"{lines[0]}.", _READ_ONLY]
        raise QueryError(" ".join(lines[:2])) from error
    finally:
        connection.close()


def _tables_read(lake: Lake, sql: str) -> set[str] | None:
    """Return the SQL names of the tables that a query reads; None if it may ask for all, or for one that is not there.

    To open a table costs a look at its log, so that a query of one is not to wait for all.
    """
    try:
        read = _names_in(sql)
    except (SqlglotError, RecursionError):
        return None  # DuckDB says what is wrong with it
    views, known = lake.registry.views, _known(lake)
    return read.union(*(tables_in(views[name]) for name in read & views.keys())) if read and read <= known else None


def _names_in(sql: str) -> set[str]:
    """Return the names of the tables that a query reads, but those that it defines. Raises where it is no SQL."""
    statement = parsed(sql)
    own = {named.alias for named in statement.find_all(exp.CTE)}
    found = {(table.db, table.name) for table in statement.find_all(exp.Table)}
    return {f"{schema}.{name}" if schema else name for schema, name in found if schema or name not in own}


def _known(lake: Lake) -> set[str]:
    return {table.full_name for table in (*lake.registry.tables(), *described())} | lake.registry.views.keys()


def _unknown_table(lake: Lake, sql: str) -> str | None:
    """Return which table of a query the lake does not have, and what its own are called; None where that is unclear."""
    known = _known(lake)
    try:
        unknown = sorted(name for name in _names_in(sql) if name.lower() not in known)
    except (SqlglotError, RecursionError):
        return None
    if not unknown:
        return None
    # Also by the name alone: the layer may be wrong, or missing.
    name = unknown[0].lower()
    alone = [table for table in sorted(known) if table.partition(".")[2] == name.rpartition(".")[2]]
    near = dict.fromkeys([*difflib.get_close_matches(name, sorted(known), _NEAR), *alone])
    like = f"names like it: {', '.join(near)}. " if near else ""
    broken = "Some cannot be loaded: see `lakehouse status`. " if lake.registry.broken else ""
    return f"the lake has no table {unknown[0]}. {broken}{like}`lakehouse tables` lists them all."


def _check(sql: str, *, unsafe: bool) -> None:
    """Raise `QueryError` unless the SQL is one query: a statement that answers with rows and changes nothing."""
    import duckdb  # noqa: PLC0415 - not at import of the command line

    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error as error:
        raise QueryError(" ".join(line.strip() for line in str(error).splitlines() if line.strip())) from error
    if not statements:
        msg = "the SQL is empty; write a query such as FROM gold.daily_sales."
        raise QueryError(msg)
    if unsafe:
        return
    if len(statements) > 1:
        msg = (
            f"the SQL has {len(statements)} statements. Nothing was run; write one query, and call again for the next."
        )
        raise QueryError(msg)
    kind = statements[0]
    # A PIVOT is several statements to DuckDB.
    if kind.type != duckdb.StatementType.MULTI and kind.expected_result_type != [
        duckdb.ExpectedResultType.QUERY_RESULT
    ]:
        msg = f"{kind.type.name} is not a query. Nothing was run. {_READ_ONLY}"
        raise QueryError(msg)


def as_json(answer: Answer) -> str:
    """Return one array of objects; decimals are exact JSON numbers, times ISO 8601, NaN and infinity null."""
    rows = [
        "{" + ", ".join(f"{json.dumps(n)}: {_json(v)}" for n, v in zip(answer.columns, row, strict=True)) + "}"
        for row in answer.rows
    ]
    return "[" + ",\n ".join(rows) + "]"


def as_csv(answer: Answer) -> str:
    """Return CSV with a header line; null is empty."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(answer.columns)
    writer.writerows([["" if value is None else _plain(value) for value in row] for row in answer.rows])
    return buffer.getvalue().rstrip("\n")


def as_table(answer: Answer) -> str:
    """Return a text table, as wide as its content."""
    table = RichTable(box=box.SIMPLE_HEAD, pad_edge=False)
    for at, name in enumerate(answer.columns):
        numbers = all(isinstance(row[at], int | float | decimal.Decimal | None) for row in answer.rows)
        table.add_column(Text(name), justify="right" if numbers else "left", no_wrap=True)
    for row in answer.rows:
        table.add_row(*(Text("" if value is None else _plain(value)) for value in row))
    console = Console(file=io.StringIO(), width=100_000, color_system=None)
    console.print(table)
    output = console.file
    assert isinstance(output, io.StringIO)  # noqa: S101 - for the type checker
    return "\n".join(line.rstrip() for line in output.getvalue().strip("\n").splitlines())


def _plain(value: Any) -> str:  # noqa: ANN401 - any SQL value
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case decimal.Decimal():
            return format(value, "f")
        case dt.datetime():
            return value.isoformat(sep=" ")
        case dt.date() | dt.time() | int() | float():
            return str(value)
        case _:
            return _json(value)


def _json(value: Any) -> str:  # noqa: ANN401 - any SQL value
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case decimal.Decimal():
            return format(value, "f") if value.is_finite() else "null"
        case float():
            return json.dumps(value) if math.isfinite(value) else "null"
        case int():
            return str(value)
        case dt.datetime() | dt.date() | dt.time():
            return json.dumps(value.isoformat())
        case dict():
            return "{" + ", ".join(f"{json.dumps(str(k))}: {_json(v)}" for k, v in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(_json(item) for item in value) + "]"
        case _:
            return json.dumps(str(value), ensure_ascii=False)
