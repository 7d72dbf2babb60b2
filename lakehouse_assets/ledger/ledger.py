"""The ledger: every source object version seen, its rows per business date, and so what is live.

Appends are serial per feed: an entry is written only if nothing was appended since the state that it was decided with.
Not here: reading objects, and what is made of the live records.
"""

import datetime as dt
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import polars as pl

from lakehouse_assets.contracts.declare import Table
from lakehouse_assets.contracts.partitioning import Partitioning
from lakehouse_assets.contracts.sql_text import literal
from lakehouse_assets.ledger import summary
from lakehouse_assets.ledger.entries import (
    ACCEPTED,
    COLUMNS,
    HELD,
    REJECTED,
    SCHEMA,
    Entry,
    ObjectVersion,
    rows_of,
)
from lakehouse_assets.ledger.large import LargeFeedLedger
from lakehouse_assets.ledger.selection import Selection, working
from lakehouse_assets.ledger.state import FeedLedger
from lakehouse_assets.storage import delta, delta_files, delta_log
from lakehouse_assets.storage.schema_evolution import open_table
from lakehouse_assets.storage.stores import Store

if TYPE_CHECKING:
    from deltalake import DeltaTable

__all__ = ["ACCEPTED", "HELD", "REJECTED", "TABLE", "Entry", "FeedLedger", "Ledger", "ObjectVersion"]

_COMPACT_ABOVE = 40
_ROWS_PER_FILE = 10_000
_ENTRIES_IN_MEMORY = 100_000
_STREAM = "ledger"
_REMEMBERED: dict[tuple[str, str], tuple[frozenset[str], FeedLedger]] = {}
_LOGS: dict[tuple[str, str], tuple[int, str, str]] = {}
_LOCK = threading.Lock()

TABLE = Table(
    layer="ops",
    name="ledger",
    columns=COLUMNS,
    partitioning=Partitioning.SNAPSHOT,
    description="Every source object version seen: rows per business date, state, when, by which run.",
    owner="team:data-platform",
)


