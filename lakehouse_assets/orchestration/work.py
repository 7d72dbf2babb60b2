"""What is pending, as runs to launch: one run per wave, for exactly the partitions that are ready.

A wave's work is ready when nothing that it reads is still pending. Used alike by the command line, the sensors and
the daily sweep. Not here: launching.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg
from dagster._core.storage.tags import PARTITION_NAME_TAG

from lakehouse_assets.contracts.declare import Model
from lakehouse_assets.contracts.partitioning import WHOLE, as_date
from lakehouse_assets.contracts.registry import registry
from lakehouse_assets.ingest.landing import key_of, pending
from lakehouse_assets.lake.lake import Lake
from lakehouse_assets.orchestration.partitions import first_and_last
from lakehouse_assets.publish.catalog import CatalogState
from lakehouse_assets.publish.pending import FeedState, ModelState, fingerprint

REFRESH = "refresh"
INGEST, PUBLISH, BUILD, REPLAY = "ingest", "publish", "build", "replay"
CATALOG = "catalog/duckdb"
WAVE_TAG, WORK_TAG = "lakehouse/wave", "lakehouse/work"

Given = Mapping[tuple[str, str], int]
"""Table path and partition to the input fingerprint at which it was given up for now."""


@dataclass(frozen=True)
class Work:
    """One run of the job to launch: its tables, and the partitions of each with their input fingerprints."""

    wave: str
    tables: Mapping[str, Mapping[str, int]]
    config: Mapping[str, Mapping[str, Any]]

    @property
    def digest(self) -> str:
        """Identity of the work: the same as long as the same inputs are waiting."""
        return f"{fingerprint({table: dict(parts) for table, parts in self.tables.items()}):x}"

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
        named = {part for parts in self.tables.values() for part in parts if self.wave != INGEST} - {WHOLE}
        first, last = first_and_last(registry())
        dates = [part for part in named if as_date(part) and first <= part <= last]
        newest = {PARTITION_NAME_TAG: max(dates, default=last)} if named else {}
        return {WAVE_TAG: self.wave, WORK_TAG: self.digest} | newest


def landed_work(lake: Lake, given_up: Given | None = None) -> Work | None:
    """Return the ingest of everything that landing holds and the ledger lacks; None when there is nothing."""
    tables: dict[str, dict[str, int]] = {}
    for feed in lake.registry.feeds.values():
        found = {
            key_of(feed, s): fingerprint([s.token, feed.version]) for s in pending(lake, feed, lake.ledger_of(feed))
        }
        found = {key: value for key, value in found.items() if (given_up or {}).get((feed.landing, key)) != value}
        if found:
            tables[feed.landing] = found
    return Work(INGEST, tables, {table: {} for table in tables}) if tables else None


def table_work(lake: Lake, given_up: Given | None = None) -> list[Work]:
    """Return what silver and gold lack and can be given now, a run per wave."""
    waiting: dict[str, dict[str, int]] = {}
    works: list[Work] = []

    def left(path: str, inputs: Mapping[str, int], parts: list[str]) -> dict[str, int]:
        return {part: inputs[part] for part in parts if (given_up or {}).get((path, part)) != inputs[part]}

    for feed in lake.registry.feeds.values():
        state = FeedState.read(lake, feed, lake.ledger_of(feed))
        undecided = left(feed.silver.key, state.inputs, state.pending)
        waiting |= dict.fromkeys((feed.silver.key, feed.quarantine.key, feed.by_rule.key), undecided)
    silver = {feed.silver.key: parts for feed in lake.registry.feeds.values() if (parts := waiting[feed.silver.key])}
    works += _work(PUBLISH, silver)
    for number, models in enumerate(lake.registry.levels()):
        ready: dict[str, dict[str, int]] = {}
        for model in models:
            built = ModelState.read(lake, model)
            waiting[model.table.key] = left(model.table.key, built.inputs, built.pending)
            ready[model.table.key] = _ready(model, waiting)
        works += _work(f"{BUILD}-{number}", {path: parts for path, parts in ready.items() if parts})
    catalog = CatalogState.read(lake)
    stale = left(CATALOG, catalog.inputs, [part for part, v in catalog.inputs.items() if catalog.built.get(part) != v])
    # Last and alone: whatever else is written makes it stale again.
    return works or _work(CATALOG, {CATALOG: stale} if stale else {})


def _ready(model: Model, waiting: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    upstream = [waiting.get(name.replace(".", "/"), {}) for name in model.upstream]
    mine = waiting[model.table.key]
    if model.date is None or any(WHOLE in parts for parts in upstream):
        return {} if any(upstream) else dict(mine)
    return {part: value for part, value in mine.items() if not any(part in parts for parts in upstream)}


def _work(wave: str, tables: Mapping[str, Mapping[str, int]]) -> list[Work]:
    return [Work(wave, tables, {path: {"parts": sorted(parts)} for path, parts in tables.items()})] if tables else []
