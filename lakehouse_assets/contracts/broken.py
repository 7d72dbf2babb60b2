"""A declaration that cannot be used: where it stands and what is wrong. The rest of the lake goes on without it.

Not here: finding such declarations, which loading a package and putting its tables in order do.
"""

import inspect
import os
import re
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlglot.errors import SqlglotError

from lakehouse_assets.contracts.declare import ContractError, Feed, Model

_LINE = re.compile(r"^LINE (\d+):", re.MULTILINE)
_AT_LINE = re.compile(r"[Ll]ine (\d+)")


@dataclass(frozen=True)
class Broken:
    """One thing that stops some tables.

    Attributes:
        place: The file, with the line where it is known.
        what: What is wrong, in one sentence.
        modules: The modules that cannot be loaded because of it; empty where all of them could.
        table: SQL name of the table that cannot be used, where that is known.
        follows: Nothing is wrong with the table itself, but with one that it reads.
    """

    place: str
    what: str
    modules: tuple[str, ...] = ()
    table: str | None = None
    follows: bool = False

    def __str__(self) -> str:
        if self.follows:
            return f"{self.table} stays as it is: {self.what}."
        stay = f"{self.table} stays as it is"
        if self.table is None:
            stay = f"{' and '.join(self.modules)} cannot be loaded: the tables declared there stay as they are"
        return (
            f"{self.place}: {self.what}. {stay}, and so does every table that reads from there; everything else goes "
            "on. Correct the file, then run again."
        )

    @property
    def may_be_feed(self) -> bool:
        """Whether a feed may be among what cannot be used."""
        return self.table is None or not self.table.startswith("gold.")


def of_module(name: str, error: BaseException, folders: Iterable[str]) -> Broken:
    """Return what an import ended with.

    Args:
        folders: Where the declared package lies: the place is the innermost line of it that the error came through.
    """
    if isinstance(error, SyntaxError) and error.filename:
        return Broken(_place(error.filename, error.lineno), f"{type(error).__name__}: {error.msg}", (name,))
    inside = tuple(f"{Path(folder).absolute()}{end}" for folder in folders for end in (os.sep, ".py"))
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(inside)]
    place = _place(frames[-1].filename, frames[-1].lineno) if frames else name
    return Broken(place, _sentence(error), (name,))


def merged(found: Iterable[Broken]) -> list[Broken]:
    """Return each cause once, with all the modules that it stops: a module may import another one that is broken."""
    causes: dict[tuple[str, str], tuple[str, ...]] = {}
    for broken in found:
        causes[broken.place, broken.what] = (*causes.get((broken.place, broken.what), ()), *broken.modules)
    return [Broken(place, what, modules) for (place, what), modules in causes.items()]


def of_table(table: Feed | Model, error: Exception, *, follows: bool = False) -> Broken:
    """Return why a declared table cannot be used."""
    name = table.table.full_name if isinstance(table, Model) else f"silver.{table.name}"
    if isinstance(table, Model) and table.sql is not None and isinstance(error, SqlglotError):
        line, what = _sql_error(table.sql, error)
        return Broken(_place(str(table.sql), line), what, table=name)
    declared_in = table.sql if isinstance(table, Model) and table.sql else _file_of(table)
    return Broken(_place(str(declared_in), None), _sentence(error), table=name, follows=follows)


def of_asset(asset: Any, error: ContractError) -> Broken:  # noqa: ANN401 - an asset, known only where Dagster is loaded
    """Return why an asset with a schema cannot be used as a table."""
    function = getattr(asset.op.compute_fn, "decorated_fn", None)
    code = getattr(function, "__code__", None)
    name = ".".join(asset.key.path)
    return Broken(_place(code.co_filename, code.co_firstlineno) if code else name, _sentence(error), table=name)


def _file_of(table: Feed | Model) -> str:
    try:
        return inspect.getfile(table.contract if isinstance(table, Feed) else table.schema)
    except (OSError, TypeError):
        return table.name


def _sql_error(file: Path, error: SqlglotError) -> tuple[int | None, str]:
    """Return line and reason as DuckDB says them, which runs the SQL; else as the reader of its tables says them."""
    import duckdb  # noqa: PLC0415 - not at import of a declaration

    text = file.read_text(encoding="utf-8")
    if not text.strip():
        return None, "the file holds no query"
    try:
        duckdb.extract_statements(text)
    except duckdb.Error as found:
        line = _LINE.search(str(found))
        return int(line[1]) if line else None, str(found).strip().splitlines()[0].rstrip(".")
    line = _AT_LINE.search(str(error))
    said = re.sub(r"\x1b\[\d+m", "", str(error)).splitlines()[0].rstrip(".")
    return int(line[1]) if line else None, f"the SQL cannot be read: {said}"


def _sentence(error: BaseException) -> str:
    """Return what an error says on one line without a full stop; its kind too, unless it explains itself."""
    text = " ".join(str(error).split()).rstrip(".")
    return text if isinstance(error, ContractError) else f"{type(error).__name__}: {text}".rstrip(": ")


def _place(file: str, line: int | None) -> str:
    path = Path(file)
    shown = path.relative_to(Path.cwd()) if path.is_absolute() and path.is_relative_to(Path.cwd()) else path
    return f"{shown}:{line}" if line else str(shown)
