"""A SQLite database of a Dagster instance, scrubbed in place while Dagster may be using it.

Here is what is particular to SQLite and to Dagster's use of it. Not here: which files there are, and what is a value.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME

from lakehouse_assets.orchestration.redaction import Redaction, UnwritableError, is_count

_PATIENCE = 30.0  # seconds; Dagster's own connections wait as long
_ROUNDS, _MARKS = 5, 1000
_EMPTY = ".empty-"  # of `event_log.KeptSqliteEventLogStorage`
# Words of Dagster's, and the names by which it finds assets, steps and jobs.
_NOBODYS = {"status", "dagster_event_type", "snapshot_type", "job_type", "instigator_type"} | {
    *("asset_key", "step_key", "pipeline_name", "job_name", "run_id")
}
_LOCKS = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_LOCKED = "another process keeps it locked, so the value or old bytes of it may still be there; stop Dagster and repeat"


class _Cell(NamedTuple):
    """A value of a database, and what is to stand in its place."""

    table: str
    column: str
    row: int
    kind: str
    before: bytes
    after: bytes


class ScrubbedDatabase:
    """One database and what is done to it.

    Args:
        changed: Told how many texts were changed.
        unsearched: Told what could not be searched or cleaned, as the rest of a sentence about the file.
    """

    def __init__(
        self, path: Path, redaction: Redaction, changed: Callable[[int], None], unsearched: Callable[[str], None]
    ) -> None:
        self._path, self._redaction = path, redaction
        self._changed, self._unsearched = changed, unsearched

    def scrub(self, *, thorough: bool, dry_run: bool) -> None:
        """Put marks in place of the value, or count them; what cannot be done is told, not raised.

        Args:
            thorough: Old bytes may be left where every row is clean: an earlier pass was interrupted.
        """
        try:
            if dry_run:
                self._changed(self._found())
            else:
                self._clean(thorough=thorough)
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _LOCKS:
                self._unsearched(_LOCKED)
            else:
                self._unsearched(f"cannot be used ({error}), so it may still hold the value; restore or delete it")

    def _found(self) -> int:
        """Return how many values a database would change, and leave no file beside it."""
        path, wal = self._path, self._path.with_name(f"{self._path.name}-wal")
        for _ in range(_ROUNDS):
            # Read-only, SQLite makes a log and an index of it, and leaves them; it does not where nothing is to change.
            how, before = ("mode=ro" if _size(wal) else "immutable=1"), path.stat()
            with closing(_connect(path, how)) as database:
                try:
                    found = len(self._cells(database))
                except sqlite3.DatabaseError:
                    if path.stat().st_mtime_ns == before.st_mtime_ns:
                        raise
                    continue
            if how == "mode=ro" or path.stat().st_mtime_ns == before.st_mtime_ns:
                return found
        self._unsearched(_LOCKED)
        return 0

    def _clean(self, *, thorough: bool) -> None:
        path, wal = self._path, self._path.with_name(f"{self._path.name}-wal")
        rewrite = thorough or _size(wal) > 0
        with closing(_connect(path, "mode=rw")) as database:
            database.execute("PRAGMA secure_delete = ON")
            changed = 0
            for _ in range(_ROUNDS):
                # Read without a lock, as that takes its time; what Dagster writes meanwhile is for the next round.
                if not (cells := self._cells(database)):
                    break
                database.execute("BEGIN IMMEDIATE")
                written = sum(_put(database, cell) for cell in cells)
                database.execute("COMMIT")
                self._changed(written)
                changed += written
            else:
                self._unsearched("the value is written to it again and again; stop Dagster and repeat")
            # Dagster leaves the bytes of what it overwrites or deletes. To a run's events it only adds, and writing
            # those of a thousand runs anew takes half a minute; the empty one is copied at any moment.
            if not changed and (path.name.startswith(_EMPTY) or (not rewrite and _is_only_added_to(path, database))):
                return
            database.execute("VACUUM")
            [(busy, *_)] = database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            if busy:
                self._unsearched(_LOCKED)

    def _cells(self, database: sqlite3.Connection) -> list[_Cell]:
        """Return the values of a database that hold the person's one."""
        [(encoding,)] = database.execute("PRAGMA encoding")
        cells = []
        for cell in _values(database):
            try:
                after = self._after(cell, encoding)
            except UnwritableError:
                what = "holds the value where Dagster needs it"
            except ValueError as error:
                what = f"cannot be unpacked ({error}), so it may still hold the value"
            else:
                if after is not None:
                    if after != cell.before:
                        cells.append(cell._replace(after=after))
                    continue
                what = "holds the value in a form that cannot be rewritten"
            self._unsearched(f"{cell.column} of row {cell.row} of its table {cell.table} {what}; delete the row")
        return cells

    def _after(self, cell: _Cell, encoding: str) -> bytes | None:
        if cell.kind == "blob":
            return self._redaction.content(cell.before, self._redaction.text)
        before = cell.before.decode(encoding, "surrogateescape")
        clean = self._redaction.text(before)
        return cell.before if clean == before else clean.encode(encoding, "surrogateescape")


def _values(database: sqlite3.Connection) -> Iterator[_Cell]:
    """Yield every text and every binary value of a database, as the bytes that they are."""
    tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'sqlite_sequence'")
    for (table,) in tables.fetchall():
        names = database.execute("SELECT name FROM pragma_table_info(?)", [table]).fetchall()
        columns = [name for (name,) in names if name not in _NOBODYS]
        picked = ", ".join(f"typeof({_quoted(name)}), CAST({_quoted(name)} AS BLOB)" for name in columns)
        for row, *pairs in database.execute(f"SELECT rowid, {picked} FROM {_quoted(table)}"):  # noqa: S608 - quoted
            found = {c: _Cell(table, c, row, k, v, v) for c, k, v in zip(columns, pairs[::2], pairs[1::2], strict=True)}
            if {"key", "value"} <= found.keys():  # a tag
                key, value = (str(found[name].before or b"", "utf-8", "replace") for name in ("key", "value"))
                if is_count(key, value):
                    continue
            yield from (cell for cell in found.values() if cell.kind in {"text", "blob"})


def _put(database: sqlite3.Connection, cell: _Cell) -> int:
    """Write a value, if nobody else wrote it since it was read; return how many were written."""
    column, table = _quoted(cell.column), _quoted(cell.table)
    new = "CAST(? AS TEXT)" if cell.kind == "text" else "?"
    change = f"UPDATE {table} SET {column} = {new} WHERE rowid = ? AND CAST({column} AS BLOB) = ?"  # noqa: S608
    after = cell.after
    while True:
        try:
            return database.execute(change, [after, cell.row, cell.before]).rowcount
        except sqlite3.IntegrityError:  # a second mark where only one of each may be; JSON may end in spaces, too
            if len(after) > len(cell.after) + _MARKS:
                raise
            after += b" "


def _is_only_added_to(path: Path, database: sqlite3.Connection) -> bool:
    """Return whether a database has the events of one run, and none of them was ever deleted."""
    index = path.with_name(f"{INDEX_SHARD_NAME}.db")
    if path == index or not index.exists():
        return False
    [(free,)] = database.execute("PRAGMA freelist_count")
    [(deleted,)] = database.execute("SELECT max(id) IS NOT count(*) FROM event_logs")
    return not (free or deleted)


def _connect(path: Path, how: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.as_uri()}?{how}", uri=True, timeout=_PATIENCE, isolation_level=None)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
