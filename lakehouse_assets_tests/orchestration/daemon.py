"""Dagster's daemon, played in this process: real ticks of the real sensors, one run per new run key."""

import dagster as dg
from dagster._core.definitions.run_request import RunRequest
from dagster._core.definitions.sensor_definition import SensorExecutionData
from dagster._core.execution.execution_result import ExecutionResult

from lakehouse_assets.context import Lake
from lakehouse_assets.definitions import defs
from lakehouse_assets.orchestration.pending_runs import REFRESH
from lakehouse_assets.orchestration.resources import resources_at

RUN_KEY = "dagster/run_key"
_ROUNDS = 40
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class Daemon:
    """Ticks, cursors and runs of one lake's code location."""

    def __init__(self, lake: Lake, instance: dg.DagsterInstance, found: dg.Definitions = defs) -> None:
        self.lake, self.instance = lake, instance
        self.resources = resources_at(lake.settings.root)
        self.definitions = dg.Definitions(
            assets=found.assets,
            asset_checks=found.asset_checks,
            jobs=found.jobs,
            sensors=found.sensors,
            schedules=found.schedules,
            resources=self.resources,
            executor=dg.in_process_executor,
        )
        self.job = self.definitions.resolve_job_def(REFRESH)
        self.cursors: dict[str, str | None] = {}

    def tick(self, sensor: str) -> SensorExecutionData:
        """Evaluate a sensor once and keep its cursor. What it requests is not launched."""
        context = dg.build_sensor_context(
            instance=self.instance,
            cursor=self.cursors.get(sensor),
            definitions=self.definitions,
            sensor_name=sensor,
            resources=self.resources,
        )
        with context:
            answer = self.definitions.resolve_sensor_def(sensor).evaluate_tick(context)
        self.cursors[sensor] = answer.cursor
        for event in answer.asset_events or ():
            self.instance.report_runless_asset_event(event)
        return answer

    def requests(self, sensor: str) -> list[RunRequest]:
        """Tick once and return the requests whose run key is new."""
        known = {record.dagster_run.tags.get(RUN_KEY) for record in self.instance.get_run_records()}
        return [request for request in self.tick(sensor).run_requests or [] if request.run_key not in known]

    def launch(self, request: RunRequest) -> ExecutionResult:
        """Execute a request to its end, whether it succeeds or fails."""
        return self.job.execute_in_process(
            run_config={**request.run_config, **_QUIET},
            instance=self.instance,
            tags={**request.tags, **({RUN_KEY: request.run_key} if request.run_key else {})},
            asset_selection=request.asset_selection,
            raise_on_error=False,
        )

    def settle(self, *sensors: str, patience: int = 1) -> list[ExecutionResult]:
        """Tick some sensors (all by default) and launch what they ask for, until they ask for nothing.

        Args:
            patience: Rounds in a row without a request after which nothing more is expected.
        """
        results: list[ExecutionResult] = []
        idle = 0
        for _ in range(_ROUNDS):
            found = [r for name in sensors or ("landing_sensor", "tables_sensor") for r in self.requests(name)]
            idle = 0 if found else idle + 1
            if idle == patience:
                return results
            results += [self.launch(request) for request in found]
        msg = f"after {_ROUNDS} rounds of ticks the sensors still ask for runs"
        raise AssertionError(msg)
