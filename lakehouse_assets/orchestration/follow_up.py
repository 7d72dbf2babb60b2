"""What follows an ingest in its process: the tables that it made pending, wave after wave, each as a run of its own.

To launch a run costs the start of a process or of a task, and the time until a sensor looks: most of the way from
landing to gold. Not here: what is pending (`pending_runs`), and which run is refused (`run_requests`).
"""

import time
from collections.abc import Iterator
from typing import Any

import dagster as dg
from dagster._core.definitions.reconstruct import ReconstructableJob
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.events import DagsterEvent, EngineEventData, RunFailureReason
from dagster._core.execution.api import execute_run
from dagster._core.execution.context.system import PlanOrchestrationContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.retries import RetryMode
from dagster._core.scheduler.instigation import InstigatorStatus, InstigatorType

from lakehouse_assets.context import Lake
from lakehouse_assets.orchestration.events import PROCESS_TAG, this_process
from lakehouse_assets.orchestration.failures import SWEEP_TAG
from lakehouse_assets.orchestration.parallel_tasks import shares
from lakehouse_assets.orchestration.pending_runs import CATALOG, INGEST, INGESTED, REFRESH, WAVE_TAG, Work, table_work
from lakehouse_assets.orchestration.run_requests import FOLLOWED_S, is_busy, request_for
from lakehouse_assets.orchestration.task_size import MEMORY_TAG

FOLLOWS_TAG = "lakehouse/follows"
ASKS_FOR_TABLES = {"lakehouse/asks_for": "tables"}
"""Tags of the sensor in whose place an ingest goes on: where somebody has turned it off, none does."""
_WHERE = ("ecs/", "dagster/code_location")
"""How the names of tags begin that say where a run is executed. They are those of the process, so of all of its runs:
by them the launcher on ECS sees that a task is gone, and `ops.costs` how large it was."""


def in_process_executor(lake: Lake) -> dg.ExecutorDefinition:
    """Return the executor of every run: its steps in this process; after an ingest, what follows from it."""
    steps: Any = dg.in_process_executor  # whose parts have no public types

    def following(context: dg.InitExecutorContext) -> dg.Executor:
        return _Following(steps.executor_creation_fn(context), lake)

    return dg.ExecutorDefinition(steps.name, steps.config_schema, executor_creation_fn=following)


class _Following(dg.Executor):
    def __init__(self, steps: dg.Executor, lake: Lake) -> None:
        self._steps, self._lake = steps, lake

    @property
    def retries(self) -> RetryMode:
        return self._steps.retries

    def execute(self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan) -> Iterator[DagsterEvent]:
        begun = time.monotonic()
        yield from self._steps.execute(plan_context, execution_plan)
        if plan_context.dagster_run.tags.get(WAVE_TAG) != INGEST:
            return
        try:
            yield from _follow_up(self._lake, plan_context, begun + FOLLOWED_S)
        except Exception as error:  # noqa: BLE001 - the ingest is done; its text may quote records
            yield _engine_event(
                plan_context, f"Cannot go on with its tables ({type(error).__name__}); a sensor asks for them."
            )


def _follow_up(lake: Lake, context: PlanOrchestrationContext, until: float) -> Iterator[DagsterEvent]:
    """Execute what is pending, one wave at a time: what it publishes decides what the next one has to do.

    Catalogs come last: they are left to the next ingest where one waits already.
    """
    instance, ingest = context.instance, context.dagster_run
    # From now on the next ingest may begin. This one is still known as a run that goes on.
    instance.add_run_tags(ingest.run_id, {WAVE_TAG: INGESTED})
    exhausted: dict[tuple[str, str], int] = {}
    while time.monotonic() < until and _is_automatic(context):
        works = [work for work in table_work(lake, exhausted) if work.wave != CATALOG or not is_busy(instance, INGEST)]
        asked = (_asked(lake, context, work) for work in works)
        found = next(filter(None, asked), None)
        if found is None:
            return
        work, request = found
        run = _created(context, request)
        yield _engine_event(context, _what(work), run)
        _execute(context, run)
        # Whatever of this work is still pending at the same inputs could not be done now: a sensor tries it again.
        exhausted |= work.inputs


def _asked(lake: Lake, context: PlanOrchestrationContext, work: Work) -> tuple[Work, dg.RunRequest] | None:
    """Return what this process may do of some work; None for what is refused, or worth tasks of its own."""
    ingest = context.dagster_run
    found = shares(context.instance, lake, work)
    if len(found) != 1:
        return None
    request = request_for(context.instance, found[0], ingest.tags.get(SWEEP_TAG, ""))
    if isinstance(request, dg.SkipReason):
        return None
    needed, given = (int(tags.get(MEMORY_TAG, 0)) for tags in (request.tags, ingest.tags))
    return (found[0], request) if needed <= given else None


def _is_automatic(context: PlanOrchestrationContext) -> bool:
    """Return whether the sensor that asks for tables runs: by its default, or because somebody turned it on."""
    repository = context.reconstructable_job.repository.get_definition()
    states = {
        state.instigator_name: state.status
        for state in context.instance.all_instigator_state(instigator_type=InstigatorType.SENSOR)
    }
    for sensor in repository.sensor_defs:
        if ASKS_FOR_TABLES.items() <= sensor.tags.items():
            status = states.get(sensor.name, InstigatorStatus.DECLARED_IN_CODE)
            is_default = sensor.default_status is dg.DefaultSensorStatus.RUNNING
            return is_default if status is InstigatorStatus.DECLARED_IN_CODE else status is InstigatorStatus.RUNNING
    return False


def _created(context: PlanOrchestrationContext, request: dg.RunRequest) -> dg.DagsterRun:
    """Create the run that a sensor would have had launched."""
    ingest = context.dagster_run
    where = {name: value for name, value in ingest.tags.items() if name.startswith(_WHERE)}
    return context.instance.create_run_for_job(
        _job(context).get_definition(),
        run_config=request.run_config,
        tags={**request.tags, **where, PROCESS_TAG: this_process(), FOLLOWS_TAG: ingest.run_id},
        asset_selection=frozenset(request.asset_selection or ()),
        remote_job_origin=ingest.remote_job_origin,
        job_code_origin=ingest.job_code_origin,
        repository_load_data=context.execution_plan.repository_load_data,
    )


def _execute(context: PlanOrchestrationContext, run: dg.DagsterRun) -> None:
    """Execute a run to its end.

    Raises:
        DagsterExecutionInterruptedError: Somebody ends this process.
    """
    events = execute_run(_job(context), run, context.instance).all_events
    ends = [event.job_failure_data.failure_reason for event in events if event.is_job_failure]
    is_canceled = any(event.event_type is dg.DagsterEventType.RUN_CANCELED for event in events)
    if is_canceled or RunFailureReason.UNEXPECTED_TERMINATION in ends:
        raise DagsterExecutionInterruptedError


def _job(context: PlanOrchestrationContext) -> ReconstructableJob:
    return ReconstructableJob(context.reconstructable_job.repository, REFRESH)


def _what(work: Work) -> str:
    tables = (f"{table.replace('/', '.')} ({len(partitions)})" for table, partitions in work.tables.items())
    return f"Goes on in this process with {work.wave}: {', '.join(tables)}."


def _engine_event(context: PlanOrchestrationContext, text: str, run: dg.DagsterRun | None = None) -> DagsterEvent:
    metadata = {"run": dg.MetadataValue.dagster_run(run.run_id)} if run else {}
    return DagsterEvent.engine_event(context, text, EngineEventData(metadata=metadata))
