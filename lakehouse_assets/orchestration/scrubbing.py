"""Scrubbing a lake's Dagster instance: a person's value goes from what runs, events, ticks and logs say.

Here is what knows the instance's files: SQLite databases, logs, outputs of ops. What the value is and which mark stands
for it is the caller's; so are the tables of the lake. Nothing goes that the UI shows: every run and every event stays,
with the mark where the value was.
"""

import os
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME

from lakehouse_assets.orchestration.redaction import Redaction, UnwritableError, is_count

_PATIENCE = 30.0  # seconds; Dagster's own connections wait as long
_ROUNDS, _MARKS = 5, 1000
_SQLITE = b"SQLite format 3\0"
_EMPTY = ".empty-"  # of `event_log.KeptSqliteEventLogStorage`
_BESIDE = re.compile(r"-(wal|shm|journal)$")
_TEMPORARY, _UNFINISHED = ".scrubbing", ".scrub-is-unfinished"
_NOBODYS = {"status", "dagster_event_type", "snapshot_type", "job_type", "instigator_type"}  # words of Dagster's
_ON_DISK = {"LocalComputeLogManager", "NoOpComputeLogManager", "LocalArtifactStorage"}
_LOCKS = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_LOCKED = "another process keeps it locked, so the value or old bytes of it may still be there; stop Dagster and repeat"


@dataclass(frozen=True)
class Scrubbed:
    """What was scrubbed, or would be.

    Attributes:
        changed: Texts changed, by file relative to the instance's folder; a file rewritten, renamed or removed is one.
        unsearched: What was not searched or could not be cleaned, a sentence each: which, what follows, what to do.
    """

    changed: dict[str, int] = field(default_factory=dict)
    unsearched: list[str] = field(default_factory=list)


def scrub(home: Path, redact: Callable[[str], str], *, dry_run: bool = False) -> Scrubbed:
    """Put a mark in place of a person's value in all that an instance keeps below its folder, and drop the old bytes.

    Dagster may be running. What a process still holds in memory it may write again, and the log that a step is writing
    is replaced under it: what it prints after that is lost. If interrupted, repeat it.

    Args:
        home: Folder of the instance as `instance.prepare_home` leaves it; it need not exist.
        redact: Takes a text that a person could read; returns it with marks, or as it is if the value is not in it.
        dry_run: Count the same, change nothing.
    """
    work = _Scrubbing(home.absolute(), Redaction(redact), dry_run=dry_run)
    if home.is_dir():
        unfinished = work.home / _UNFINISHED
        work.thorough = unfinished.exists()
        if not dry_run:
            unfinished.touch()
        work.configuration()
        work.folder(work.home, set())
        if not (dry_run or work.done.unsearched):
            unfinished.unlink()
    return work.done


class _Cell(NamedTuple):
    """A value of a database, and what is to stand in its place."""

    table: str
    column: str
    row: int
    kind: str
    before: bytes
    after: bytes


