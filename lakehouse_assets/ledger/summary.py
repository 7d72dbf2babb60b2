"""A summary of a feed's ledger, stored beside it, so that a new process need not read the entries of an unchanged feed.

A summary belongs to one set of the ledger's data files; more files may have come since. One that is missing or of
other files is computed again, so it is only a cache. Not here: what is live.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import polars as pl

from lakehouse_assets.storage.stores import StorageError, Store


@dataclass(frozen=True)
class Summary:
    """What follows from all entries of a feed.

    Attributes:
        partitions: Live rows of every partition that any version ever touched.
        fingerprints: As `FeedLedger.fingerprints`.
        is_accepted: No source object's latest version is rejected or held.
        updated: When the last version was recorded, as ISO text; None without any.
        landed_bytes: Bytes of all landed versions.
    """

    partitions: dict[str, int]
    fingerprints: dict[str, dict[str, int]]
    is_accepted: bool
    updated: str | None
    landed_bytes: int

    @classmethod
    def of(
        cls, rows: pl.DataFrame, live: pl.DataFrame, fingerprints: dict[str, dict[str, int]], *, is_accepted: bool
    ) -> "Summary":
        """Return the summary of a feed's entries, given what is live of them."""
        counts = dict(live.group_by("part").agg(pl.col("rows").sum()).iter_rows())
        touched = rows["part"].drop_nulls().unique().sort()
        updated = rows["ingested_at"].max()
        # The same bytes under a key count once, however often they were recorded.
        sizes = rows.select("object_key", "object_hash", "bytes").unique()
        return cls(
            partitions={partition: counts.get(partition, 0) for partition in touched},
            fingerprints=fingerprints,
            is_accepted=is_accepted,
            updated=updated.isoformat() if isinstance(updated, dt.datetime) else None,
            landed_bytes=int(sizes["bytes"].sum()),
        )


def read(store: Store, feed: str, files: frozenset[str]) -> tuple[frozenset[str], Summary] | None:
    """Return the summary of a feed's ledger in some data files, or in some of them, and which it is of."""
    if store.stat(_path(feed)) is None:
        return None
    try:
        found = json.loads(store.read(_path(feed)))
        # Earlier versions kept no names.
        names = frozenset(found.get("names", files))
        is_theirs = names <= files and found["files"] == _digest(names)
        return (names, Summary(**found["summary"])) if is_theirs else None
    except (StorageError, ValueError, TypeError, KeyError):
        return None


def write(store: Store, feed: str, files: Iterable[str], summary: Summary) -> None:
    """Keep the summary of a feed's ledger in some data files."""
    content = {"files": _digest(files), "names": sorted(files), "summary": asdict(summary)}
    store.replace(_path(feed), json.dumps(content).encode())


def remove(store: Store, feed: str) -> None:
    """Remove the summary of a feed that is declared no more."""
    store.delete(_path(feed))


def _path(feed: str) -> str:
    return f"ledger_summary/{feed}.json"


def _digest(files: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(files)).encode()).hexdigest()
