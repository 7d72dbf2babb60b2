"""The ledger: every source object version ever seen, what it held per business date, and so what is live.

Appends are serial: an entry is decided against the state it was read with, or not written. Not here: reading
objects, and what is made of the live records.
"""

import datetime as dt
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from lakehouse_assets.contracts.declare import Table
from lakehouse_assets.contracts.partitioning import Partitioning
from lakehouse_assets.ledger.state import ACCEPTED, COLUMNS, HELD, REJECTED, SCHEMA, FeedLedger
from lakehouse_assets.storage import delta
from lakehouse_assets.storage.schema_evolution import open_table
from lakehouse_assets.storage.stores import Store

if TYPE_CHECKING:
    from deltalake import DeltaTable

__all__ = ["ACCEPTED", "HELD", "REJECTED", "TABLE", "Entry", "FeedLedger", "Ledger", "ObjectVersion"]

_COMPACT_ABOVE = 40
_STREAM = "ledger"

TABLE = Table(
    layer="ops",
    name="ledger",
    columns=COLUMNS,
    partitioning=Partitioning.SNAPSHOT,
    description="Every source object version seen: rows per business date, state, when, by which run.",
    owner="team:data-platform",
)


@dataclass(frozen=True)
class Entry:
    """What is recorded of one source object of one landed object version.

    Attributes:
        partitions: Rows by partition name; empty for a rejected or empty object.
        reason: Why it was rejected; None when it was accepted.
        file: Name of its bronze files, without the ending; None for no rows.
        drift: How its columns differ from the contract's, in words; None when they do not.
    """

    source_key: str
    source_hash: str | None
    partitions: dict[str, int]
    reason: str | None = None
    drift: str | None = None
    file: str | None = None


@dataclass(frozen=True)
class ObjectVersion:
    """One version of a landed object, with the source objects in it.

    Attributes:
        held: Why nothing of it is live until a person accepts it; None when nothing holds it.
        overruled: What a person's acceptance overruled; None without one.
    """

    feed: str
    object_key: str
    token: str
    size: int
    contract: str
    entries: tuple[Entry, ...]
    object_hash: str | None = None
    manifest_token: str | None = None
    held: str | None = None
    overruled: str | None = None
    date_parsing_version: str = ""


class Ledger:
    """The ledger as of one version of its table. `append` makes no sense of it twice: load again after it."""

    def __init__(self, store: Store, table: "DeltaTable", rows: pl.DataFrame) -> None:
        self._store, self._table, self.rows = store, table, rows

    @classmethod
    def load(cls, store: Store) -> "Ledger":
        """Read the whole ledger: a row per source object version and date."""
        table = open_table(store, TABLE.path, SCHEMA, TABLE.partitioning)
        try:
            rows = delta.scan(store, TABLE.path, SCHEMA, table).collect() if table.version() else cls.nothing()
        except delta.UNREADABLE as error:
            raise delta.unreadable(store, TABLE.path, error) from error
        return cls(store, table, rows)

    def as_of(self, at: dt.datetime) -> "Ledger":
        """Return the ledger as it was at a moment, for reading."""
        return Ledger(self._store, self._table, self.rows.filter(pl.col("ingested_at") <= at))

    @staticmethod
    def nothing() -> pl.DataFrame:
        """Return the rows of a ledger in which nothing was ever recorded."""
        return pl.DataFrame(schema=SCHEMA)

    def of_feed(self, feed: str) -> "FeedLedger":
        """Return the part of one feed."""
        return FeedLedger(self.rows.filter(pl.col("feed") == feed))

    def append(self, versions: Iterable[ObjectVersion], run_id: str) -> None:
        """Record object versions, all or none, in the given order.

        Raises:
            Conflict: Another writer appended since this ledger was loaded. Nothing was recorded.
        """
        first = int(self.rows["version"].max() or 0) + 1  # type: ignore[arg-type]
        now = dt.datetime.now(dt.UTC)
        rows = [
            {
                "feed": version.feed,
                "object_key": version.object_key,
                "object_token": version.token,
                "object_hash": version.object_hash,
                "manifest_token": version.manifest_token,
                "version": first + offset,
                "source_key": entry.source_key,
                "source_hash": entry.source_hash,
                "state": REJECTED if entry.reason else HELD if version.held else ACCEPTED,
                "reason": entry.reason or version.held or version.overruled,
                "drift": entry.drift,
                "part": partition,
                "rows": rows,
                "bytes": version.size,
                "contract": version.contract,
                "dating": version.date_parsing_version,
                "file": entry.file or entry.source_hash,
                "ingested_at": now,
                "run_id": run_id,
            }
            for offset, version in enumerate(versions)
            for entry in version.entries
            for partition, rows in (entry.partitions.items() or [(None, 0)])
        ]
        delta.write_serially(self._store, self._table, pl.DataFrame(rows, schema=SCHEMA), _STREAM)
        if len(self._table.file_uris()) > _COMPACT_ABOVE:
            # Not `optimize.compact`: two of them at once both commit, and double the rows.
            whole = delta.scan(self._store, TABLE.path, SCHEMA, self._table).collect()
            with suppress(delta.Conflict):
                delta.write_serially(self._store, self._table, whole, _STREAM, mode="overwrite")

    def rewrite(self, rows: pl.DataFrame) -> None:
        """Put other rows in the place of all. Only an erasure changes what was recorded.

        Raises:
            Conflict: Another writer appended since this ledger was loaded. Nothing was recorded.
        """
        delta.write_serially(self._store, self._table, rows.select(*SCHEMA), _STREAM, mode="overwrite")
