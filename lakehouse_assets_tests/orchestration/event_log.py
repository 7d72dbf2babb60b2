"""What Dagster's event log says of some runs: which partitions were materialized, what the gate said of each."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import dagster as dg
from dagster._core.events import DagsterEventType

from lakehouse_assets.context import Lake

GATE = dg.AssetCheckKey(dg.AssetKey(["silver", "sales"]), "gate")


@dataclass
class KnownVersion:
    """Materialized partitions by table (None: no partition), and evaluations of blocking checks by partition."""

    materialized: dict[str, list[str | None]] = field(default_factory=dict)
    gates: dict[str, list[bool]] = field(default_factory=dict)


@contextmanager
def instance_of(lake: Lake) -> Iterator[dg.DagsterInstance]:
    """Open the Dagster instance of a lake, made by an earlier run."""
    with dg.DagsterInstance.from_config(str(lake.settings.dagster_home)) as instance:
        yield instance


def run_ids(lake: Lake) -> list[str]:
    """Return the runs of a lake, oldest first."""
    with instance_of(lake) as instance:
        return [record.dagster_run.run_id for record in instance.get_run_records(ascending=True)]


def known_versions(instance: dg.DagsterInstance, runs: Iterable[str]) -> KnownVersion:
    """Return what some runs materialized and how silver's gate judged each date, in order."""
    found = KnownVersion()
    for run_id in runs:
        for entry in instance.all_logs(run_id):
            event = entry.dagster_event
            if event is None:
                continue
            if event.event_type == DagsterEventType.ASSET_MATERIALIZATION and event.asset_key is not None:
                found.materialized.setdefault(event.asset_key.to_user_string(), []).append(event.partition)
            elif event.event_type == DagsterEventType.ASSET_CHECK_EVALUATION:
                data = event.asset_check_evaluation_data
                if data.asset_check_key == GATE and data.partition is not None:
                    found.gates.setdefault(data.partition, []).append(data.passed)
    return found


def seen_since(lake: Lake, before: Iterable[str]) -> KnownVersion:
    """Return what the runs that are not among the earlier ones did."""
    known = set(before)
    with instance_of(lake) as instance:
        runs = [record.dagster_run.run_id for record in instance.get_run_records(ascending=True)]
        return known_versions(instance, [run_id for run_id in runs if run_id not in known])


def told_by_failed_runs(lake: Lake, before: Iterable[str]) -> str:
    """Return every event of the failed runs that are not among the earlier ones, a line each, with their errors."""
    known = set(before)
    lines: list[str] = []
    with instance_of(lake) as instance:
        for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE])):
            if run.run_id in known:
                continue
            lines += [f"run {run.run_id}: {run.tags}", f"  {run.run_config}"]
            for entry in instance.all_logs(run.run_id):
                kind = entry.dagster_event.event_type_value if entry.dagster_event else "LOG"
                lines.append(f"  {entry.timestamp:.2f} {kind} {entry.step_key or ''}: {entry.user_message}")
                if error := entry.error_info:
                    lines.append(error.to_string())
    return "\n".join(lines) or "no run failed"
