"""A summary of a feed's ledger, stored beside it, so that a new process need not read the entries of an unchanged feed.

A summary belongs to one set of the ledger's data files. A missing or older one is computed again, so it is only a
cache. Not here: computing it.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

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


def read(store: Store, feed: str, files: Iterable[str]) -> Summary | None:
    """Return the summary of a feed's ledger if it is that of some data files."""
    if store.stat(_path(feed)) is None:
        return None
    try:
        found = json.loads(store.read(_path(feed)))
        return Summary(**found["summary"]) if found["files"] == _digest(files) else None
    except (StorageError, ValueError, TypeError, KeyError):
        return None


def write(store: Store, feed: str, files: Iterable[str], summary: Summary) -> None:
    """Keep the summary of a feed's ledger in some data files."""
    store.replace(_path(feed), json.dumps({"files": _digest(files), "summary": asdict(summary)}).encode())


def remove(store: Store, feed: str) -> None:
    """Remove the summary of a feed that is declared no more."""
    store.delete(_path(feed))


def _path(feed: str) -> str:
    return f"ledger_summary/{feed}.json"


def _digest(files: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(files)).encode()).hexdigest()
