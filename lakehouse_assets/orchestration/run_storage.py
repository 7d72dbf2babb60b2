"""Dagster's SQLite storages of runs and of schedules, opened at once when they are there.

The originals load all of Dagster's migrations whenever they are opened, only to see that there are some: a third of a
second for the storages of an instance. A database that bears a migration's number needs none of them. What a new
version of Dagster adds, `dagster instance migrate` does, as with the originals.

Configured in the `dagster.yaml` that `instance.prepare_home` writes. It imports Dagster's internals: its storages have
no public names.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, ClassVar, Self, cast

from dagster._core.storage.runs import SqliteRunStorage
from dagster._core.storage.schedules import SqliteScheduleStorage
from sqlalchemy import Connection, Engine, create_engine

_BUSY_TIMEOUT_S = 30


class _Known:
    """How a storage is opened: one whose database is prepared, without preparing it again."""

    _file: ClassVar[str]

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> Self:  # noqa: ANN401 - as the original
        return cls.from_local(inst_data=inst_data, **config_value)

    @classmethod
    def from_local(cls, base_dir: str, inst_data: Any = None) -> Self:  # noqa: ANN401 - as the original
        storage, file = cast("Any", cls), Path(base_dir).absolute() / cls._file
        if is_prepared(file):
            return cast("Self", storage(f"sqlite:///{file}", inst_data))
        return cast("Self", cast("Any", super()).from_local(base_dir, inst_data))


class KnownSqliteRunStorage(_Known, SqliteRunStorage):
    """The original, except that a database which is prepared is not prepared again, and that it stays connected.

    The original makes an engine for each statement, and at each close SQLite folds its write-ahead log.
    """

    _file = "runs.db"
    _engine: Engine | None = None

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        if self._engine is None:
            self._engine = create_engine(self._conn_string, connect_args={"timeout": _BUSY_TIMEOUT_S})
        with self._engine.connect() as connection, connection.begin():
            yield connection

    def dispose(self) -> None:
        super().dispose()
        if self._engine is not None:
            self._engine.dispose()


class KnownSqliteScheduleStorage(_Known, SqliteScheduleStorage):
    """The original, except that a database which is prepared is not prepared again."""

    _file = "schedules.db"


def is_prepared(file: Path) -> bool:
    """Return whether a database has Dagster's tables, as the number of their migration in it says."""
    if not file.exists():
        return False
    with closing(sqlite3.connect(file)) as connection:
        try:
            return connection.execute("SELECT 1 FROM alembic_version").fetchone() is not None
        except sqlite3.OperationalError:  # there is no such table yet, or another process makes it just now
            return False
