"""Ticks of both sensors in one process, as the daemon makes them: `python -m benchmarks.ticks REPORT FILE`.

The first look, an idle one, and one that finds a file. Steps of the report: seconds of each, without the imports.
"""

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import dagster as dg

from benchmarks import STARTED
from lakehouse_assets.definitions import defs
from lakehouse_assets.orchestration.resources import LakeResource
from lakehouse_assets.settings import settings

SENSORS = ("landing_sensor", "tables_sensor")


def main() -> None:
    """Tick; the file that the last tick is to find is the second argument."""
    report, drop = Path(sys.argv[1]), Path(sys.argv[2])
    imported = time.monotonic() - float(os.environ[STARTED])
    steps, requests = {}, []
    with dg.DagsterInstance.ephemeral() as instance:
        for step in ("first tick", "idle tick", "tick with one new file"):
            if step == "tick with one new file":
                landed = Path(settings().root) / "landing/feed00" / drop.name
                landed.parent.mkdir(parents=True, exist_ok=True)
                landed.write_bytes(drop.read_bytes())
            began, cpu = time.perf_counter(), time.process_time()
            requests = [request for sensor in SENSORS for request in _tick(instance, sensor)]
            steps[step], steps[f"{step}, CPU"] = time.perf_counter() - began, time.process_time() - cpu
    if len(requests) != 1:
        sys.exit(f"one new file led to {len(requests)} runs")
    report.write_text(json.dumps({"imports": imported, "steps": steps}), encoding="utf-8")


def _tick(instance: dg.DagsterInstance, sensor: str) -> Sequence[dg.RunRequest]:
    resources = {"lakehouse": LakeResource(root=settings().root)}
    with dg.build_sensor_context(
        instance=instance, definitions=defs, sensor_name=sensor, resources=resources
    ) as context:
        return defs.resolve_sensor_def(sensor).evaluate_tick(context).run_requests or []


if __name__ == "__main__":
    main()
