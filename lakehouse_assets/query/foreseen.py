"""What a changed contract would take away, shown before it is applied: published records, and objects that it refuses.

Bounded: how much was looked at stands beside what was found. Nothing is written.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.contracts.wording import counted
from lakehouse_assets.erasure.protocol import Erasures
from lakehouse_assets.ledger.ledger import FeedLedger
from lakehouse_assets.parsing.archives import Rejection, unpack
from lakehouse_assets.pipeline import vanished
from lakehouse_assets.pipeline.accounting import scan_accounting
from lakehouse_assets.pipeline.batches import rows_by_partition
from lakehouse_assets.pipeline.gate import HELD_BACK
from lakehouse_assets.pipeline.pending import FeedState
from lakehouse_assets.pipeline.silver import evaluate
from lakehouse_assets.pipeline.source_records import records_of
from lakehouse_assets.sources.landing import key_of
from lakehouse_assets.storage import delta
from lakehouse_assets.storage.delta_types import SchemaMismatchError
from lakehouse_assets.storage.schema_evolution import differences_of
from lakehouse_assets.storage.stores import StorageError, Stored

ROWS = 200_000
OBJECTS = 20
BYTES = 64 * 2**20


@dataclass(frozen=True)
class Records:
    """What becomes of published dates that would be computed again.

    Attributes:
        dates: How many there are; `looked_at` of them were computed.
        leaving: Published records that would go to quarantine though no file changed.
        held: Dates that the gate would hold, which stay as they are published.
        kind: What a partition of the feed is called.
        waiting: Records that would wait in quarantine for what they reference.
    """

    dates: int
    looked_at: int
    leaving: int
    held: int
    kind: str = "date"
    waiting: int = 0

    @property
    def lines(self) -> list[str]:
        """What a person has to know, in words."""
        if not self.dates:
            return []
        least, whole = ("", True) if self.looked_at == self.dates else ("at least ", False)
        looked = "" if whole else f" (looked at {self.looked_at:,} of {self.dates:,} published {self.kind}s)"
        leaving = f"{least}{counted(self.leaving, 'published record')} would leave silver for quarantine"
        held = f"{least}{counted(self.held, f'published {self.kind}')} would be held, and stay as before"
        waiting = f"{least}{counted(self.waiting, 'record')} would wait in quarantine for what they reference"
        counts = ((leaving, self.leaving), (held, self.held), (waiting, self.waiting))
        found = [line for line, count in counts if count]
        if not found and not whole:
            return [f"no published record would leave silver, as far as was looked{looked}"]
        return [f"{line}{looked}" for line in found]


@dataclass(frozen=True)
class Objects:
    """What becomes of landed objects that would be read anew.

    Attributes:
        looked_at: How many of the `there` were read.
        refused: The reasons for those that the contract would refuse; they stay as they were read.
    """

    there: int
    looked_at: int
    refused: list[str]

    @property
    def lines(self) -> list[str]:
        """What a person has to know, in words."""
        if not self.refused:
            return []
        least = "" if self.looked_at == self.there else "at least "
        found = f"{least}{counted(len(self.refused), 'landed object')} would be refused, and stay as read before"
        return [f"{found} (looked at {self.looked_at:,} of {self.there:,}); the first: {self.refused[0]}"]


def records(lake: Lake, feed: Feed, state: FeedState, ledger: FeedLedger) -> Records | None:
    """Return what becomes of published dates; None where that is unknown before objects are read anew.

    Dates that are no business dates any more are counted whole. Of the others the newest are computed, `ROWS` of them.
    """
    published = [p for p in state.pending if p in state.silver and p not in state.pins]
    outside = [p for p in published if p in state.outside]
    counts = scan_accounting(lake.store).filter((pl.col("feed") == feed.name) & pl.col("part").is_in(outside))
    leaving = int(counts.select(pl.sum("published")).collect().item()) if outside else 0
    inside = [p for p in published if p not in state.outside]
    if inside and _has_new_columns(lake, feed):
        return None
    rows, size = rows_by_partition(ledger.live), 0
    chosen: list[str] = []
    for partition in reversed(inside):
        if chosen and size + rows.get(partition, 0) > ROWS:
            break
        chosen.append(partition)
        size += rows.get(partition, 0)
    found = evaluate(lake, feed, sorted(chosen)) if chosen else None
    if found is not None:
        leaving += sum(vanished.find(lake, state, found, {}).new.values())
    held = sum(outcome.verdict == HELD_BACK for outcome in found.outcomes) if found is not None else 0
    waiting = sum(outcome.waiting for outcome in found.outcomes) if found is not None else 0
    return Records(len(published), len(outside) + len(chosen), leaving, held, feed.layout.unit, waiting)


def _has_new_columns(lake: Lake, feed: Feed) -> bool:
    """Return whether the contract reads fields that bronze may not hold yet: quarantine has them all."""
    table = feed.quarantine
    if not delta.exists(lake.store, table.path):
        return False
    try:
        return bool(differences_of(lake.store, table.path, table.types, table.partitioning))
    except SchemaMismatchError:
        return True


def objects(lake: Lake, feed: Feed, there: list[Stored]) -> Objects:
    """Return what becomes of landed objects that would be read anew; of many, a sample that is always the same."""
    refused, looked_at, size = [], 0, 0
    for stored in sorted(there, key=lambda found: hashlib.sha256(found.path.encode()).digest())[:OBJECTS]:
        if looked_at and size + stored.size > BYTES:
            continue
        looked_at, size = looked_at + 1, size + stored.size
        refused += list(_refusals(lake, feed, stored))[:1]
    return Objects(len(there), looked_at, refused)


def _refusals(lake: Lake, feed: Feed, stored: Stored) -> Iterator[str]:
    """Yield why the contract would refuse source objects of a landed object. What storage refuses is another matter."""
    limit, erasures = lake.settings.max_source_bytes, Erasures.load(lake, feed)
    try:
        data = lake.store.read(stored.path, stored.token)
    except StorageError:
        return
    for source in unpack(key_of(feed, stored), data, limit):
        if source.hash is None:
            continue
        try:
            records_of(lake, feed, source, erasures)
        except Rejection as rejection:
            yield f"{source.key}: {rejection}"
