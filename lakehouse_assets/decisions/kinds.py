"""Decisions of people: standing inputs beside the landed objects, recorded for good, reversible by another decision.

A decision is one small immutable object below `decisions/<feed>/`. Not here: what a decision changes.
"""

import datetime as dt
import getpass
import hashlib
import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property, lru_cache
from typing import Any

import polars as pl

from lakehouse_assets.contracts.declare import Column, Table
from lakehouse_assets.contracts.partitioning import Partitioning
from lakehouse_assets.storage.stores import StorageError, Store, store_for

CORRECT, WAIVE, DISCARD, RELEASE, ACCEPT, PIN, EXPIRE, ERASE, REVOKE = (
    "correct",
    "waive",
    "discard",
    "release",
    "accept",
    "pin",
    "expire",
    "erase",
    "revoke",
)
FOLDER = "decisions"
ON_RECORDS = frozenset({CORRECT, WAIVE, DISCARD})


class DecisionError(Exception):
    """A decision that cannot be taken; nothing was recorded."""


@dataclass(frozen=True)
class Decision:
    """One decision. Which fields it uses depends on its kind.

    Attributes:
        partition: Partition of the record, or the held partition; `partition_to` is where a corrected record belongs.
        values: For a correction: header to new raw text, or None for no value.
        rules: For a waiver: ids of the rules that no longer count for the record.
        fingerprint: For a release: the inputs that are published in spite of the gate.
        object_hash: For an acceptance: SHA-256 of the landed object that is taken in spite of its reason.
        table: For a pin: the table restored, with its `version`, and in `pins` each partition's fingerprint there.
        before: For an expiry: the business date before which quarantined rows are not kept.
        column: For an erasure: the column that tells the person, with the keyed hash of the normalised value as
            `digest`. If its normalisation changes, `plain` counts: the hash of the value in lower case, read from
            `header`. In `released` are the fingerprints with which partitions were released then.
        revokes: For a revocation: the id of the decision that no longer counts.
    """

    feed: str
    kind: str
    who: str
    why: str
    at: str
    id: str
    source_key: str | None = None
    source_hash: str | None = None
    line: int | None = None
    partition: str | None = None
    partition_to: str | None = None
    values: Mapping[str, str | None] = field(default_factory=dict)
    rules: tuple[str, ...] = ()
    fingerprint: int | None = None
    object_hash: str | None = None
    table: str | None = None
    version: int | None = None
    pins: Mapping[str, int] = field(default_factory=dict)
    before: str | None = None
    column: str | None = None
    digest: str | None = None
    plain: str | None = None
    header: str | None = None
    normalisation: str | None = None
    released: Mapping[str, int] = field(default_factory=dict)
    revokes: str | None = None


TABLE = Table(
    layer="ops",
    name="decisions",
    columns={
        "feed": Column(pl.String(), "Feed, or gold table, that the decision is about."),
        "id": Column(pl.String(), "Identity; ids sort by time."),
        "kind": Column(pl.String(), "correct, waive, discard, release, accept, pin, expire, erase or revoke."),
        "state": Column(pl.String(), "active, stale (its record is no longer live) or revoked."),
        "who": Column(pl.String(), "Who decided."),
        "why": Column(pl.String(), "The reason given."),
        "decided_at": Column(pl.Datetime("us", "UTC"), "When."),
        "source_key": Column(pl.String(), "Source object, or landed object for accept."),
        "source_hash": Column(pl.String(), "SHA-256 of the source object's bytes."),
        "line": Column(pl.Int64(), "Record in the source object."),
        "part": Column(pl.String(), "Partition of the record, or the released one."),
        "rules": Column(pl.List(pl.String()), "Waived rules."),
        "values": Column(pl.String(), "New raw values by header, as JSON.", personal=True),
        "table_name": Column(pl.String(), "Table that is pinned."),
        "version": Column(pl.Int64(), "Version that it is pinned to."),
        "before": Column(pl.Date(), "Business date before which quarantined rows are not kept."),
        "revokes": Column(pl.String(), "Id of the decision taken back."),
    },
    partitioning=Partitioning.SNAPSHOT,
    description="Every decision: on records, held dates and objects, pins, expiries; and what was taken back.",
    owner="team:data-platform",
)


_RENDERED = frozenset({"state", "part", "values", "rules", "decided_at", "table_name", "before"})


# Names under which attributes are stored.
_NAMES = {"part": "partition", "part_to": "partition_to"}


