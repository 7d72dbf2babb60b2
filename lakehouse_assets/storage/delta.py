"""Delta tables of the lake: replaced by partition, each date under its fingerprint, read as frames.

A partition's fingerprint is a Delta application transaction: app id = partition name, version = fingerprint. It is
written by the same atomic commit as the data and survives checkpoints, so what is published never has to be
remembered elsewhere. Not here: what a fingerprint is made of.
"""

import itertools
import os
import random
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import polars as pl

from lakehouse_assets.storage import delta_latest, delta_log
from lakehouse_assets.storage.delta_format import refuse_newer
from lakehouse_assets.storage.stores import StorageError, Store

if TYPE_CHECKING:
    from deltalake import DeltaTable

T = TypeVar("T")
_OS_ERROR = re.compile(r"\(os error (\d+)\)")
UNREADABLE = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)
"""What a reader raises for a file that is missing or damaged."""
_ATTEMPTS = 40
_DICTIONARY_BYTES = 128 * 1024
ROW_GROUP = 16_384
"""Rows of which a file keeps statistics, where a reader looks for some of many."""
_COLOUR, _FRAME = re.compile(r"\x1b\[[0-9;]*m"), re.compile(r"\s*(\d+: |at )")


class Conflict(Exception):  # noqa: N818 - an outcome that the caller answers by computing again
    """Another writer committed first. Nothing of this commit was written."""


def until_committed(attempt: Callable[[], T]) -> T:
    """Make attempts until one is not beaten to its commit, and return its result.

    Each attempt has to open its tables and read its inputs anew.
    A commit whose answer was lost also looks like a conflict, with oneself: the next attempt finds it done.

    Raises:
        StorageError: Too many attempts were beaten.
    """
    for number in range(_ATTEMPTS):
        try:
            return attempt()
        except Conflict:
            time.sleep(random.uniform(0, min(0.02 * 2**number, 1.0)))  # noqa: S311 - only to stop moving in step
    msg = f"{_ATTEMPTS} commits in a row were beaten by other writers. What was committed stands; run again."
    raise StorageError(msg)


def opened(store: Store, path: str, version: int | None = None) -> "DeltaTable":
    """Open a table at its latest version, or another one. Who only reads the latest asks for `latest`.

    Raises:
        TableNotFoundError: There is none.
        StorageError: It is there, and cannot be read, or a newer version wrote what this one would misread.
    """
    from deltalake.exceptions import DeltaError, TableNotFoundError  # noqa: PLC0415

    from lakehouse_assets.storage.delta_table import OpenTable  # noqa: PLC0415 - not at import of a declaration

    try:
        table = OpenTable(store.uri(path), version=version, storage_options=store.options)
    except TableNotFoundError:
        raise
    except (DeltaError, OSError) as error:
        raise unreadable(store, path, error) from error
    refuse_newer(table, store.uri(path))
    return table


def latest(store: Store, path: str) -> "DeltaTable":
    """Open a table at its latest version, only to read it: it is shared. Raises as `opened` does."""
    return delta_latest.shared(store, path, opened)


def unreadable(store: Store, path: str, error: BaseException) -> StorageError:
    """Return what to say of a table whose log or files cannot be read."""
    lines = [line for line in _COLOUR.sub("", str(error)).splitlines() if not _FRAME.match(line)]
    why = " ".join(" ".join(lines).split())
    return StorageError(
        f"{store.uri(path)}: the table cannot be read ({why}). "
        "Nothing was written to it; check permissions and the endpoint, restore what is damaged, and run again."
    )


def exists(store: Store, path: str) -> bool:
    """Return whether a Delta table has been created at a path."""
    return next(store.list(f"{path}/_delta_log"), None) is not None


@contextmanager
def _committing(table: "DeltaTable") -> Iterator[None]:
    """Raise `Conflict` where another writer committed first, `StorageError` where the system refused."""
    from deltalake.exceptions import CommitFailedError, DeltaError  # noqa: PLC0415

    try:
        yield
    except CommitFailedError as error:
        raise Conflict(str(error)) from error
    except DeltaError as error:
        # The version that it was opened at is gone: an erasure leaves a table its present one only.
        if "Invalid table version" in str(error):
            raise Conflict(str(error)) from error
        if refused := _OS_ERROR.search(str(error)):
            # On S3 the answer to a commit may be what was lost.
            msg = (
                f"{table.table_uri}: {os.strerror(int(refused[1]))}. Earlier commits stand, and the next run finds out "
                "whether this one does; check space, permissions and the endpoint, then run again."
            )
            raise StorageError(msg) from error
        raise


