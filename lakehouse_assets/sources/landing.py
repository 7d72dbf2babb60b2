"""Landing: putting files there, and finding what the ledger has not seen. Not here: reading what they say."""

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.decisions.recorded import Decisions
from lakehouse_assets.ledger.ledger import ACCEPTED, HELD, REJECTED, FeedLedger
from lakehouse_assets.ledger.standing import KnownVersion
from lakehouse_assets.sources import manifest
from lakehouse_assets.storage.stores import StorageError, Stored

_LOOKED_UP_AT_ONCE = 5_000


@dataclass(frozen=True)
class Landed:
    """The outcome of landing one file: its key, and whether it was `new`, a `resend` or `known` already."""

    key: str
    outcome: str


def files_of(path: Path) -> Iterator[tuple[str, Path]]:
    """Yield key and file for a file (its name) or for every file of a folder (its path relative to the folder).

    Raises:
        FileNotFoundError: There is no such file or folder, or a link in the folder leads to no file; the message says
            so in one line.
    """
    if path.is_dir():
        below = ((p, p.relative_to(path).parts) for p in path.rglob("*") if p.is_file() or p.is_symlink())
        found = sorted(p for p, parts in below if not any(part.startswith(".") for part in parts))
        # Folders behind links are not walked, since they may lead in circles. To skip one silently would lose files.
        if astray := next((p for p in found if not p.is_file()), None):
            where = "a folder; name that folder itself" if astray.is_dir() else "nothing; mend or remove it"
            msg = f"{astray}: a link that leads to {where}. Nothing was landed."
            raise FileNotFoundError(msg)
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
    if not key or "\0" in key or key.endswith("/") or not _is_text(key):
        msg = f"{key!r}: a key names a file, in Unicode text without NUL. Nothing was landed; rename it."
        raise StorageError(msg)
    if key.startswith(("/", ".")) or ".." in key.split("/") or any(part.startswith(".") for part in key.split("/")):
        msg = f"{key!r}: a key stays in its feed's folder and no part of it is hidden. Nothing was landed; rename it."
        raise StorageError(msg)
    path = f"{feed.landing}/{key}"
    before = lake.store.stat(path)
    try:
        with file.open("rb") as opened:
            same_size = before is not None and before.size == file.stat().st_size
            digest = hashlib.file_digest(opened, "sha256").hexdigest() if same_size else None
    except OSError as error:
        msg = f"{file}: {error.strerror}. Nothing was landed; check the file."
        raise StorageError(msg) from error
    if digest is not None and _digest(lake.store.read(path)) == digest:
        return Landed(key, "known")
    lake.store.replace(path, file)
    return Landed(key, "resend" if before else "new")


def _is_text(key: str) -> bool:
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def pending(
    lake: Lake, feed: Feed, ledger: FeedLedger, after: str = "", through: str | None = None
) -> Iterator[Stored]:
    """Yield the landed objects that the ledger lacks: of the keys after one, through another, in their order."""
    found = lake.store.list(feed.landing, f"{feed.landing}/{after}" if after else "")
    if through is not None:
        last = f"{feed.landing}/{through}"
        found = itertools.takewhile(lambda stored: stored.path <= last, found)
    return pending_among(lake, feed, ledger, found)


def pending_among(lake: Lake, feed: Feed, ledger: FeedLedger, found: Iterable[Stored]) -> Iterator[Stored]:
    """Yield which of some landed objects the ledger lacks, and those that a manifest among them speaks of anew."""
    decisions = Decisions.load(lake.store, feed.name)
    yielded = set()
    listing = iter(found)
    while page := {stored.path: stored for stored in itertools.islice(listing, _LOOKED_UP_AT_ONCE)}:
        described = {
            path: [f"{feed.landing}/{key}" for key in keys]
            for path, keys in manifest.described(ledger, feed, [p for p in page if manifest.is_manifest(p)]).items()
        }
        keys = {_key(feed, path) for path in (*page, *itertools.chain.from_iterable(described.values()))}
        known = ledger.known_among(keys)
        for path, stored in page.items():
            if manifest.is_manifest(path):
                candidates = [
                    there
                    for about in described.get(path, ())
                    if (there := _described_anew(lake, about, page, known[_key(feed, about)])) is not None
                ]
            else:
                candidates = [stored] if _differs(feed, known.get(key_of(feed, stored)), decisions, stored) else []
            for candidate in candidates:
                if candidate.path not in yielded:
                    yielded.add(candidate.path)
                    yield candidate


def _described_anew(lake: Lake, path: str, page: Mapping[str, Stored], known: KnownVersion) -> Stored | None:
    """Return an object whose manifest is another one than that which it was read with; None for the same one."""
    listed = next((page[name] for name in manifest.paths(path) if name in page), None)
    if listed is None or listed.token != known.manifest_token:
        listed = manifest.find(lake, path)
    if listed is None or listed.token == known.manifest_token:
        return None
    return page.get(path) or lake.store.stat(path)


def originals(lake: Lake, feed: Feed, ledger: FeedLedger, partitions: Iterable[str]) -> Iterator[Stored]:
    """Yield the landed objects, as far as they are still there, whose records are live in some partitions."""
    found = (lake.store.stat(f"{feed.landing}/{key}") for key in sorted(ledger.objects_of(partitions)))
    yield from (stored for stored in found if stored is not None)


def still_pending(lake: Lake, feed: Feed, ledger: FeedLedger, objects: Sequence[Stored]) -> list[Stored]:
    """Return which of some objects that were pending still are, their manifests looked at."""
    decisions = Decisions.load(lake.store, feed.name)
    known = ledger.known_among(key_of(feed, stored) for stored in objects)

    def is_pending(stored: Stored) -> bool:
        version = known.get(key_of(feed, stored))
        if version is None or _differs(feed, version, decisions, stored):
            return True
        there = manifest.find(lake, stored.path)
        return there is not None and there.token != version.manifest_token

    with ThreadPoolExecutor(lake.settings.threads) as pool:
        return [stored for stored, pending in zip(objects, pool.map(is_pending, objects), strict=True) if pending]


@dataclass(frozen=True)
class Anew:
    """The keys of accepted objects that a contract reads in another way than they were read, and their live rows."""

    keys: frozenset[str]
    rows: int


def to_read_anew(feed: Feed, ledger: FeedLedger) -> Anew:
    """Return the accepted objects that the contract now reads in another way, whether or not landing still has them."""
    known = ledger.known_versions.items()
    version = feed.reading_version, feed.version
    keys = frozenset(key for key, v in known if v.state == ACCEPTED and not v.is_read_as(*version))
    return Anew(keys, ledger.rows_of(keys) if keys else 0)


def _differs(feed: Feed, known: KnownVersion | None, decisions: Decisions, stored: Stored) -> bool:
    """Return whether the ledger lacks this version, or refused it for a reason that no longer holds."""
    if known is None or known.token != stored.token:
        return True
    if known.state == ACCEPTED and not known.is_read_as(feed.reading_version, feed.version):
        return True
    accepts = decisions.accepts(key_of(feed, stored), known.object_hash)
    if known.state == HELD:
        return accepts or known.contract != feed.version
    if known.overruled and not accepts:
        return True
    return known.state == REJECTED and known.contract != feed.version


def key_of(feed: Feed, stored: Stored) -> str:
    """Return a landed object's key: its path below the feed's landing folder."""
    return _key(feed, stored.path)


def _key(feed: Feed, path: str) -> str:
    return path.removeprefix(f"{feed.landing}/")