@dataclass(frozen=True)
class Decisions:
    """The decisions about one feed, in the order in which they were taken."""

    taken: tuple[Decision, ...]

    @classmethod
    def load(cls, store: Store, feed: str) -> "Decisions":
        """Read the decisions about a feed."""
        # Listed whole, because one listing then serves every feed of a tick.
        paths = [stored.path for stored in store.list(FOLDER) if stored.path.startswith(f"{FOLDER}/{feed}/")]
        return cls(tuple(_read(store.root, path) for path in paths))

    @cached_property
    def active(self) -> tuple[Decision, ...]:
        """Those that no later decision revokes."""
        revoked = {decision.revokes for decision in self.taken if decision.kind == REVOKE}
        return tuple(d for d in self.taken if d.id not in revoked and d.kind != REVOKE)

    def on_records(self, live: Iterable[str]) -> list[Decision]:
        """Return the active corrections, waivers and discards of records whose content is live."""
        known = set(live)
        return [d for d in self.active if d.kind in ON_RECORDS and d.source_hash in known]

    @cached_property
    def released(self) -> frozenset[tuple[str | None, int | None]]:
        """Partition and input fingerprint of what is published in spite of the gate."""
        return frozenset((d.partition, d.fingerprint) for d in self.active if d.kind == RELEASE and d.fingerprint)

    @cached_property
    def _accepted(self) -> frozenset[tuple[str | None, str | None]]:
        return frozenset((d.source_key, d.object_hash) for d in self.active if d.kind == ACCEPT)

    def accepts(self, object_key: str, object_hash: str | None) -> bool:
        """Return whether an object's bytes are taken in spite of what holds them."""
        return (object_key, object_hash) in self._accepted

    @property
    def expired_before(self) -> dt.date | None:
        """The business date before which quarantined rows are not kept: the latest of those decided."""
        return max((dt.date.fromisoformat(d.before) for d in self.active if d.before is not None), default=None)

    def frame(self, live: Iterable[str]) -> pl.DataFrame:
        """Return the decisions as `ops.decisions` shows them."""
        revoked = {d.revokes for d in self.taken if d.kind == REVOKE}
        known = set(live)
        rows = [
            {
                **{name: getattr(d, name) for name in TABLE.columns if name not in _RENDERED},
                "part": d.partition,
                "state": _state(d, revoked, known),
                "values": json.dumps(dict(d.values)) if d.values else None,
                "rules": list(d.rules),
                "decided_at": dt.datetime.fromisoformat(d.at),
                "table_name": d.table,
                "before": dt.date.fromisoformat(d.before) if d.before is not None else None,
            }
            for d in self.taken
        ]
        return pl.DataFrame(rows, schema={name: column.dtype for name, column in TABLE.columns.items()})


def _state(decision: Decision, revoked: set[str | None], live: set[str]) -> str:
    if decision.id in revoked:
        return "revoked"
    return "stale" if decision.source_hash is not None and decision.source_hash not in live else "active"


def new(feed: str, kind: str, why: str, who: str | None = None, **about: Any) -> Decision:  # noqa: ANN401 - see Decision
    """Return a decision taken now, by the person who is logged in unless another one is named.

    Raises:
        DecisionError: No reason is given.
    """
    if not why.strip():
        msg = "a decision needs a reason: give one with --why. Nothing was recorded."
        raise DecisionError(msg)
    now = dt.datetime.now(dt.UTC)
    unique = f"{now:%Y%m%dT%H%M%S%f}-{uuid.uuid4().hex[:8]}"
    return Decision(feed=feed, kind=kind, who=who or _login(), why=why.strip(), at=now.isoformat(), id=unique, **about)


def record(store: Store, decision: Decision) -> None:
    """Make a decision stand."""
    store.create(f"decisions/{decision.feed}/{decision.id}.json", _content(decision))


def _content(decision: Decision) -> bytes:
    stored = {name: attribute for attribute, name in _NAMES.items()}
    found = {stored.get(name, name): value for name, value in asdict(decision).items()}
    return json.dumps(found, indent=1).encode()


def rewrite(store: Store, feed: str, change: Callable[[Decision], Decision]) -> int:
    """Put changed decisions in the place of those about a feed, under new names; return how many there were.

    Under new names, because every process reads a path once. Only an erasure changes what people decided.
    """
    changed = 0
    for stored in list(store.list(f"decisions/{feed}")):
        before = _read(store.root, stored.path)
        after = change(before)
        if after != before:
            content = _content(after)
            name = f"{after.id}~{hashlib.sha256(content).hexdigest()[:12]}"
            store.create(f"decisions/{feed}/{name}.json", content)
            store.delete(stored.path)
            changed += 1
    return changed


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


@lru_cache(maxsize=10_000)
def _read(root: str, path: str) -> Decision:
    """Decisions never change, so each is read once by a process."""
    try:
        content = json.loads(store_for(root).read(path))
        content = {_NAMES.get(name, name): value for name, value in content.items()}
        values = {field.name: content[field.name] for field in fields(Decision) if field.name in content}
        return Decision(**{**values, "rules": tuple(values.get("rules", ()))})
    except (ValueError, TypeError) as error:
        msg = f"{root}/{path} is no decision ({error}). Nothing was done; restore the file, or move it away."
        raise StorageError(msg) from error
