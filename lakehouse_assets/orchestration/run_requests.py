"""Requests of sensors and schedules for runs: one run of a wave at a time, no more attempts at what failed too often.

Not here: what is pending, and when somebody looks for it.
"""

import time

import dagster as dg

from lakehouse_assets.orchestration.failures import SWEEP_TAG, attempts
from lakehouse_assets.orchestration.json_log import logging_config
from lakehouse_assets.orchestration.pending_runs import INGEST, INGESTED, WAVE_TAG, WORK_TAG, Work, digest_of
from lakehouse_assets.orchestration.task_size import killed_with, size_tags
from lakehouse_assets.settings import settings

ATTEMPTS = 3
FOLLOWED_S = 60
"""For so long after its start, an ingest begins what follows from it, and the sensor of the tables waits for it."""
_TOO_LITTLE_MEMORY = 2
"""So many times the same work may run out of memory: in a task of the usual size, and in the next larger one."""
ACTIVE = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def is_busy(instance: dg.DagsterInstance, wave: str) -> bool:
    """Return whether a run of a wave is under way."""
    return bool(instance.get_runs_count(dg.RunsFilter(tags={WAVE_TAG: wave}, statuses=ACTIVE)))


def is_followed(instance: dg.DagsterInstance) -> bool:
    """Return whether a run of ingest is under way that goes on with the tables itself.

    Not one that takes long, or whose death nobody has noticed yet: what it has committed is not left to it.
    """
    runs = dg.RunsFilter(tags={WAVE_TAG: [INGEST, INGESTED]}, statuses=[dg.DagsterRunStatus.STARTED])
    since = time.time() - FOLLOWED_S
    return any((record.start_time or 0) >= since for record in instance.get_run_records(runs))


def request_for(instance: dg.DagsterInstance, work: Work, sweep: str = "") -> dg.RunRequest | dg.SkipReason:
    """Return a request for some work, but for tables whose same inputs have failed too often.

    Args:
        sweep: The day of the daily sweep that asks, which has attempts of its own.
    """
    if is_busy(instance, work.wave):
        return dg.SkipReason(f"a run of {work.wave} is under way")
    failed = {
        table: [run.dagster_run for run in attempts(instance, table, digest_of(partitions))]
        for table, partitions in work.tables.items()
    }
    exhausted = {table: why for table, runs in failed.items() if (why := _why_exhausted(runs, sweep))}
    work = work.without(exhausted)
    if not work.tables:
        named = ", ".join(f"{table.replace('/', '.')} {why}" for table, why in sorted(exhausted.items()))
        return dg.SkipReason(f"{named}; it waits for a change, or for the daily sweep")
    exceeded = max((memory for table in work.tables for memory in killed_with(failed[table])), default=0)
    digest = work.digest + sweep
    # The same inputs may come back (v1, v2, v1), so the key counts every run that there was for them.
    return dg.RunRequest(
        run_key=f"{digest}-{instance.get_runs_count(dg.RunsFilter(tags={WORK_TAG: digest}))}",
        asset_selection=work.selection,
        run_config=work.run_config | logging_config(settings()),
        tags=work.tags
        | size_tags(work.landed_bytes, exceeded)
        | {WORK_TAG: digest}
        | ({SWEEP_TAG: sweep} if sweep else {}),
    )


def _why_exhausted(runs: list[dg.DagsterRun], sweep: str) -> str | None:
    """Return why no more runs are asked for some work on which these failed; None to go on."""
    runs = [run for run in runs if run.tags.get(SWEEP_TAG, "") == sweep]
    killed = killed_with(runs)
    if len(killed) >= _TOO_LITTLE_MEMORY:
        return f"needs more memory than tasks of {' and '.join(f'{memory:,} MiB' for memory in sorted(killed))} have"
    return f"failed {ATTEMPTS} times on these inputs" if len(runs) >= ATTEMPTS else None
