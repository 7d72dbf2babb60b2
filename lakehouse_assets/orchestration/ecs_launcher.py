"""Runs as tasks of ECS, beside those of `lakehouse run`. Named by `deploy/dagster.yaml`, and imported by it alone."""

import dagster as dg
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster_aws.ecs import EcsRunLauncher

from lakehouse_assets.orchestration.events import PROCESS_TAG
from lakehouse_assets.orchestration.task_size import MEMORY_EXCEEDED_TAG

_TASK_TAG, _CLUSTER_TAG = "ecs/task_arn", "ecs/cluster"
_OUT_OF_MEMORY = "OutOfMemory"


class LakehouseEcsRunLauncher(EcsRunLauncher):
    """The original, but for runs that it has not launched, and for tasks that ran out of memory.

    It leaves runs alone that it has not launched. The original says of a run without a task that nobody knows its
    state, and run monitoring then marks it as failed: each `lakehouse run` of an operator, while it works.

    It notes on a run that its task needed more memory than it had, so that the next run for this work asks for more.
    """

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        if PROCESS_TAG in run.tags and _TASK_TAG not in run.tags:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "executed by the process that made it")
        found: CheckRunHealthResult = super().check_run_worker_health(run)
        if found.status is WorkerStatus.FAILED and (exceeded := self._memory_exceeded(run)):
            self._instance.add_run_tags(run.run_id, {MEMORY_EXCEEDED_TAG: exceeded})
            text = f"the task needed more than its {int(exceeded):,} MiB of memory and was killed. {found.msg or ''}"
            return found._replace(msg=text)
        return found

    def _memory_exceeded(self, run: dg.DagsterRun) -> str | None:
        """Return the memory in MiB of a run's task that was killed for want of it; None if it was not."""
        [task, *_] = self.ecs.describe_tasks(tasks=[run.tags[_TASK_TAG]], cluster=run.tags[_CLUSTER_TAG])["tasks"]
        reasons = [task.get("stoppedReason"), *(container.get("reason") for container in task["containers"])]
        return str(task["memory"]) if any(_OUT_OF_MEMORY in (reason or "") for reason in reasons) else None
