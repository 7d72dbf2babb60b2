"""What is pending, as runs to launch: one run per wave, for exactly the partitions that are ready.

A wave's work is ready when nothing that it reads is still pending. Used alike by the command line, the sensors and
the daily sweep. Not here: launching.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import dagster as dg

from lakehouse_assets.catalog.catalogs import key_of
from lakehouse_assets.context import Lake, current
from lakehouse_assets.contracts.declare import Feed, Model
from lakehouse_assets.contracts.partitioning import as_date, is_by_date
from lakehouse_assets.orchestration.date_partitions import first_and_last
from lakehouse_assets.pipeline.inputs import fingerprint
from lakehouse_assets.pipeline.pending import FeedState, ModelState
from lakehouse_assets.pipeline.waiting import reason_for_feed_to_wait, reason_to_wait
from lakehouse_assets.serving.destinations import destinations
from lakehouse_assets.sources.landing import key_of as landed_key
from lakehouse_assets.sources.landing import pending
from lakehouse_assets.storage.stores import Stored

REFRESH = "refresh"
INGEST, PUBLISH, BUILD, REPLAY = "ingest", "publish", "build", "replay"
INGESTED = "ingested"
"""Wave of an ingest that is done and goes on with what follows; see `follow_up`."""
CATALOG = "catalog"
WAVE_TAG, WORK_TAG = "lakehouse/wave", "lakehouse/work"
_LONGEST_TAG = 63
_PARTITION_TAG = "dagster/partition"
_NO_RETRY = {"dagster/max_retries": "0"}
"""Where an instance retries dead runs by itself: this work is asked for again anyway, as far as it is still pending."""

refresh_job = dg.define_asset_job(
    REFRESH,
    dg.AssetSelection.groups("landing", "silver", "gold", "catalog", "serving"),
    description="Ingest, publish or build what is pending; each run is asked for some tables and some of their dates.",
)

Exhausted = Mapping[tuple[str, str], int]
"""Table path and partition to the input fingerprint on which no more work is tried now."""


@dataclass(frozen=True)
class Work:
    """One run of the job to launch: its tables, and the partitions of each with their input fingerprints.

    Attributes:
        landed_bytes: What an ingest reads; 0 for other waves, which work in batches of as many rows as a setting says.
    """

    wave: str
    tables: Mapping[str, Mapping[str, int]]
    config: Mapping[str, Mapping[str, Any]]
    landed_bytes: int = 0

    @property
    def inputs(self) -> dict[tuple[str, str], int]:
        """The input fingerprints by table path and partition."""
        return {(table, part): value for table, parts in self.tables.items() for part, value in parts.items()}

    @property
    def digest(self) -> str:
        """Identity of the work: the same as long as the same inputs are waiting."""
        return f"{fingerprint({table: dict(partitions) for table, partitions in self.tables.items()}):x}"

    @property
    def selection(self) -> list[dg.AssetKey]:
        """Keys of the assets to materialize."""
        return [dg.AssetKey(table.split("/")) for table in self.tables]

    @property
    def run_config(self) -> dict[str, Any]:
        """Run configuration with the partitions of each asset."""
        return {"ops": {table.replace("/", "__"): {"config": dict(self.config[table])} for table in self.tables}}

    @property
    def tags(self) -> dict[str, str]:
        """Run tags by which later ticks find the run.

        Dagster refuses to run a partitioned asset with a partitioned input and no partition at all, so the run bears
        its newest date, or today for records without one; what it works on is in its configuration.
        """
        named = {
            partition
            for partitions in self.tables.values()
            for partition in partitions
            if self.wave != INGEST and is_by_date(partition)
        }
        first, last = first_and_last(current().registry)
        dates = [partition for partition in named if as_date(partition) and first <= partition <= last]
        newest = {_PARTITION_TAG: max(dates, default=last)} if named else {}
        tables = {left_tag(table): digest_of(partitions) for table, partitions in self.tables.items()}
        return {WAVE_TAG: self.wave, WORK_TAG: self.digest} | tables | newest | _NO_RETRY

    def without(self, tables: Collection[str]) -> "Work":
        """Return the work without some of its tables."""
        chosen = [table for table in self.tables if table not in tables]
        return replace(self, tables={t: self.tables[t] for t in chosen}, config={t: self.config[t] for t in chosen})


def left_tag(table: str) -> str:
    """Return the tag whose value says what a run leaves undone of a table: at first, all that it was asked for.

    Args:
        table: `Table.key`.
    """
    return f"lakehouse.left/{table.replace('/', '.')[-_LONGEST_TAG:]}"


def digest_of(partitions: Mapping[str, int]) -> str:
    """Return the identity of some work on one table: partitions, or landed keys, with their input fingerprints."""
    return f"{fingerprint(dict(partitions)):x}"


def fingerprints_of(feed: Feed, landed: Iterable[Stored]) -> dict[str, int]:
    """Return the input fingerprint of some landed objects, by key."""
    return {landed_key(feed, stored): fingerprint([stored.token, feed.version]) for stored in landed}


def landed_work(lake: Lake, exhausted: Exhausted | None = None) -> Work | None:
    """Return the ingest of everything that landing holds and the ledger lacks; None when there is nothing."""
    tables: dict[str, dict[str, int]] = {}
    landed_bytes = 0
    for feed in lake.registry.feeds.values():
        landed = list(pending(lake, feed, lake.ledger_of(feed)))
        landed_bytes += sum(stored.size for stored in landed)
        found = fingerprints_of(feed, landed)
        found = {key: value for key, value in found.items() if (exhausted or {}).get((feed.landing, key)) != value}
        if found:
            tables[feed.landing] = found
    return Work(INGEST, tables, {table: {} for table in tables}, landed_bytes) if tables else None


def table_work(lake: Lake, exhausted: Exhausted | None = None) -> list[Work]:
    """Return what silver and gold lack and can be given now, a run per wave."""
    lake = lake.at_once()
    waiting: dict[str, dict[str, int]] = {}
    works: list[Work] = []

    for feed in lake.registry.feeds.values():
        state = FeedState.read(lake, feed, lake.ledger_of(feed))
        undecided = _left(feed.silver.key, state.inputs, state.pending, exhausted)
        waiting |= dict.fromkeys((table.key for table in feed.tables if table is not feed.bronze), undecided)
    silver = {feed.silver.key: waiting[feed.silver.key] for feed in lake.registry.feeds.values()}
    works += _work(
        PUBLISH,
        {
            feed.silver.key: partitions
            for feed in lake.registry.feeds.values()
            # In one run with a feed that it references, Dagster would skip it where that one is held or fails.
            if (partitions := silver[feed.silver.key])
            and not any(silver[path] for path in _referenced(lake, feed))
            and reason_for_feed_to_wait(lake, feed) is None
        },
    )
    for number, models in enumerate(lake.registry.levels()):
        ready: dict[str, dict[str, int]] = {}
        for model in models:
            built = ModelState.read(lake, model)
            waiting[model.table.key] = _left(model.table.key, built.inputs, built.pending, exhausted)
            found = _ready(model, waiting)
            ready[model.table.key] = {} if found and reason_to_wait(lake, model) else found
        works += _work(f"{BUILD}-{number}", {path: partitions for path, partitions in ready.items() if partitions})
    # Last and alone: whatever else is written makes a catalog stale again.
    return works or catalog_work(lake, exhausted)


def catalog_work(lake: Lake, exhausted: Exhausted | None = None) -> list[Work]:
    """Return what the catalogs lack, as one run; none when there is nothing."""
    stale: dict[str, dict[str, int]] = {}
    for catalog in destinations(lake):
        behind = catalog.state(lake).pending
        stale[key_of(catalog)] = _left(key_of(catalog), behind, list(behind), exhausted)
    return _work(CATALOG, {key: partitions for key, partitions in stale.items() if partitions})


def _left(path: str, inputs: Mapping[str, int], partitions: list[str], exhausted: Exhausted | None) -> dict[str, int]:
    return {
        partition: inputs[partition]
        for partition in partitions
        if (exhausted or {}).get((path, partition)) != inputs[partition]
    }


def _referenced(lake: Lake, feed: Feed) -> set[str]:
    names = {reference.feed for reference in lake.registry.references(feed)} - {feed.name}
    return {lake.registry.feeds[name].silver.key for name in names}


def _ready(model: Model, waiting: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    upstream = [waiting.get(name.replace(".", "/"), {}) for name in model.upstream]
    mine = waiting[model.table.key]
    if model.date is None or not all(is_by_date(partition) for partitions in upstream for partition in partitions):
        return {} if any(upstream) else dict(mine)
    return {
        partition: value
        for partition, value in mine.items()
        if not any(partition in partitions for partitions in upstream)
    }


def _work(wave: str, tables: Mapping[str, Mapping[str, int]]) -> list[Work]:
    return (
        [Work(wave, tables, {path: {"partitions": sorted(partitions)} for path, partitions in tables.items()})]
        if tables
        else []
    )
