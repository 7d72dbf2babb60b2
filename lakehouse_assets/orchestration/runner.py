"""`lakehouse run`: everything pending, wave after wave, as Dagster runs in this process, until nothing is left.

It calls what `JobDefinition.execute_in_process` calls inside of Dagster: that describes the whole job for each run.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.execute_in_process import core_execute_in_process

from lakehouse_assets.context import Lake
from lakehouse_assets.orchestration import progress
from lakehouse_assets.orchestration.events import PROCESS_TAG, this_process
from lakehouse_assets.orchestration.failures import failure_text
from lakehouse_assets.orchestration.json_log import logging_config
from lakehouse_assets.orchestration.pending_runs import REPLAY, Exhausted, Work, landed_work, table_work
from lakehouse_assets.pipeline.waiting import waiting_models

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass
class Report:
    """What a session of runs did.

    Attributes:
        run_ids: The Dagster runs, in order.
        failures: Per run that failed for another reason than a held date: the table and why. Then the tables that
            wait for one of them.
    """

    run_ids: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def run_pending(
    lake: Lake,
    job: dg.JobDefinition,
    instance: dg.DagsterInstance,
    announce: Callable[[str, int], None] = lambda *_: None,
    advance: Callable[[str, int], None] = lambda *_: None,
    force: Mapping[str, list[str]] | None = None,
) -> Report:
    """Run until nothing that can be done is left.

    Args:
        job: The job that holds every asset; see `REFRESH`.
        announce: Called with a table and the number of its objects or partitions before they are worked on.
        advance: Called with a table and the number of those that are done.
        force: Partitions by table path that are computed first, whether or not they are pending.
    """
    report = Report()
    job = job.as_ephemeral_job(resource_defs={}, input_values={})
    exhausted: dict[tuple[str, str], int] = {}
    with progress.listening(advance):
        if force:
            config = {table: {"partitions": partitions, "force": True} for table, partitions in force.items()}
            tables = {table: dict.fromkeys(partitions, 0) for table, partitions in force.items()}
            for table, named in force.items():
                announce(table, len(named))
            _execute(lake, job, instance, Work(REPLAY, tables, config), report)
        for work in _waves(lake, exhausted):
            for table, partitions in work.tables.items():
                announce(table, len(partitions))
            _execute(lake, job, instance, work, report)
            # Whatever of this work is still pending at the same inputs could not be done now.
            exhausted |= work.inputs
    if report.failures:  # of the table that they wait for
        report.failures += waiting_models(lake)
    return report


def _waves(lake: Lake, exhausted: Exhausted) -> Iterator[Work]:
    """Yield work until none is left: what has landed, then the tables, then what has landed meanwhile.

    Args:
        exhausted: What could not be done now. The caller notes there what each work leaves undone.
    """
    is_first = True
    while (landed := landed_work(lake, exhausted)) is not None or is_first:
        is_first = False
        if landed is not None:
            yield landed
        # One wave at a time: what it publishes decides what the next one has to do.
        while works := table_work(lake, exhausted)[:1]:
            yield works[0]


def _execute(lake: Lake, job: dg.JobDefinition, instance: dg.DagsterInstance, work: Work, report: Report) -> None:
    selected = frozenset(work.selection)
    result = core_execute_in_process(
        run_config=work.run_config | _QUIET | logging_config(lake.settings),
        job=InMemoryJob(job_def=job.get_subset(asset_selection=selected)),
        instance=instance,
        output_capturing_enabled=False,
        raise_on_error=False,
        run_tags=work.tags | {PROCESS_TAG: this_process()},
        asset_selection=selected,
    )
    report.run_ids.append(result.run_id)
    for event in result.all_events:
        if not event.is_step_failure:
            continue
        if text := failure_text(event):
            report.failures.append(f"{(event.step_key or '').replace('__', '.')}: {text}")
    for check in result.get_asset_check_evaluations():
        told_elsewhere = check.check_name in {"gate", "objects_accepted"}
        if not check.passed and check.severity == dg.AssetCheckSeverity.ERROR and not told_elsewhere:
            report.failures.append(f"{'.'.join(check.asset_key.path)}: {check.description}")
