"""Landing: putting files there, and finding what the ledger has not seen. Not here: reading what they say."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.lake.lake import Lake
from lakehouse_assets.lake.ledger import FeedLedger
from lakehouse_assets.lake.storage import StorageError, Stored


@dataclass(frozen=True)
class Landed:
    """The outcome of landing one file: its key, and whether it was `new`, a `resend` or `known` already."""

    key: str
    outcome: str


def files_of(path: Path) -> Iterator[tuple[str, Path]]:
    """Yield key and file for a file (its name) or for every file of a folder (its path relative to the folder).

    Raises:
        FileNotFoundError: There is no such file or folder; the message says so in one line.
    """
    if path.is_dir():
        found = sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith("."))
        if not found:
            msg = f"{path}: the folder holds no file. Nothing was landed."
            raise FileNotFoundError(msg)
        yield from ((file.relative_to(path).as_posix(), file) for file in found)
    elif path.is_file():
        yield path.name, path
    else:
        msg = f"{path}: no such file or folder. Nothing of it was landed."
        raise FileNotFoundError(msg)


def land(lake: Lake, feed: Feed, key: str, file: Path) -> Landed:
    """Put one file into a feed's landing under a key, atomically.

    Raises:
        StorageError: The key is not one, or the storage refused; landing is as it was.
    """
    if key.startswith(("/", ".")) or ".." in key.split("/") or any(part.startswith(".") for part in key.split("/")):
        msg = f"{key!r}: a key stays in its feed's folder and no part of it is hidden. Nothing was landed; rename it."
        raise StorageError(msg)
    path = f"{feed.landing}/{key}"
    try:
        data = file.read_bytes()
    except OSError as error:
        msg = f"{file}: {error.strerror}. Nothing was landed; check the file."
        raise StorageError(msg) from error
    before = lake.store.stat(path)
    if before and before.size == len(data) and _digest(lake.store.read(path)) == _digest(data):
        return Landed(key, "known")
    lake.store.replace(path, data)
    return Landed(key, "resend" if before else "new")


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def key_of(feed: Feed, stored: Stored) -> str:
    """Return a landed object's key: its path below the feed's landing folder."""
    return stored.path.removeprefix(f"{feed.landing}/")


def is_pending(feed: Feed, ledger: FeedLedger, stored: Stored) -> bool:
    """Return whether the ledger lacks this version of an object, or rejected it under another contract."""
    seen = ledger.seen.get(key_of(feed, stored))
    if seen is None:
        return True
    token, rejected, contract = seen
    return token != stored.token or (rejected and contract != feed.version)


def pending(lake: Lake, feed: Feed, ledger: FeedLedger, after: str = "") -> Iterator[Stored]:
    """Yield the landed objects that the ledger lacks, in key order, from the first key greater than `after`."""
    start = f"{feed.landing}/{after}" if after else ""
    return (stored for stored in lake.store.list(feed.landing, start) if is_pending(feed, ledger, stored))
