"""Requests of sensors and schedules for runs: one run of a wave at a time, no more attempts at what failed too often.

Not here: what is pending, and when somebody looks for it.
"""

import dagster as dg

from lakehouse_assets.orchestration.failures import SWEEP_TAG, attempts
from lakehouse_assets.orchestration.json_log import logging_config
from lakehouse_assets.orchestration.pending_runs import WAVE_TAG, WORK_TAG, Work, digest_of
from lakehouse_assets.settings import settings

ATTEMPTS = 3
_MIB = 2**20
_TASKS = ((1024 * _MIB, "4096", "16384"), (128 * _MIB, "2048", "8192"))
"""From how many landed bytes on a run gets how much: units of CPU (1,024 are one) and MiB of memory, as Fargate has."""
_ACTIVE = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def is_busy(instance: dg.DagsterInstance, wave: str) -> bool:
    """Return whether a run of a wave is under way."""
    return bool(instance.get_runs_count(dg.RunsFilter(tags={WAVE_TAG: wave}, statuses=_ACTIVE)))


def request_for(instance: dg.DagsterInstance, work: Work, sweep: str = "") -> dg.RunRequest | dg.SkipReason:
    """Return a request for some work, but for tables whose same inputs have failed too often.

    Args:
        sweep: The day of the daily sweep that asks, which has attempts of its own.
    """
    if is_busy(instance, work.wave):
        return dg.SkipReason(f"a run of {work.wave} is under way")
    exhausted = {
        table
        for table, partitions in work.tables.items()
        if len(attempts(instance, table, digest_of(partitions), sweep)) >= ATTEMPTS
    }
    work = work.without(exhausted)
    if not work.tables:
        named = ", ".join(sorted(table.replace("/", ".") for table in exhausted))
        return dg.SkipReason(
            f"{named} failed {ATTEMPTS} times on these inputs; it waits for a change, or for the daily sweep"
        )
    digest = work.digest + sweep
    # The same inputs may come back (v1, v2, v1), so the key counts every run that there was for them.
    return dg.RunRequest(
        run_key=f"{digest}-{instance.get_runs_count(dg.RunsFilter(tags={WORK_TAG: digest}))}",
        asset_selection=work.selection,
        run_config=work.run_config | logging_config(settings()),
        tags=work.tags | _task_size(work.landed_bytes) | {WORK_TAG: digest} | ({SWEEP_TAG: sweep} if sweep else {}),
    )


def _task_size(landed_bytes: int) -> dict[str, str]:
    """Return the tags by which a run on ECS gets a larger task; none for little, which takes the launcher's default."""
    for least, cpu, memory in _TASKS:
        if landed_bytes >= least:
            return {"ecs/cpu": cpu, "ecs/memory": memory}
    return {}
