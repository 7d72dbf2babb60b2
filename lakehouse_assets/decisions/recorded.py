"""Which decisions were taken about a feed: recorded for good, indexed once, taken back by another decision only.

A decision is one small immutable object below `decisions/<feed>/`. Not here: what a decision changes.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import polars as pl

from lakehouse_assets.contracts.declare import Column, Table
from lakehouse_assets.contracts.partitioning import Partitioning
from lakehouse_assets.decisions import kinds
from lakehouse_assets.decisions.kinds import Accept, Decision, Expire, Kind, OnRecord, Release, Retract, Revoke
from lakehouse_assets.storage.stores import StorageError, Store, store_for

FOLDER = "decisions"
TABLE = Table(
    layer="ops",
    name="decisions",
    columns={
        "feed": Column(pl.String(), "Feed, or gold table, that the decision is about."),
        "id": Column(pl.String(), "Identity; ids sort by time."),
        "kind": Column(pl.String(), "correct, waive, discard, release, accept, retract, pin, expire, erase or revoke."),
        "state": Column(pl.String(), "active, stale (its record is no longer live) or revoked."),
        "who": Column(pl.String(), "Who decided."),
        "why": Column(pl.String(), "The reason given."),
        "decided_at": Column(pl.Datetime("us", "UTC"), "When."),
        "source_key": Column(pl.String(), "Source object, or landed object for accept and retract."),
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
_RENDERED = {"state", "part", "values", "rules", "decided_at", "table_name", "before"}


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
        return tuple(d for d in self.taken if d.id not in self._revoked and not isinstance(d, Revoke))

    def active_of(self, kind: type[Kind]) -> list[Kind]:
        """Return the active ones of a kind."""
        return [decision for decision in self.active if isinstance(decision, kind)]

    def on_records(self, live: Iterable[str]) -> list[OnRecord]:
        """Return the active corrections, waivers and discards of records whose content is live."""
        known = set(live)
        return [decision for decision in self.active_of(OnRecord) if decision.source_hash in known]

    @cached_property
    def released(self) -> frozenset[tuple[str, int]]:
        """Partition and input fingerprint of what is published in spite of the gate."""
        return frozenset((decision.partition, decision.fingerprint) for decision in self.active_of(Release))

    def accepts(self, object_key: str, object_hash: str | None) -> bool:
        """Return whether an object's bytes are taken in spite of what holds them."""
        return (object_key, object_hash) in self._accepted

    @cached_property
    def retracted(self) -> frozenset[tuple[str, str]]:
        """Keys of landed objects that do not count, each with the hash of the object's bytes."""
        return frozenset((decision.source_key, decision.object_hash) for decision in self.active_of(Retract))

    @cached_property
    def expired_before(self) -> dt.date | None:
        """The business date before which quarantined rows are not kept: the latest of those decided."""
        return max((dt.date.fromisoformat(decision.before) for decision in self.active_of(Expire)), default=None)

    @cached_property
    def _revoked(self) -> frozenset[str]:
        return frozenset(decision.revokes for decision in self.taken if isinstance(decision, Revoke))

    @cached_property
    def _accepted(self) -> frozenset[tuple[str, str | None]]:
        return frozenset((decision.source_key, decision.object_hash) for decision in self.active_of(Accept))

    def frame(self, live: Iterable[str]) -> pl.DataFrame:
        """Return the decisions as `ops.decisions` shows them."""
        known = set(live)
        rows = []
        for decision in self.taken:
            said = vars(decision)
            rows.append(
                {name: getattr(decision, name, None) for name in TABLE.columns if name not in _RENDERED}
                | {
                    "part": said.get("partition"),
                    "state": self._state(decision, known),
                    "values": json.dumps(dict(said["values"])) if said.get("values") else None,
                    "rules": list(said.get("rules", ())),
                    "decided_at": dt.datetime.fromisoformat(decision.at),
                    "table_name": said.get("table"),
                    "before": dt.date.fromisoformat(said["before"]) if "before" in said else None,
                }
            )
        return pl.DataFrame(rows, schema=TABLE.types)

    def _state(self, decision: Decision, live: set[str]) -> str:
        if decision.id in self._revoked:
            return "revoked"
        return "stale" if isinstance(decision, OnRecord) and decision.source_hash not in live else "active"


def record(store: Store, decision: Decision) -> None:
    """Store a decision: it counts from now on."""
    store.create(f"{FOLDER}/{decision.feed}/{decision.id}.json", kinds.written(decision))


def rewrite(store: Store, feed: str, change: Callable[[Decision], Decision]) -> int:
    """Put changed decisions in the place of those about a feed, under new names; return how many there were.

    Under new names, because every process reads a path once. Only an erasure changes what people decided.
    """
    changed = 0
    for stored in list(store.list(f"{FOLDER}/{feed}")):
        before = _read(store.root, stored.path)
        after = change(before)
        if after != before:
            content = kinds.written(after)
            name = f"{after.id}~{hashlib.sha256(content).hexdigest()[:12]}"
            store.create(f"{FOLDER}/{feed}/{name}.json", content)
            store.delete(stored.path)
            changed += 1
    return changed


@lru_cache(maxsize=10_000)
def _read(root: str, path: str) -> Decision:
    """Decisions never change, so each is read once by a process."""
    try:
        return kinds.read(store_for(root).read(path))
    except kinds.UnknownKindError as error:
        msg = (
            f"{root}/{path} is a decision of the kind {error.args[0]!r}, which this version does not know: a newer "
            "version wrote it. Nothing was done, because without it records would come back that somebody took out; "
            "use that version again (docs/image.md says what a rollback may do)."
        )
        raise StorageError(msg) from error
    except ValueError as error:
        msg = f"{root}/{path} is no decision ({error}). Nothing was done; restore the file, or move it away."
        raise StorageError(msg) from error
