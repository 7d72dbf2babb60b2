"""Failed runs and the work that they were for: how often some inputs failed, and what `lakehouse status` says of it."""

import dagster as dg

from lakehouse_assets.context import Lake
from lakehouse_assets.orchestration.instance import opened
from lakehouse_assets.orchestration.pending_runs import WORK_TAG, landed_work, table_work

_DECIDED_TAG = "lakehouse/decided"
_FAILED = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def tag_as_decided(context: dg.AssetExecutionContext) -> None:
    """Say that a run fails for what it decided: the gate held a date. Its work is done, so it is no failed attempt."""
    context.instance.add_run_tags(context.run.run_id, {_DECIDED_TAG: "held"})


def attempts(instance: dg.DagsterInstance, digest: str) -> list[dg.DagsterRun]:
    """Return the runs for some work that ended without doing it, newest first.

    Args:
        digest: `Work.digest`, as the run bears it.
    """
    runs = instance.get_runs(dg.RunsFilter(tags={WORK_TAG: digest}, statuses=_FAILED))
    return [run for run in runs if _DECIDED_TAG not in run.tags]


def of_pending_work(lake: Lake) -> list[str]:
    """Return one line per pending wave whose last runs on the same inputs failed."""
    landed = landed_work(lake)
    works = ([landed] if landed else []) + table_work(lake)
    found = []
    with opened(lake.settings) as instance:
        for work in works:
            if runs := attempts(instance, work.digest):
                tables = ", ".join(table.replace("/", ".") for table in work.tables)
                found.append(f"{tables}: failed {len(runs)} times on these inputs, last in run {runs[0].run_id}")
    return found
