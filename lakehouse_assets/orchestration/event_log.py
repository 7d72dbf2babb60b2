"""Dagster's SQLite event log, made faster: a tenth of the time per event of a date and per new run database.

For each statement the original opens an engine and a connection, and at each close SQLite folds its write-ahead log.
It also migrates a fresh database per run, asks for the tables and columns of the index at each event, and commits each
event three times. A lake records thousands of events in a run of a second.

Configured in the `dagster.yaml` that `instance.prepare_home` writes; instances on other storages, such as Postgres, do
not use it. It imports Dagster's internals: its storages have no public base class.
"""

import os
import shutil
import sqlite3
import uuid
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dagster import AssetCheckEvaluation, DagsterEventType, EventLogEntry
from dagster import __version__ as dagster_version
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, SqlEventLogStorageTable
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SqliteEventLogStorage
from sqlalchemy import Connection, Engine, create_engine, event, select
from sqlalchemy.pool import StaticPool

_KEPT = 4
_BUSY_TIMEOUT_S = 30
_TOGETHER = frozenset({DagsterEventType.ASSET_MATERIALIZATION, DagsterEventType.ASSET_CHECK_EVALUATION})
_LONGEST_BATCH = 500


class KeptSqliteEventLogStorage(SqliteEventLogStorage):
    """The original, except that the last few databases used stay connected. One connection each, under its lock."""

    def __init__(self, base_dir: str, inst_data: Any = None) -> None:  # noqa: ANN401 - as the original
        self._connections: OrderedDict[str, Connection] = OrderedDict()
        self._tables: set[str] = set()
        self._columns: set[str] = set()
        self._waiting: list[EventLogEntry] | None = None
        super().__init__(base_dir, inst_data)

    @classmethod
    def from_config_value(
        cls,
        inst_data: Any,  # noqa: ANN401 - as the original
        config_value: Any,  # noqa: ANN401 - as the original
    ) -> "KeptSqliteEventLogStorage":
        return cls(inst_data=inst_data, **config_value)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            connection = self._connection(shard)
            with connection.begin():
                yield connection

    def _connection(self, shard: str) -> Connection:
        connection = self._connections.pop(shard, None)
        if connection is None:
            connection = self._connected(shard)
        self._connections[shard] = connection
        while len(self._connections) > _KEPT:
            _close(self._connections.popitem(last=False)[1])
        return connection

    def _connected(self, shard: str) -> Connection:
        engine = _engine_at(self.conn_string_for_shard(shard))
        if shard not in self._initialized_dbs:
            if shard == INDEX_SHARD_NAME or Path(self.path_for_shard(shard)).exists():
                self._initdb(engine)
            else:
                self._copy_empty(Path(self.path_for_shard(shard)))
            self._initialized_dbs.add(shard)
        return engine.connect()

    def has_table(self, table_name: str) -> bool:
        # Tables and columns are added by Dagster's migrations and never taken away: what is there once, stays.
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)
        return table_name in self._tables

    def _has_asset_key_col_on_connection(self, conn: Connection, column_name: str) -> bool:
        if column_name not in self._columns and super()._has_asset_key_col_on_connection(conn, column_name):
            self._columns.add(column_name)
        return column_name in self._columns

    @contextmanager
    def together(self) -> Iterator[None]:
        """Store the materializations and check evaluations of the block in few transactions, in their order.

        For a block that does nothing but record events: until its end, others may not see them yet.
        """
        if self._waiting is not None:
            yield
            return
        self._waiting = []
        try:
            yield
        finally:
            self._store_waiting()
            self._waiting = None

    def store_event(self, event: EventLogEntry) -> None:
        if self._waiting is None:
            super().store_event(event)
        elif _is_batched(event):
            self._waiting.append(event)
            if len(self._waiting) >= _LONGEST_BATCH:
                self._store_waiting()
        else:
            self._store_waiting()
            super().store_event(event)

    def _store_waiting(self) -> None:
        waiting, self._waiting = self._waiting or [], []
        if waiting:
            self.store_event_batch(waiting)

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events with the same rows as one after the other, and one transaction per database.

        Only materializations and check evaluations of one run; other batches are stored one after the other.
        """
        run_ids = {entry.run_id for entry in events}
        if len(run_ids) != 1 or not all(_is_batched(entry) for entry in events):
            super().store_event_batch(events)
            return
        rows = [self._event_to_row(entry) for entry in events]
        with self.run_connection(run_ids.pop()) as connection:
            connection.execute(SqlEventLogStorageTable.insert(), rows)
        # In the index, which other runs and the UI read, each event is there once more.
        with self.index_transaction() as connection:
            mirrored = SqlEventLogStorageTable.insert().returning(
                SqlEventLogStorageTable.c.id, sort_by_parameter_order=True
            )
            ids = [int(event_id) for (event_id,) in connection.execute(mirrored, rows)]
            self._store_materializations(connection, events, ids)
            again = self._store_evaluations(connection, events, ids, rows)
        for entry, event_id in again:
            self.store_asset_check_event(entry, event_id)

    def _store_materializations(
        self, connection: Connection, events: Sequence[EventLogEntry], ids: Sequence[int]
    ) -> None:
        """Store what the index knows of each materialized table: of its events, the last one."""
        made = [(entry, event_id) for entry, event_id in zip(events, ids, strict=True) if _evaluation(entry) is None]
        self._store_asset_event_tags(connection, [entry for entry, _ in made], [event_id for _, event_id in made])
        last = {entry.get_dagster_event().asset_key: (entry, event_id) for entry, event_id in made}
        for entry, event_id in last.values():
            self._store_asset_event(connection, entry, event_id)

    def _store_evaluations(
        self,
        connection: Connection,
        events: Sequence[EventLogEntry],
        ids: Sequence[int],
        rows: Sequence[dict[str, Any]],
    ) -> list[tuple[EventLogEntry, int]]:
        """Store the check evaluations, and return those that take the place of one that is known of the same run.

        Args:
            rows: The events as they are stored.
        """
        table, new, again = AssetCheckExecutionsTable, [], []
        known: dict[tuple[str, str], set[str | None]] = {}
        for entry, event_id, row in zip(events, ids, rows, strict=True):
            evaluation = _evaluation(entry)
            if evaluation is None:
                continue
            place = evaluation.asset_key.to_string(), evaluation.check_name
            if place not in known:
                of_run = (table.c.asset_key, place[0]), (table.c.check_name, place[1]), (table.c.run_id, entry.run_id)
                found = select(table.c.partition).where(*(column == value for column, value in of_run))
                known[place] = set(connection.execute(found).scalars())
            if evaluation.partition in known[place]:
                again.append((entry, event_id))
                continue
            known[place].add(evaluation.partition)
            target = evaluation.target_materialization_data
            new.append(
                {
                    "asset_key": place[0],
                    "check_name": place[1],
                    "partition": evaluation.partition,
                    "run_id": entry.run_id,
                    "execution_status": "SUCCEEDED" if evaluation.passed else "FAILED",
                    "evaluation_event": row["event"],
                    "evaluation_event_timestamp": row["timestamp"],
                    "evaluation_event_storage_id": event_id,
                    "materialization_event_storage_id": target.storage_id if target else None,
                }
            )
        if new:
            connection.execute(table.insert(), new)
        return again

    def _copy_empty(self, target: Path) -> None:
        """Put an empty, migrated database in place: a copy of the one that the original makes."""
        empty = target.parent / f".empty-{dagster_version}"
        temporary = target.parent / f".{uuid.uuid4().hex}"
        if not empty.exists():
            engine = _engine_at(f"sqlite:///{temporary}")
            self._initdb(engine)
            engine.dispose()
            temporary.replace(empty)
        shutil.copyfile(empty, temporary)
        try:
            os.link(temporary, target)
        except FileExistsError:
            pass  # another process was first; its database is the same
        finally:
            temporary.unlink()

    def dispose(self) -> None:
        super().dispose()
        while self._connections:
            _close(self._connections.popitem()[1])


def _is_batched(event: EventLogEntry) -> bool:
    return bool(event.run_id) and event.is_dagster_event and event.dagster_event_type in _TOGETHER


def _evaluation(event: EventLogEntry) -> AssetCheckEvaluation | None:
    data = event.get_dagster_event().event_specific_data
    return data if isinstance(data, AssetCheckEvaluation) else None


def _close(connection: Connection) -> None:
    connection.close()
    connection.engine.dispose()


def _engine_at(address: str) -> Engine:
    options = {"timeout": _BUSY_TIMEOUT_S, "check_same_thread": False}
    engine = create_engine(address, poolclass=StaticPool, connect_args=options)
    event.listen(engine, "connect", _relax)
    return engine


def _relax(connection: sqlite3.Connection, _: object) -> None:
    # A power cut may cost the last events, a kill never does; and nothing but the display depends on them.
    connection.execute("PRAGMA synchronous = NORMAL")
