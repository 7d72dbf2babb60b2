"""SQL files in Athena's dialect, and the lake's names of tables in it. Not here: running it.

A file holds one query, with a description in the comment at its beginning. Its tables have the names that they have in
the lake (`gold.daily_sales`); in Glue the database is another one for each lake (`lake_gold`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import sqlglot
from sqlglot import exp

from lakehouse_assets.contracts.declare import ContractError

DIALECT = "athena"
LAYERS = ("bronze", "silver", "quarantine", "gold", "ops")


@dataclass(frozen=True)
class Statement:
    """One query of a file, whose name is that of the file without its ending."""

    name: str
    description: str
    sql: str


def statements(folder: Path) -> list[Statement]:
    """Return the queries in the files of a folder by name; none where there is no such folder."""
    return [_statement(path) for path in sorted(folder.glob("*.sql"))]


def _statement(path: Path) -> Statement:
    lines = path.read_text(encoding="utf-8").strip().splitlines()
    told = next((at for at, line in enumerate(lines) if not line.startswith("--")), len(lines))
    description = " ".join(line.removeprefix("--").strip() for line in lines[:told])
    return Statement(path.stem, description, "\n".join(lines[told:]))


def tables_in(sql: str) -> set[str]:
    """Return the lake's names of the tables that a query reads.

    Raises:
        ContractError: It is not one query in Athena's dialect.
    """
    try:
        found = sqlglot.parse(sql, read=DIALECT)
    except sqlglot.errors.SqlglotError as error:
        first = str(error).splitlines()[0]
        raise ContractError(f"the SQL cannot be read as Athena's: {first}") from None  # noqa: EM102 - one sentence
    if len(found) != 1 or not isinstance(found[0], exp.Query):
        msg = "the SQL is not one query of Athena. Nothing was run; write one SELECT."
        raise ContractError(msg)
    named = {f"{table.db}.{table.name}".lower() for table in found[0].find_all(exp.Table) if table.db}
    return {name for name in named if name.partition(".")[0] in LAYERS}


def in_glue(sql: str, prefix: str) -> str:
    """Return a query with the databases of Glue in the place of the lake's layers; all else stays as it is written."""
    names, found = tables_in(sql), list(_names(sql))
    for layer, table, start, end in reversed(found):
        if f"{layer}.{table}" in names:
            sql = f'{sql[:start]}"{prefix}_{layer}"{sql[end:]}'
    return sql


def _names(sql: str) -> Iterator[tuple[str, str, int, int]]:
    """Yield each `layer.table` with the place of the layer in the text."""
    tokens = sqlglot.tokenize(sql, read=DIALECT)
    for first, dot, second in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if first.text.lower() in LAYERS and dot.text == "." and sql[first.start] != "'":
            yield first.text.lower(), second.text.lower(), first.start, first.end + 1
