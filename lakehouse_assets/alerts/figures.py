"""Figures of what runs did: rows, quality, seconds, bytes per asset, from the event log. Not here: who gets them."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

import dagster as dg

from lakehouse_assets.alerts.runs import partitions_by_asset, runs_of
from lakehouse_assets.alerts.stream import Event, Page
from lakehouse_assets.context import Lake
from lakehouse_assets.orchestration.arrivals import QUEUE

COUNT, BYTES, SECONDS, NO_UNIT = "Count", "Bytes", "Seconds", "None"
_OF_MATERIALIZATIONS = {
    "dagster/partition_row_count": ("rows", COUNT),
    "landed": ("landed", COUNT),
    "quarantined": ("quarantined", COUNT),
    "duplicates": ("duplicates", COUNT),
    "quality score": ("quality_score", NO_UNIT),
    "objects": ("objects", COUNT),
    "rejected": ("rejected", COUNT),
    "bytes": ("bytes", BYTES),
}
_OF_THE_QUEUE = dict.fromkeys(("backlog", "waiting", "in_flight", "dead_letters", "received", "unannounced"), COUNT)
_OF_OTHERS = {"usd": NO_UNIT, "objects_waiting": COUNT, "bytes_waiting": BYTES}


@dataclass(frozen=True)
class Figure:
    """One measurement of an asset. Several may have the position of the one event that they are from."""

    position: int
    at: dt.datetime
    asset: str
    name: str
    value: float
    unit: str


def figures_of(lake: Lake, instance: dg.DagsterInstance, page: Page) -> list[Figure]:  # noqa: ARG001 - as `facts_of`
    """Return the figures of a page, in order: per date that was published, and per asset of each run."""
    runs = runs_of(instance, page.events)
    found: list[Figure] = []
    for event in page.events:
        if event.dagster_event.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION:
            found += _of_materialization(event)
        elif event.dagster_event.event_type is dg.DagsterEventType.ASSET_OBSERVATION:
            found += _of_observation(event)
        elif run := runs.get(event.entry.run_id):
            found += _of_run(instance, event, run)
    return found


def _of_materialization(event: Event) -> Iterator[Figure]:
    made = event.dagster_event.step_materialization_data.materialization
    for said, (name, unit) in _OF_MATERIALIZATIONS.items():
        if (value := made.metadata.get(said)) is not None and isinstance(value.value, int | float):
            yield Figure(event.position, event.at, ".".join(made.asset_key.path), name, float(value.value), unit)


def _of_observation(event: Event) -> Iterator[Figure]:
    seen = event.dagster_event.asset_observation_data.asset_observation
    named = (_OF_THE_QUEUE if seen.asset_key == QUEUE else {}) | _OF_OTHERS
    for name, unit in named.items():
        # Where there is no dead-letter queue, a text says so.
        if (value := seen.metadata.get(name)) is not None and isinstance(value.value, int | float):
            yield Figure(event.position, event.at, ".".join(seen.asset_key.path), name, value.value, unit)


def _of_run(instance: dg.DagsterInstance, event: Event, run: dg.DagsterRun) -> Iterator[Figure]:
    kind = event.dagster_event.event_type
    if kind is dg.DagsterEventType.RUN_START:
        for asset, partitions in partitions_by_asset(run).items():
            yield Figure(event.position, event.at, asset, "backlog", len(partitions), COUNT)
        return
    for step in instance.get_run_step_stats(run.run_id):
        if "__" in step.step_key and step.start_time and step.end_time:
            asset, seconds = step.step_key.replace("__", "."), step.end_time - step.start_time
            yield Figure(event.position, event.at, asset, "seconds", round(seconds, 3), SECONDS)
    if kind is dg.DagsterEventType.RUN_SUCCESS:
        for asset in partitions_by_asset(run):
            yield Figure(event.position, event.at, asset, "backlog", 0, COUNT)