class _Scrubbing:
    """One pass over an instance."""

    def __init__(self, home: Path, redaction: Redaction, *, dry_run: bool) -> None:
        self.home, self.redaction, self.dry_run = home, redaction, dry_run
        self.done = Scrubbed()
        self.thorough = False  # whether an earlier pass may have left old bytes where every row is clean

    def configuration(self) -> None:
        """Say what the configuration keeps elsewhere than below the folder."""
        config = self.home / "dagster.yaml"
        if not config.exists():
            return
        try:
            ref = InstanceRef.from_dir(str(self.home))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it: where the instance is, is not known
            why = type(error).__name__
            self._unsearched(config, f"cannot be read ({why}), so what is kept elsewhere was not searched; mend it")
            return
        kept: dict[str, list[str]] = {}
        for what, data in (
            ("runs", ref.run_storage_data or ref.storage_data),
            ("events", ref.event_storage_data or ref.storage_data),
            ("ticks", ref.schedule_storage_data or ref.storage_data),
            ("logs", ref.compute_logs_data),
            ("outputs of ops", ref.local_artifact_storage_data),
        ):
            if data is None:
                continue
            folder = data.config_dict.get("base_dir") or str(self.home)
            if isinstance(folder, dict):
                folder = os.environ.get(folder.get("env", ""), "an unknown folder")
            if "Sqlite" not in data.class_name and data.class_name not in _ON_DISK:
                module = data.config_dict.get("module_name", data.module_name).partition(".")[0]
                kept.setdefault(f"by {module}", []).append(what)
            elif not (self._is_below(Path(folder)) or self._is_below(Path(folder).resolve())):
                kept.setdefault(f"in {folder}", []).append(what)
        for where, those in kept.items():
            what = f"the instance's {', '.join(those)} are kept {where}"
            self._unsearched(config, f"{what}, which was not searched and may still hold the value; erase it there")

    def folder(self, folder: Path, seen: set[Path]) -> None:
        """Scrub all files below a folder; what is linked there belongs to the instance, too."""
        if (real := folder.resolve()) in seen:
            return
        seen.add(real)
        for path in sorted(folder.iterdir()):
            try:
                if path.is_dir():
                    self.folder(path, seen)
                elif path.is_file():
                    self._file(path)
                self._name(path)
            except FileNotFoundError:
                continue  # Dagster removed it
            except OSError as error:
                why = error.strerror or error
                self._unsearched(path, f"cannot be used ({why}), so it may still hold the value; permit it and repeat")

    def _name(self, path: Path) -> None:
        if (name := self.redaction.plain(path.name).replace("/", "_")) == path.name or not path.exists():
            return
        if not self._is_storage(path):
            self._unsearched(path, "its name holds the value; rename or delete it")
            return
        self._changed(path, 1)
        while (target := path.with_name(name)).exists():
            name += "_"
        if not self.dry_run:
            path.rename(target)

    def _file(self, path: Path) -> None:
        if path.name.endswith(_TEMPORARY):  # of a pass that was killed
            if not self.dry_run:
                path.unlink()
            return
        if (beside := _BESIDE.search(path.name)) and _is_sqlite(path.with_name(path.name[: beside.start()])):
            return
        if _is_sqlite(path):
            self._database(path)
            return
        data = path.read_bytes()
        if path.suffix == ".db" and data:
            self._unsearched(path, "is no SQLite database, so what it holds is not known; restore or delete it")
        try:
            clean = self.redaction.content(data, self.redaction.plain)
        except ValueError as error:
            self._unsearched(path, f"cannot be unpacked ({error}), so it may still hold the value; delete it")
            return
        if clean is None and not self._is_storage(path):
            self._unsearched(path, "holds the value in a form that cannot be rewritten; delete it")
        elif clean != data:
            self._changed(path, 1)
            if not self.dry_run:
                _replace(path.resolve(), clean)

    def _database(self, path: Path) -> None:
        try:
            if self.dry_run:
                self._changed(path, self._found(path))
            else:
                self._clean(path)
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _LOCKS:
                self._unsearched(path, _LOCKED)
            else:
                self._unsearched(
                    path, f"cannot be used ({error}), so it may still hold the value; restore or delete it"
                )

    def _found(self, path: Path) -> int:
        """Return how many values a database would change, and leave no file beside it."""
        wal = path.with_name(f"{path.name}-wal")
        for _ in range(_ROUNDS):
            # Read-only, SQLite makes a log and an index of it, and leaves them; it does not where nothing is to change.
            how, before = ("mode=ro" if _size(wal) else "immutable=1"), path.stat()
            with closing(_connect(path, how)) as database:
                try:
                    found = len(self._cells(path, database))
                except sqlite3.DatabaseError:
                    if path.stat().st_mtime_ns == before.st_mtime_ns:
                        raise
                    continue
            if how == "mode=ro" or path.stat().st_mtime_ns == before.st_mtime_ns:
                return found
        self._unsearched(path, _LOCKED)
        return 0

    def _clean(self, path: Path) -> None:
        wal = path.with_name(f"{path.name}-wal")
        rewrite = self.thorough or _size(wal) > 0
        with closing(_connect(path, "mode=rw")) as database:
            database.execute("PRAGMA secure_delete = ON")
            changed = 0
            for _ in range(_ROUNDS):
                # Read without a lock, as that takes its time; what Dagster writes meanwhile is for the next round.
                if not (cells := self._cells(path, database)):
                    break
                database.execute("BEGIN IMMEDIATE")
                written = sum(_put(database, cell) for cell in cells)
                database.execute("COMMIT")
                self._changed(path, written)
                changed += written
            else:
                self._unsearched(path, "the value is written to it again and again; stop Dagster and repeat")
            # Dagster leaves the bytes of what it overwrites or deletes. To a run's events it only adds, and writing
            # those of a thousand runs anew takes half a minute; the empty one is copied at any moment.
            if not changed and (path.name.startswith(_EMPTY) or (not rewrite and _is_only_added_to(path, database))):
                return
            database.execute("VACUUM")
            [(busy, *_)] = database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            if busy:
                self._unsearched(path, _LOCKED)

    def _cells(self, path: Path, database: sqlite3.Connection) -> list[_Cell]:
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
            self._unsearched(path, f"{cell.column} of row {cell.row} of its table {cell.table} {what}; delete the row")
        return cells

    def _after(self, cell: _Cell, encoding: str) -> bytes | None:
        if cell.kind == "blob":
            return self.redaction.content(cell.before, self.redaction.text)
        before = cell.before.decode(encoding, "surrogateescape")
        clean = self.redaction.text(before)
        return cell.before if clean == before else clean.encode(encoding, "surrogateescape")

    def _is_below(self, path: Path) -> bool:
        return path.is_relative_to(self.home) or path.is_relative_to(self.home.resolve())

    def _is_storage(self, path: Path) -> bool:
        """Return whether a file is of a run, a log or an output of an op: nobody reads the latter in this project."""
        return path.relative_to(self.home).parts[0] == "storage"

    def _changed(self, path: Path, texts: int) -> None:
        if texts:
            name = self.redaction.plain(str(path.relative_to(self.home)))
            self.done.changed[name] = self.done.changed.get(name, 0) + texts

    def _unsearched(self, path: Path, what: str) -> None:
        if (told := self.redaction.plain(f"{path}: {what}.")) not in self.done.unsearched:
            self.done.unsearched.append(told)


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


def _is_sqlite(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(_SQLITE)) == _SQLITE


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _replace(path: Path, content: bytes | None) -> None:
    """Put content in a file's place at once, or nothing."""
    if content is None:
        path.unlink()
        return
    temporary = path.with_name(f".{path.name}{_TEMPORARY}")
    temporary.touch(0o600)
    temporary.write_bytes(content)
    shutil.copymode(path, temporary)
    temporary.replace(path)
