"""Opening a Delta table as declared: created if missing, evolved if possible, refused otherwise.

A new column is added, and a wider type rewrites the table, in one commit. A change that would lose data, such as a
removed column or a narrower type, is refused before anything is written.
"""

import itertools
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any

import polars as pl

from lakehouse_assets.contracts.partitioning import Partitioning
from lakehouse_assets.contracts.table import path_of, revision_at
from lakehouse_assets.storage.delta import as_arrow, exists, latest, opened, rows
from lakehouse_assets.storage.delta_types import SchemaMismatchError, field
from lakehouse_assets.storage.stores import Store

if TYPE_CHECKING:
    from deltalake import DeltaTable

_CHECKPOINT_EVERY = 20
_WIDER = {
    "byte": {"short", "integer", "long"},
    "short": {"integer", "long"},
    "integer": {"long"},
    "float": {"double"},
}
_ONLY_ADDED = (
    "columns are only ever added to a stored table, because dropping one would lose its values; declare one that no "
    "file has with nullable=True"
)
_ONLY_WIDER = "a stored column only ever becomes wider"
_DECIMAL = re.compile(r"decimal\((\d+),(\d+)\)")


def open_table(
    store: Store,
    path: str,
    columns: Mapping[str, pl.DataType],
    layout: Partitioning,
    extra_partitions: tuple[str, ...] = (),
    earlier_partitions: tuple[str, ...] | None = None,
) -> "DeltaTable":
    """Open a table at its latest version, with the declared columns.

    Args:
        columns: Name and type of every column, in order.
        extra_partitions: Partition columns besides the layout's, for tables whose parts are not dates.
        earlier_partitions: Partition columns of tables made by earlier versions, which are opened as they are.

    Raises:
        SchemaMismatchError: The stored table cannot become the declared one without losing something.
        StorageError: The stored table cannot be read.
    """
    from deltalake import DeltaTable, Schema  # noqa: PLC0415 - not at import of a declaration
    from deltalake.exceptions import DeltaError, TableNotFoundError  # noqa: PLC0415

    declared = {name: field(name, dtype) for name, dtype in columns.items()}
    partitions = [*extra_partitions, *layout.columns]
    try:
        table = opened(store, path)
    except TableNotFoundError:
        with suppress(DeltaError):  # another process created it between the two calls
            DeltaTable.create(
                store.uri(path),
                schema=Schema.from_json(_schema(declared)),
                partition_by=partitions,
                configuration={"delta.checkpointInterval": str(_CHECKPOINT_EVERY)},
                storage_options=store.options,
            )
        table = opened(store, path)
    if earlier_partitions is not None and table.metadata().partition_columns == list(earlier_partitions):
        partitions = list(earlier_partitions)
    changes = _differences(store, table, path, declared, partitions)
    if changes:
        _evolve(table, store, columns, changes)
    return table


def differences_of(store: Store, path: str, columns: Mapping[str, pl.DataType], layout: Partitioning) -> dict[str, str]:
    """Return what `open_table` would change of a stored table; writes nothing. Raises as it does."""
    declared = {name: field(name, dtype) for name, dtype in columns.items()}
    return _differences(store, latest(store, path), path, declared, list(layout.columns))


def _differences(
    store: Store, table: "DeltaTable", path: str, declared: Mapping[str, dict[str, Any]], partitions: list[str]
) -> dict[str, str]:
    """Return the columns that have to be added (`new`) or rewritten (`wider`), by name; writes nothing.

    Raises:
        SchemaMismatchError: Some difference would lose something.
    """
    stored = {f["name"]: f["type"] for f in json.loads(table.schema().to_json())["fields"]}
    there = table.metadata().partition_columns
    if there != partitions:
        raise _refusal(
            store, path, f"it is declared partitioned by {partitions or 'nothing'} but stored by {there or 'nothing'}"
        )
    changes, refused = {}, []
    for name, kind in stored.items():
        if name not in declared:
            refused.append(f"column {name!r} is stored but no longer declared, and {_ONLY_ADDED}")
        elif kind != (wanted := declared[name]["type"]):
            changes[name] = "wider"
            if name in partitions or not _is_wider(kind, wanted):
                what = f"column {name!r} is declared as {_words(wanted)} but stored as {_words(kind)}"
                refused.append(f"{what}, and {_ONLY_WIDER}")
    if refused:
        raise _refusal(store, path, "; ".join(refused))
    return changes | {name: "new" for name in declared if name not in stored}


def _refusal(store: Store, path: str, what: str) -> SchemaMismatchError:
    key, revision = revision_at(path)
    # One that was filled earlier and given up may lie there with columns of its own.
    free = next(number for number in count(revision + 1) if not exists(store, path_of(key, number)))
    return SchemaMismatchError(
        f"{path}: {what}. Nothing was written; the stored table stands. Undo the change, or write `revision={free}` in "
        "the declaration: then a new table is filled beside this one, from what is live."
    )


def _is_wider(stored: Any, wanted: Any) -> bool:  # noqa: ANN401 - JSON of the Delta protocol
    if not (isinstance(stored, str) and isinstance(wanted, str)):
        return False
    if (old := _DECIMAL.fullmatch(stored)) and (new := _DECIMAL.fullmatch(wanted)):
        (precision, scale), (more, finer) = (tuple(map(int, found.groups())) for found in (old, new))
        return finer >= scale and more - finer >= precision - scale
    return wanted in _WIDER.get(stored, set())


def _words(kind: Any) -> str:  # noqa: ANN401 - JSON of the Delta protocol
    return kind if isinstance(kind, str) else json.dumps(kind)


def _schema(declared: Mapping[str, dict[str, Any]]) -> str:
    return json.dumps({"type": "struct", "fields": list(declared.values())})


def _evolve(table: "DeltaTable", store: Store, columns: Mapping[str, pl.DataType], changes: Mapping[str, str]) -> None:
    from deltalake import Field, write_deltalake  # noqa: PLC0415

    if new := [
        Field.from_json(json.dumps(field(name, columns[name]))) for name, change in changes.items() if change == "new"
    ]:
        table.alter.add_columns(new)
    if "wider" in changes.values():
        partitions = table.metadata().partition_columns
        write_deltalake(
            table,
            _as_declared(table, store, columns),
            mode="overwrite",
            schema_mode="overwrite",
            partition_by=partitions or None,
            storage_options=store.options,
        )


def _as_declared(table: "DeltaTable", store: Store, columns: Mapping[str, pl.DataType]) -> Any:  # noqa: ANN401 - an Arrow stream
    """Stream a table's rows, cast to the declared types."""
    wanted = rows(store, table).select(pl.col(name).cast(dtype) for name, dtype in columns.items())
    # Read by Polars: a Delta reader cannot run inside the Delta writer that pulls these frames.
    return as_arrow(itertools.chain([pl.DataFrame(schema=dict(columns))], wanted.collect_batches()))
