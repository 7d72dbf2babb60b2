"""Facts from what became of runs. Not here: facts from asset checks."""

from collections.abc import Iterable, Iterator
from typing import Any

import dagster as dg

from lakehouse_assets.alerts.facts import CHECK_FAILED, RUN_DIED, SHOWN, Fact, Kind, Severity, bounded
from lakehouse_assets.alerts.stream import Event
from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.partitioning import UNDATED, WHOLE
from lakehouse_assets.orchestration.failures import failure_text

_KINDS = {
    dg.DagsterEventType.RUN_ENQUEUED: (Kind.RUN_QUEUED, Severity.INFO),
    dg.DagsterEventType.RUN_START: (Kind.RUN_STARTED, Severity.INFO),
    dg.DagsterEventType.RUN_SUCCESS: (Kind.RUN_SUCCEEDED, Severity.INFO),
    dg.DagsterEventType.RUN_FAILURE: (Kind.RUN_FAILED, Severity.ERROR),
    dg.DagsterEventType.RUN_CANCELED: (Kind.RUN_CANCELED, Severity.WARNING),
}


def runs_of(instance: dg.DagsterInstance, events: Iterable[Event]) -> dict[str, dg.DagsterRun]:
    """Return the runs of some events by id; one that was deleted is not among them."""
    ids = sorted({event.entry.run_id for event in events if event.dagster_event.event_type in _KINDS})
    return {run.run_id: run for run in instance.get_runs(dg.RunsFilter(run_ids=ids))} if ids else {}


def facts_of_run(lake: Lake, instance: dg.DagsterInstance, event: Event, run: dg.DagsterRun | None) -> Iterator[Fact]:
    """Yield the fact that a change of a run's state is."""
    kind, severity = _KINDS[event.dagster_event.event_type]
    assets, dates = (_assets(run), _dates(run)) if run else ([], [])
    cause = error = ""
    if kind is Kind.RUN_FAILED:
        failed, error, cause = _failure(instance, event)
        assets = failed or assets
        severity = Severity.WARNING if error == CHECK_FAILED else severity
    yield Fact(
        position=event.position,
        kind=kind,
        severity=severity,
        at=event.at,
        lake=lake.settings.root,
        assets=tuple(assets[:SHOWN]),
        dates=tuple(dates[:SHOWN] if len(dates) <= SHOWN else [*dates[: SHOWN - 1], dates[-1]]),
        date_count=len(dates),
        about=run.job_name if run else "",
        error=error,
        cause=bounded(cause),
        command={Kind.RUN_FAILED: "lakehouse status", Kind.RUN_CANCELED: "lakehouse run"}.get(kind, ""),
        run_id=event.entry.run_id,
        link=lake.settings.link_to_run(event.entry.run_id),
    )


def _ops(run: dg.DagsterRun) -> dict[str, Any]:
    ops: Any = run.run_config.get("ops", {})
    return dict(ops)


def _assets(run: dg.DagsterRun) -> list[str]:
    if run.asset_selection:
        return sorted(".".join(key.path) for key in run.asset_selection)
    return sorted(name.replace("__", ".") for name in _ops(run) if "__" in name)


def partitions_by_asset(run: dg.DagsterRun) -> dict[str, list[str]]:
    """Return the partitions that a run was asked for by its configuration, by asset."""
    asked = {name.replace("__", "."): op.get("config", {}).get("partitions", []) for name, op in _ops(run).items()}
    return {asset: partitions for asset, partitions in asked.items() if partitions}


def _dates(run: dg.DagsterRun) -> list[str]:
    """Return the partitions that a run was asked for, by its configuration or from the UI."""
    named = {partition for partitions in partitions_by_asset(run).values() for partition in partitions}
    tags = (run.tags.get(name) for name in ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end"))
    found = named or {tag for tag in tags if tag} or {*filter(None, [run.tags.get("dagster/partition")])}
    return sorted(found - {UNDATED, WHOLE})


def _failure(instance: dg.DagsterInstance, event: Event) -> tuple[list[str], str, str]:
    """Return the assets that failed, the class of the error, and why. The assets that only a check failed come last."""
    failed = [
        entry.get_dagster_event()
        for entry in instance.all_logs(event.entry.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    ]
    errors = [step for step in failed if failure_text(step) is not None]
    if not failed:
        return [], RUN_DIED, event.dagster_event.message or "the run says no reason"
    assets = [(step.step_key or "").replace("__", ".") for step in errors or failed]
    texts = [failure_text(step) or _of_check(step) for step in errors or failed]
    if not errors:
        return assets, CHECK_FAILED, "\n".join(texts)
    return assets, _class_of(errors[0]), "\n".join(texts)


def _class_of(step: dg.DagsterEvent) -> str:
    """Return the class of the error of a failed step; a step of the lake says it in its failure."""
    data = step.step_failure_data
    said = data.user_failure_data.metadata.get("error") if data.user_failure_data else None
    return str(said.value) if said else (data.error.cls_name if data.error else None) or "Failure"


def _of_check(step: dg.DagsterEvent) -> str:
    failure = step.step_failure_data.user_failure_data
    return (failure.description if failure else None) or "a check failed"
