"""Events that a step records itself: one materialization and one gate evaluation per date, exactly.

A run works on any set of dates, so Dagster cannot derive the partition of an event from the run.
"""

import os
import socket
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from sqlalchemy import event
from sqlalchemy.engine import Engine

from lakehouse_assets.contracts.declare import ContractError, Feed
from lakehouse_assets.contracts.partitioning import as_date
from lakehouse_assets.lake.delta import SchemaMismatchError
from lakehouse_assets.lake.lake import Lake
from lakehouse_assets.lake.storage import StorageError
from lakehouse_assets.publish.gold import ModelError

PROCESS_TAG = "lakehouse/process"


def this_process() -> str:
    """Return what tells this process from every other one: host, process id, start time."""
    return f"{socket.gethostname()}:{os.getpid()}:{psutil.Process().create_time():.2f}"


def materialized(
    context: dg.AssetExecutionContext, key: Sequence[str], part: str, metadata: Mapping[str, Any], lake: Lake, feed: Feed
) -> None:
    """Record that a partition was written; what is no partition of the asset (undated, outside) is not recorded."""
    if feed.business_date is None:
        context.log_event(dg.AssetMaterialization(dg.AssetKey(key), metadata=dict(metadata)))
    elif as_date(part) is not None and not lake.is_outside(feed, part):
        context.log_event(dg.AssetMaterialization(dg.AssetKey(key), partition=part, metadata=dict(metadata)))


def evaluated(
    context: dg.AssetExecutionContext,
    key: Sequence[str],
    check: str,
    part: str,
    passed: bool,  # noqa: FBT001 - the outcome itself
    text: str,
    metadata: Mapping[str, Any],
) -> None:
    """Record one partition's evaluation of a blocking check."""
    context.log_event(
        dg.AssetCheckEvaluation(
            asset_key=dg.AssetKey(key),
            check_name=check,
            passed=passed,
            metadata={name: dg.MetadataValue.float(v) if isinstance(v, float) else dg.MetadataValue.int(v) for name, v in metadata.items()},
            severity=dg.AssetCheckSeverity.ERROR,
            description=None if passed else text,
            blocking=True,
            partition=part,
        )
    )


@contextmanager
def step(context: dg.AssetExecutionContext) -> Iterator[None]:
    """Run the body of an asset: claimed for this process, events written fast, errors told in one message."""
    if context.run.tags.get(PROCESS_TAG) != this_process():
        context.instance.add_run_tags(context.run_id, {PROCESS_TAG: this_process()})
    try:
        with _fast_sqlite(context):
            yield
    except (StorageError, SchemaMismatchError, ContractError, ModelError) as error:
        # `from None`: these errors explain themselves, and a traceback would bury what they say.
        raise dg.Failure(description=str(error), allow_retries=isinstance(error, StorageError)) from None


@contextmanager
def _fast_sqlite(context: dg.AssetExecutionContext) -> Iterator[None]:
    """Halve the time of an event on a SQLite instance; do nothing on another one.

    Dagster opens a connection per statement, and SQLite folds its write-ahead log away whenever the last one closes:
    an idle connection spares that. `synchronous = NORMAL` may lose the last events of a power cut, never of a kill,
    and nothing but the display depends on them.
    """
    if not isinstance(context.instance.event_log_storage, SqliteEventLogStorage):
        yield
        return
    folder = Path(context.instance.storage_directory()).parent / "history" / "runs"
    with ExitStack() as stack:
        for name in ("index.db", f"{context.run_id}.db"):
            if (folder / name).exists():
                idle = stack.enter_context(closing(sqlite3.connect(folder / name)))
                idle.execute("SELECT count(*) FROM sqlite_master").fetchall()
        event.listen(Engine, "connect", _relax)
        stack.callback(event.remove, Engine, "connect", _relax)
        yield


def _relax(connection: sqlite3.Connection, _: object) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous = NORMAL")


def bullets(lines: Iterable[str]) -> str:
    """Return a Markdown list; a word where there is nothing to list."""
    return "\n".join(f"- {line}" for line in lines) or "none"