class Ledger:
    """The ledger as of one version of its table. Stale after an append: load it again."""

    def __init__(self, store: Store, table: "DeltaTable", at: dt.datetime | None = None) -> None:
        self._store, self._table, self._at = store, table, at

    @classmethod
    def load(cls, store: Store) -> "Ledger":
        """Open the ledger. Entries are read by feed, when they are asked for."""
        return cls(store, open_table(store, TABLE.path, SCHEMA, TABLE.partitioning, ("feed",), earlier_partitions=()))

    def as_of(self, at: dt.datetime) -> "Ledger":
        """Return the ledger as it was at a moment, for reading."""
        return Ledger(self._store, self._table, at)

    @staticmethod
    def nothing() -> pl.DataFrame:
        """Return the rows of a ledger in which nothing was ever recorded."""
        return pl.DataFrame(schema=SCHEMA)

    @property
    def rows(self) -> pl.DataFrame:
        """Every entry of every feed."""
        if not self._table.get_add_actions().num_rows:
            return self.nothing()
        return self._collect(delta.scan(self._store, TABLE.path, SCHEMA, self._table).select(*SCHEMA))

    def of_feed(self, feed: str) -> "FeedLedger":
        """Return the part of one feed. A process reads each data file once: they never change."""
        files = self._files(feed)
        rows = self._scan(feed, files)
        if self._at is not None:
            return FeedLedger(rows.filter(pl.col("ingested_at") <= self._at).collect())
        place = (self._store.root, feed)
        with _LOCK:
            known, ledger = _REMEMBERED.get(place, (frozenset(), None))
            is_followed = ledger is not None and (ledger.is_read or isinstance(ledger, LargeFeedLedger))
            if ledger is None or not known <= files or (known != files and not is_followed):
                known, ledger = self._opened(feed, files)
            if known != files:
                ledger = ledger.extended(self._collect(working(self._scan(feed, files - known))), rows)
            _REMEMBERED[place] = files, ledger
        return ledger

    def _opened(self, feed: str, files: frozenset[str]) -> "tuple[frozenset[str], FeedLedger]":
        """Return the ledger of a feed as of its summary, and of which data files that is."""
        found = summary.read(self._store, feed, files)
        is_large = self._count(feed) > _ENTRIES_IN_MEMORY
        names, known = found if found and (is_large or found[0] == files) else (files, None)
        rows = self._scan(feed, names)
        selection = Selection(rows, self._collect)
        return names, LargeFeedLedger(selection, known) if is_large else FeedLedger(selection.entries, rows, known)

    def _collect(self, rows: pl.LazyFrame) -> pl.DataFrame:
        try:
            return rows.collect()
        except delta.UNREADABLE as error:
            raise delta.unreadable(self._store, TABLE.path, error) from error

    def _actions(self, feed: str) -> pl.DataFrame:
        found = pl.DataFrame(self._table.get_add_actions(flatten=True))
        return found.filter(pl.col("partition.feed") == feed) if self._is_by_feed and found.height else found

    def _files(self, feed: str) -> frozenset[str]:
        found = self._actions(feed)
        return frozenset(found["path"]) if found.height else frozenset()

    def _count(self, feed: str) -> int:
        """Return how many entries a feed has; of a ledger that is not yet partitioned, how many there are."""
        found = self._actions(feed)
        return int(found["num_records"].sum()) if found.height else 0

    def _scan(self, feed: str, files: frozenset[str]) -> pl.LazyFrame:
        stored = [name for name in SCHEMA if name != "feed"] if self._is_by_feed else list(SCHEMA)
        rows = delta_files.scan_files(self._store, TABLE.path, sorted(files), {name: SCHEMA[name] for name in stored})
        if self._is_by_feed:
            return rows.select(pl.lit(feed).alias("feed"), *stored)
        return rows.filter(pl.col("feed") == feed)

    @property
    def _is_by_feed(self) -> bool:
        return bool(self._table.metadata().partition_columns)

    def _stream(self, feed: str) -> str:
        # A ledger that is not yet partitioned has one stream: nobody may append while its partitioning changes.
        return f"{_STREAM}/{feed}" if self._is_by_feed else _STREAM

    def append(self, versions: Iterable[ObjectVersion], run_id: str) -> None:
        """Record object versions, all or none, in the given order.

        Raises:
            Conflict: Somebody appended for one of their feeds since this ledger was loaded; nothing was recorded.
        """
        by_feed: dict[str, list[ObjectVersion]] = {}
        for version in versions:
            by_feed.setdefault(version.feed, []).append(version)
        rows = [
            row
            for feed, those in by_feed.items()
            for row in rows_of(those, self.of_feed(feed).last_version + 1, run_id)
        ]
        before = {feed: self._count(feed) for feed in by_feed}
        self._write(pl.DataFrame(rows, schema=SCHEMA), [self._stream(feed) for feed in by_feed])
        for feed, entries in before.items():
            self._compact(feed, entries)

    def _compact(self, feed: str, entries: int) -> None:
        """Write a feed's last entries anew as one file, once there are too many files.

        The more entries, the more files: so an append pays for at most `_ROWS_PER_FILE` rows, whatever the history.
        """
        if not self._is_by_feed:
            # Made by an earlier version, as one partition.
            with suppress(delta.Conflict):
                self._write(self.rows, [_STREAM], mode="overwrite", partition_by=["feed"])
        elif len(files := self._files(feed)) > _COMPACT_ABOVE + entries // _ROWS_PER_FILE:
            # Not `optimize.compact`: two of them at once both commit, and double the rows.
            first = self._first_of_last(feed)
            rows = self._collect(self._scan(feed, files).filter(pl.col("version") >= first))
            predicate = f"feed = '{feed}' AND version >= {first}"
            with suppress(delta.Conflict):
                self._write(rows, [self._stream(feed)], mode="overwrite", predicate=predicate)

    def _first_of_last(self, feed: str) -> int:
        """Return the version from which on entries are written anew: 0 unless most files hold few of the last ones."""
        files = self._actions(feed).sort("min.version", descending=True)
        few = files.filter(pl.col("num_records").cum_sum() <= _ENTRIES_IN_MEMORY)
        return int(few["min.version"].min()) if 2 * few.height > files.height else 0  # type: ignore[arg-type]

    def rewrite(self, rows: pl.DataFrame) -> None:
        """Put other rows in the place of all. Only an erasure changes what was recorded.

        Raises:
            Conflict: Another writer appended since this ledger was loaded. Nothing was recorded.
        """
        streams = sorted({_STREAM, *(self._stream(feed) for feed in self.rows["feed"].unique())})
        self._write(rows.select(*SCHEMA), streams, mode="overwrite")

    def remove(self, feed: str) -> None:
        """Remove the entries of a feed that is declared no more.

        Raises:
            Conflict: Another writer appended for it since this ledger was loaded. Nothing was removed.
        """
        if not self._is_by_feed:
            self.rewrite(self.rows.filter(pl.col("feed") != feed))
            return
        self._write(self.nothing(), [self._stream(feed)], mode="overwrite", predicate=f"feed = {literal(feed)}")

    def _write(self, rows: pl.DataFrame, streams: Sequence[str], **how: Any) -> None:  # noqa: ANN401 - of the storage
        in_order = rows.sort("feed", "object_key", "version", maintain_order=True)
        delta.write_serially(self._store, self._table, in_order, streams, **how)


def ledger_of(store: Store, feed: str) -> FeedLedger:
    """Return a feed's ledger as it stands, for reading. Opens no table that did not change since the last time."""
    place = (store.root, feed)
    log = delta_log.read(store, TABLE.path)
    if log.version < 0:
        return FeedLedger(Ledger.nothing())
    if _LOGS.get(place) != log.identity:
        Ledger.load(store).of_feed(feed)
        _LOGS[place] = log.identity
    return _REMEMBERED[place][1]


def summarise(store: Store, feed: str) -> None:
    """Keep beside the ledger what this process knows that a feed's comes to. Whoever is killed before loses nothing."""
    files, ledger = _REMEMBERED[store.root, feed]
    if summary.read(store, feed, files) != (files, ledger.summary):
        summary.write(store, feed, files, ledger.summary)