def as_arrow(frames: Iterable[pl.DataFrame]) -> Any:  # noqa: ANN401 - anything with an Arrow stream
    """Return frames with the same columns as one Arrow stream, which asks for them one by one.

    Args:
        frames: At least one, from Polars: a Delta reader cannot run inside of the Delta writer that pulls them.
    """
    left = iter(frames)
    first, second = next(left), next(left, None)
    if second is None:
        return first
    import pyarrow as pa  # noqa: PLC0415 - not where one frame is written

    schema = first.clear().to_arrow().schema
    tables = (frame.to_arrow().cast(schema) for frame in itertools.chain([first, second], left))
    return pa.RecordBatchReader.from_batches(schema, (batch for table in tables for batch in table.to_batches()))


def replace(
    store: Store,
    table: "DeltaTable",
    data: Any,  # noqa: ANN401 - anything with an Arrow stream
    predicate: str | None,
    fingerprints: Mapping[str, int],
    *,
    row_group: int | None = None,
) -> None:
    """Replace some partitions of an open table in one commit, under their fingerprints.

    Args:
        table: Opened before the inputs of `data` were read: that is what makes a stale writer lose.
        data: A Polars frame, or an Arrow table or stream, with the table's columns.
        predicate: The partitions, as SQL over partition columns; None replaces an unpartitioned table.
        fingerprints: Partition name to fingerprint.
        row_group: Rows in a row group; None for as many as usual.

    Raises:
        Conflict: Another writer committed to one of these partitions since `table` was opened.
        ValueError: No predicate for a partitioned table, which would wipe it.
    """
    from deltalake import CommitProperties, Transaction, WriterProperties, write_deltalake  # noqa: PLC0415

    if predicate is None and table.metadata().partition_columns:
        msg = f"{table.table_uri}: an overwrite of a partitioned table without a predicate would wipe it."
        raise ValueError(msg)
    transactions = [Transaction(app_id=partition, version=value) for partition, value in fingerprints.items()]
    with _committing(table):
        write_deltalake(
            table,
            data,
            mode="overwrite",
            predicate=predicate,
            storage_options=store.options,
            # Its default is larger than most columns of numbers and keys: they got a dictionary of all their values.
            writer_properties=WriterProperties(
                compression="SNAPPY", dictionary_page_size_limit=_DICTIONARY_BYTES, max_row_group_size=row_group
            ),
            commit_properties=CommitProperties(app_transactions=transactions, max_commit_retries=100),
        )


def write_serially(
    store: Store,
    table: "DeltaTable",
    data: pl.DataFrame,
    streams: Sequence[str],
    mode: Literal["append", "overwrite"] = "append",
    predicate: str | None = None,
    partition_by: list[str] | None = None,
) -> None:
    """Append rows to a table, or put them in place of others, unless one of its streams went on meanwhile.

    Statistics are kept of every few rows, so that a reader finds some of many in a large file.

    Args:
        streams: Names of the sequences of commits that this commit belongs to.
        predicate: What an overwrite replaces, as SQL over partition columns; None for everything.
        partition_by: New partition columns of a table that is overwritten as a whole.

    Raises:
        Conflict: Some stream went on; reload, and decide again what is left to append.
    """
    from deltalake import CommitProperties, Transaction, WriterProperties, write_deltalake  # noqa: PLC0415

    marks = [Transaction(app_id=stream, version=table.version() + 1) for stream in streams]
    with _committing(table):
        write_deltalake(
            table,
            data,
            mode=mode,  # type: ignore[arg-type]
            predicate=predicate,
            partition_by=partition_by,
            schema_mode="overwrite" if partition_by else None,
            storage_options=store.options,
            commit_properties=CommitProperties(app_transactions=marks, max_commit_retries=100),
            writer_properties=WriterProperties(max_row_group_size=ROW_GROUP),
        )


def fingerprints(store: Store, path: str) -> dict[str, int]:
    """Return the fingerprint of every partition ever published at a path; empty when there is no table."""
    return dict(delta_log.read(store, path).transactions)


def scan(
    store: Store, path: str, columns: Mapping[str, pl.DataType], table: "DeltaTable | None" = None
) -> pl.LazyFrame:
    """Return a table's latest (or given) version lazily, with the columns that are stored.

    Args:
        columns: The declared columns, which a table that is not yet written has, without rows.
    """
    if table is None and not exists(store, path):
        return pl.LazyFrame(schema=dict(columns))
    return rows(store, table if table is not None else latest(store, path))


def rows(store: Store, table: "DeltaTable") -> pl.LazyFrame:
    """Return the rows of an open table lazily, with the columns that it has."""
    return pl.scan_delta(table, storage_options=store.options or None)


def as_declared(found: pl.LazyFrame, columns: Mapping[str, pl.DataType]) -> pl.LazyFrame:
    """Return rows of an older version with exactly the declared columns: null where they are older than a column.

    Nobody knows what would stand there: use it to restore and to compare, never to compute something new.
    """
    stored = found.collect_schema()
    return found.select((pl.col(n) if n in stored else pl.lit(None)).cast(t).alias(n) for n, t in columns.items())
