"""Runs as tasks of ECS, beside those of `lakehouse run`. Named by `deploy/dagster.yaml`, and imported by it alone."""

import dagster as dg
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster_aws.ecs import EcsRunLauncher

from lakehouse_assets.orchestration.events import PROCESS_TAG

_TASK_TAG = "ecs/task_arn"


class LakehouseEcsRunLauncher(EcsRunLauncher):
    """The original, except that it leaves runs alone that it has not launched.

    The original says of a run without a task that nobody knows its state, and run monitoring then marks it as failed:
    each `lakehouse run` of an operator, while it works.
    """

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        if PROCESS_TAG in run.tags and _TASK_TAG not in run.tags:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "executed by the process that made it")
        found: CheckRunHealthResult = super().check_run_worker_health(run)
        return found
