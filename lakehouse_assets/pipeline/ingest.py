"""Ingest: landed objects become bronze files and ledger entries, batch by batch.

The ledger commit that ends a batch is what makes its bronze files live, so a batch that dies before it leaves nothing
that a reader can see. Not here: reading objects.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.contracts.wording import counted
from lakehouse_assets.decisions.recorded import Decisions
from lakehouse_assets.erasure.protocol import Erasures
from lakehouse_assets.ledger.ledger import Ledger, ObjectVersion
from lakehouse_assets.pipeline import packs
from lakehouse_assets.pipeline.ingest_object import read_objects
from lakehouse_assets.pipeline.known_contents import Known
from lakehouse_assets.pipeline.new_packs import FEWEST
from lakehouse_assets.pipeline.source_records import SMALL_BYTES
from lakehouse_assets.sources.landing import still_pending
from lakehouse_assets.storage.delta import Conflict, until_committed
from lakehouse_assets.storage.stores import StorageError, Stored

_TOGETHER_BYTES = 2**22  # landed; memory has the records of all of them at once


@dataclass
class Ingested:
    """What one batch did: versions recorded, and rows by touched partition (0 where a version took rows away).

    `failed` tells why objects of it could not be read or stored; nothing was recorded of them.
    """

    versions: list[ObjectVersion] = field(default_factory=list)
    touched: dict[str, int] = field(default_factory=dict)
    failed: list[StorageError] = field(default_factory=list)

    @property
    def drifted(self) -> list[str]:
        """Source objects of the batch whose columns are not those of the contract, each with the difference."""
        return [f"{e.source_key}: {e.drift}" for v in self.versions for e in v.entries if e.drift]

    @property
    def refused(self) -> list[str]:
        """Source objects of the batch that were rejected or held, each with the reason."""
        rejected = [f"{e.source_key}: rejected: {e.reason}" for v in self.versions for e in v.entries if e.reason]
        return rejected + [f"{v.object_key}: held: {v.held}" for v in self.versions if v.held]


def ingest(
    lake: Lake,
    feed: Feed,
    objects: Iterable[Stored],
    run_id: str,
    progress: Callable[[int], None] = lambda _: None,
    *,
    force: bool = False,
) -> Iterator[Ingested]:
    """Ingest landed objects in batches bounded in bytes, yielding after each ledger commit.

    Args:
        objects: In the order in which they are recorded.
        progress: Called with the bytes of each object read.
        force: Read also what is known, and write bronze files that do not hold it in their place.

    Raises:
        StorageError: Some objects could not be read, or stored; the others were ingested before.
    """
    failed: list[StorageError] = []
    for batch in _batches(objects, lake.settings.ingest_batch_bytes):
        result = _ingest_batch(lake, feed, batch, run_id, progress, force=force)
        if result.versions:
            yield result
        failed += result.failed
        if len(result.failed) == len(batch) > 1:  # it is the storage rather than an object
            break
    if failed:
        others = f" The same happened to {counted(len(failed) - 1, 'other')}." if len(failed) > 1 else ""
        msg = f"{failed[0]}{others} What could be ingested was; the rest is still pending."
        raise StorageError(msg) from failed[0]


def _batches(objects: Iterable[Stored], limit: int) -> Iterator[list[Stored]]:
    batch: list[Stored] = []
    size = 0
    for stored in objects:
        if batch and size + stored.size > limit:
            yield batch
            batch, size = [], 0
        batch.append(stored)
        size += stored.size
    if batch:
        yield batch


def _ingest_batch(
    lake: Lake, feed: Feed, batch: list[Stored], run_id: str, progress: Callable[[int], None], *, force: bool
) -> Ingested:
    read: dict[str, ObjectVersion] = {}
    failed: dict[str, StorageError] = {}

    def attempt() -> Ingested:
        # Opened before anything is read: an erasure meanwhile commits there, too, and what was read is read again.
        is_many = sum(stored.size <= SMALL_BYTES and stored.path not in read for stored in batch) >= FEWEST
        table = packs.opened(lake.store) if is_many else None
        ledger = Ledger.load(lake.store)
        of_feed = ledger.of_feed(feed.name)
        # After a conflict, another writer has recorded some of the batch.
        left = batch if force else still_pending(lake, feed, of_feed, batch)
        # They may even have recorded a newer version of it, over which an older one must not come.
        left = [stored for stored in left if stored.path not in read or lake.store.stat(stored.path) == stored]
        missing = [stored for stored in left if stored.path not in read and stored.path not in failed]
        decisions = Decisions.load(lake.store, feed.name)
        erasures = Erasures.load(lake, feed, decisions)
        known = Known(of_feed, feed, erasures, force)
        take = partial(read_objects, lake, feed, known, decisions, erasures, into_packs=table is not None)
        share = min(_TOGETHER_BYTES, sum(stored.size for stored in missing) // lake.settings.threads)
        shares, places = list(_batches(missing, share)), [pl.DataFrame(schema=packs.SCHEMA)]
        with ThreadPoolExecutor(lake.settings.threads) as pool:
            for those, found in zip(shares, pool.map(take, shares), strict=True):
                places.append(found.places)
                for stored, outcome in zip(those, found.outcomes, strict=True):
                    if isinstance(outcome, StorageError):
                        failed[stored.path] = outcome
                    else:
                        read[stored.path] = outcome
                        progress(outcome.size)
        if table is not None and (added := pl.concat(places)).height:
            try:
                packs.add(lake.store, table, feed.name, added)
            except Conflict:
                read.clear()
                raise
        versions = [read[stored.path] for stored in left if stored.path in read and read[stored.path].entries]
        if versions:
            ledger.append(versions, run_id)
        replaced = of_feed.live_of_objects(version.object_key for version in versions)
        return Ingested(versions, _touched(versions, replaced), list(failed.values()))

    return until_committed(attempt)


def _touched(versions: list[ObjectVersion], replaced: pl.DataFrame) -> dict[str, int]:
    touched: dict[str, int] = {}
    for version in versions:
        for entry in version.entries:
            for partition, rows in entry.partitions.items():
                touched[partition] = touched.get(partition, 0) + rows
    keys = {entry.source_key for version in versions for entry in version.entries}
    objects = {version.object_key for version in versions if any(not entry.reason for entry in version.entries)}
    key = pl.col("source_key")
    was_theirs = key.is_in(list(keys)) | key.str.split_exact("!", 1).struct.field("field_0").is_in(list(objects))
    for partition in replaced.filter(was_theirs)["part"].unique():
        touched.setdefault(partition, 0)
    return dict(sorted(touched.items()))
