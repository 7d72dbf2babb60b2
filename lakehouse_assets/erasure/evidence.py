"""The erasures of a feed: who must not come back, and which lines were taken out of which content.

Only an HMAC of a person's value is stored. The evidence of an erasure is one small object per content, named by the
hashes before and after. Not here: finding a person's records, and taking them out.
"""

import datetime as dt
import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache

from lakehouse_assets.decisions.kinds import Erase
from lakehouse_assets.decisions.recorded import Decisions
from lakehouse_assets.storage.stores import Store, store_for

_KEY = "erasures/key"


@dataclass(frozen=True)
class Erased:
    """What was taken out of one content, or landed object: its SHA-256 before and after, and the blank lines in it.

    Attributes:
        corrected: Those of the lines that were a person's by correction only: nothing in the content says so.
        refused: It could not be taken as it came, and is not now that a reason for it may be gone.
        manifest: For an object that came with a manifest: SHA-256 of the manifest that it was held against, whole.
        held: What it did not keep of it.
    """

    before: str
    after: str
    lines: tuple[int, ...] = ()
    corrected: tuple[int, ...] = ()
    refused: bool = False
    manifest: str | None = None
    held: str | None = None


@dataclass(frozen=True)
class Person:
    """An erased person, known by HMACs only; see `decisions.kinds.Erase`."""

    column: str
    header: str
    normalisation: str
    digest: str
    plain: str


@dataclass(frozen=True)
class Erasures:
    """The erasures that stand for one feed.

    Attributes:
        people: Who was erased.
        before: Where the evidence lies, by the hash before; `after` by the one since.
    """

    store: Store
    feed: str
    key: bytes = b""
    people: tuple[Person, ...] = ()
    before: Mapping[str, list[str]] = field(default_factory=dict)
    after: Mapping[str, list[str]] = field(default_factory=dict)

    @classmethod
    def load(cls, store: Store, feed: str, decisions: Decisions | None = None, key: bytes | None = None) -> "Erasures":
        """Read the erasures of a feed. Costs nothing where no person was erased."""
        decisions = decisions or Decisions.load(store, feed)
        if not any(isinstance(decision, Erase) for decision in decisions.taken):
            return cls(store, feed)
        people = tuple(
            Person(d.column, d.header, d.normalisation, d.digest, d.plain) for d in decisions.active_of(Erase)
        )
        by_before: dict[str, list[str]] = {}
        by_after: dict[str, list[str]] = {}
        for stored in store.list(_folder(feed)):
            before, after, *_ = stored.path.rpartition("/")[2].removesuffix(".json").split("-")
            by_before.setdefault(before, []).append(stored.path)
            by_after.setdefault(after, []).append(stored.path)
        return cls(store, feed, key or key_of(store), people, by_before, by_after)

    def __bool__(self) -> bool:
        return bool(self.people)

    def among(self, wanted: frozenset[str], column: str, values: Iterable[str]) -> list[str]:
        """Return which values have one of some keyed hashes; the column is the empty text for values in lower case."""
        return [value for value in values if digest(self.key, self.feed, column, value) in wanted]

    def of_before(self, content: str) -> list[Erased]:
        """Return what was taken out of a content, or object, given the hash that it came with."""
        return [_read(self.store.root, path) for path in self.before.get(content, [])]

    def of_after(self, content: str) -> list[Erased]:
        """Return what was taken out of a content, or object, given the hash that it has since."""
        return [_read(self.store.root, path) for path in self.after.get(content, [])]

    def blank_lines(self, content: str) -> frozenset[int]:
        """Return the tombstones in a content."""
        return frozenset(line for erased in self.of_after(content) for line in erased.lines)


def digest(key: bytes, feed: str, column: str, value: str) -> str:
    """Return the keyed hash of a normalised value of a feed's column."""
    return hmac.new(key, f"{feed}\0{column}\0{value}".encode(), hashlib.sha256).hexdigest()


def key_of(store: Store, *, hypothetical: bool = False) -> bytes:
    """Return the lake's key for hashes of erased values, made once and never shown.

    Args:
        hypothetical: Make up one where there is none, without keeping it.
    """
    if store.stat(_KEY) is None:
        key = secrets.token_hex(32).encode()
        if hypothetical:
            return key
        store.create(_KEY, key)
    return store.read(_KEY)


def record(store: Store, feed: str, erased: Erased) -> None:
    """Keep the evidence of one erased content. It comes before the erasing: who dies in between repeats it alike."""
    of_manifest = f"-{erased.manifest}" if erased.manifest else ""
    path = f"{_folder(feed)}/{erased.before}-{erased.after}{of_manifest}.json"
    if store.stat(path) is None:
        store.create(path, json.dumps(asdict(erased)).encode())


def finish(store: Store, feed: str, decision_id: str, report: Mapping[str, object]) -> str:
    """Keep the report of an erasure that is done; return where it lies."""
    path = f"{_reports(feed)}/{decision_id}-{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%S%f}.json"
    store.create(path, json.dumps(report, indent=1).encode())
    return path


def unfinished(store: Store, feed: str, decisions: Decisions) -> list[Erase]:
    """Return the erasures that were begun and have no report: the command has to be run again."""
    begun = decisions.active_of(Erase)
    listed = [stored.path.rpartition("/")[2] for stored in store.list(_reports(feed))] if begun else []
    return [decision for decision in begun if not any(name.startswith(decision.id) for name in listed)]


def _reports(feed: str) -> str:
    return f"erasures/{feed}/reports"


def _folder(feed: str) -> str:
    return f"erasures/{feed}/contents"


@lru_cache(maxsize=10_000)
def _read(root: str, path: str) -> Erased:
    """Evidence never changes, so each is read once by a process."""
    content = json.loads(store_for(root).read(path))
    return Erased(**{**content, "lines": tuple(content["lines"]), "corrected": tuple(content["corrected"])})
