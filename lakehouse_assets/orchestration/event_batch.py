"""Events stored many at a time: in one transaction per database, with the rows that Dagster's own storage writes.

Not here: the connections to the databases, which are those of `event_log`. It imports Dagster's internals: its storages
have no public base class.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from dagster import AssetCheckEvaluation, AssetKey, DagsterEventType, EventLogEntry
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, SqlEventLogStorageTable
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from sqlalchemy import Connection, bindparam, select

_OF_ASSETS = frozenset({DagsterEventType.ASSET_MATERIALIZATION, DagsterEventType.ASSET_MATERIALIZATION_PLANNED})
_OF_CHECKS = frozenset({DagsterEventType.ASSET_CHECK_EVALUATION, DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED})
_TOGETHER = _OF_ASSETS | _OF_CHECKS | {DagsterEventType.STEP_OUTPUT}
_LONGEST_BATCH = 500

_Stored = tuple[EventLogEntry, int, dict[str, Any]]
"""An event, its id in the index, and its row there."""


class BatchedEvents(SqliteEventLogStorage):
    """The original, except that the events of a block are stored together."""

    def __init__(self, base_dir: str, inst_data: Any = None) -> None:  # noqa: ANN401 - as the original
        self._waiting: list[EventLogEntry] | None = None
        super().__init__(base_dir, inst_data)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Store the events of the block that are of `_TOGETHER` in few transactions, in their order.

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

        Only events of one run that are of `_TOGETHER`; other batches are stored one after the other.
        """
        if self._waiting:
            self._store_waiting()
        run_ids = {entry.run_id for entry in events}
        if len(run_ids) != 1 or not all(_is_batched(entry) for entry in events):
            for entry in events:
                self.store_event(entry)
            return
        rows = [self._event_to_row(entry) for entry in events]
        with self.run_connection(run_ids.pop()) as connection:
            connection.execute(SqlEventLogStorageTable.insert(), rows)
        # In the index, which other runs and the UI read, each event of an asset or a check is there once more.
        both = [
            (e, row) for e, row in zip(events, rows, strict=True) if e.dagster_event_type in _OF_ASSETS | _OF_CHECKS
        ]
        if not both:
            return
        with self.index_transaction() as connection:
            insert = SqlEventLogStorageTable.insert().returning(
                SqlEventLogStorageTable.c.id, sort_by_parameter_order=True
            )
            ids = [int(event_id) for (event_id,) in connection.execute(insert, [row for _, row in both])]
            stored = [(entry, event_id, row) for (entry, row), event_id in zip(both, ids, strict=True)]
            self._store_of_assets(connection, stored)
            again = self._store_of_checks(connection, stored)
        for entry, event_id, _ in again:
            self.store_asset_check_event(entry, event_id)

    def _store_of_assets(self, connection: Connection, stored: Sequence[_Stored]) -> None:
        """Store what the index knows of each asset: of its events of a kind, the last one."""
        made = [(entry, event_id) for entry, event_id, _ in stored if entry.dagster_event_type in _OF_ASSETS]
        self._store_asset_event_tags(connection, [entry for entry, _ in made], [event_id for _, event_id in made])
        last: dict[tuple[AssetKey | None, DagsterEventType | None], tuple[EventLogEntry, int]] = {}
        for entry, event_id in made:
            place = entry.get_dagster_event().asset_key, entry.dagster_event_type
            last.pop(place, None)
            last[place] = entry, event_id
        for entry, event_id in last.values():
            self._store_asset_event(connection, entry, event_id)

    def _store_of_checks(self, connection: Connection, stored: Sequence[_Stored]) -> list[_Stored]:
        """Store planned and done evaluations, and return those that take the place of another one of the batch."""
        table, new, changed, again = AssetCheckExecutionsTable, [], [], []
        of_checks = [one for one in stored if one[0].dagster_event_type in _OF_CHECKS]
        known = _known(connection, of_checks)
        for entry, event_id, row in of_checks:
            for key, status, tied in _places(entry):
                values = {
                    "execution_status": status,
                    "evaluation_event": row["event"],
                    "evaluation_event_timestamp": row["timestamp"],
                    "evaluation_event_storage_id": event_id,
                    "materialization_event_storage_id": tied,
                }
                if status != "PLANNED" and key in known:
                    if (row_id := known[key]) is None:
                        again.append((entry, event_id, row))
                    else:
                        changed.append({**values, "row_id": row_id})
                    continue
                known[key] = None
                asset_key, check_name, partition = key
                place = {"asset_key": asset_key, "check_name": check_name, "partition": partition}
                new.append({**place, "run_id": entry.run_id, **values})
        if changed:
            connection.execute(table.update().where(table.c.id == bindparam("row_id")), changed)
        if new:
            connection.execute(table.insert(), new)
        return again


_Place = tuple[str, str, str | None]
"""Where an evaluation of a run is stored: the asset's key, the check's name, the partition."""


def _known(connection: Connection, of_checks: Sequence[_Stored]) -> dict[_Place, int | None]:
    """Return the rows that there are of the checks of one run, by place."""
    table = AssetCheckExecutionsTable
    names: dict[str, set[str]] = {}
    for entry, _, _ in of_checks:
        for (asset_key, check_name, _), status, _ in _places(entry):
            if status != "PLANNED":
                names.setdefault(asset_key, set()).add(check_name)
    columns = select(table.c.asset_key, table.c.check_name, table.c.partition, table.c.id)
    known: dict[_Place, int | None] = {}
    for asset_key, checks in names.items():
        run_id = of_checks[0][0].run_id
        found = columns.where(table.c.asset_key == asset_key, table.c.check_name.in_(checks), table.c.run_id == run_id)
        known |= {(key, name, partition): row_id for key, name, partition, row_id in connection.execute(found)}
    return known


def _places(entry: EventLogEntry) -> Iterator[tuple[_Place, str, int | None]]:
    """Yield where an event of a check is stored, its status there, and the materialization that it speaks of."""
    data: Any = entry.get_dagster_event().event_specific_data
    place = data.asset_key.to_string(), data.check_name
    if isinstance(data, AssetCheckEvaluation):
        target = data.target_materialization_data
        yield (*place, data.partition), "SUCCEEDED" if data.passed else "FAILED", target.storage_id if target else None
        return
    for partition in data.partitions_subset.get_partition_keys() if data.partitions_subset else [None]:
        yield (*place, partition), "PLANNED", None


def _is_batched(event: EventLogEntry) -> bool:
    return bool(event.run_id) and event.is_dagster_event and event.dagster_event_type in _TOGETHER
