"""One `lakehouse` command in a process of its own, watched: `python -m benchmarks.product REPORT COMMAND ARGUMENTS`.

The product runs unchanged. Around it: how long the interpreter and the imports took (all of them are done before the
command begins), what each Dagster step took, and the time inside `DagsterInstance.handle_new_event`, which is
where Dagster writes an event to its log and tells whoever listens.
"""

import importlib
import json
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks import STARTED

_ALWAYS = ("polars", "deltalake", "lakehouse_assets.cli.main", "lakehouse_assets.sources.landing")
_FOR_RUN = (
    "duckdb",
    "pyarrow.compute",
    "dagster",
    "dagster._core.storage.base_storage",  # opening an instance imports these two
    "upath",
    "lakehouse_assets.cli.render",
    "lakehouse_assets.orchestration.runner",
    "lakehouse_assets.query.overview",
    "lakehouse_assets.definitions",
)
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")  # writing 5 forgets the peak


class EventTimer:
    """The time that Dagster spends on events, and what each step cost: steps are made one after the other."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.events: Counter[str] = Counter()
        self.steps: dict[str, float] = {}
        self.costs: dict[str, dict[str, Any]] = {}
        self._began: dict[str, tuple[float, float, int]] = {}
        self._depth = 0

    def wrap(self) -> None:
        """Measure every event that any instance handles from now on."""
        from dagster import DagsterInstance

        original = DagsterInstance.handle_new_event

        def timed(instance: DagsterInstance, event: Any, **options: Any) -> None:  # noqa: ANN401 - as the original
            began = time.perf_counter()
            self._depth += 1
            try:
                original(instance, event, **options)
            finally:
                self._depth -= 1
                if not self._depth:
                    self.seconds += time.perf_counter() - began
            self._note(event)

        DagsterInstance.handle_new_event = timed  # type: ignore[method-assign,assignment]

    def _note(self, entry: Any) -> None:  # noqa: ANN401 - an EventLogEntry
        event = entry.dagster_event
        kind = event.event_type_value if event is not None else "LOG"
        self.events[kind] += 1
        step = entry.step_key or ""
        name = step.replace("__", ".")
        if kind == "STEP_START":
            self._began[step] = time.perf_counter(), time.process_time(), _resident("VmRSS")
            _CLEAR.write_text("5")
            self.costs.setdefault(name, {"seconds": 0.0, "cpu": 0.0, "peak": 0, "grown": 0, "partitions": []})
        elif kind == "ASSET_MATERIALIZATION" and name in self.costs:
            self.costs[name]["partitions"].append(event.partition)
        elif kind in {"STEP_SUCCESS", "STEP_FAILURE"} and step in self._began:
            began, cpu, resident = self._began.pop(step)
            cost, peak = self.costs[name], _resident("VmHWM")
            cost["seconds"] += time.perf_counter() - began
            cost["cpu"] += time.process_time() - cpu
            cost["peak"] = max(cost["peak"], peak)
            cost["grown"] = max(cost["grown"], peak - resident)
            self.steps[name] = cost["seconds"]


def _resident(name: str) -> int:
    """Return the resident memory of this process in bytes: now (`VmRSS`), or the most since the last clear."""
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024


def main() -> None:
    """Run the command of the command line; write the report, keep the exit code."""
    from lakehouse_assets.cli import process

    report, command = Path(sys.argv[1]), sys.argv[2]
    process.begin()
    for module in (*_ALWAYS, *(_FOR_RUN if command == "run" else ())):
        importlib.import_module(module)
    timer = EventTimer()
    if command == "run":
        timer.wrap()
    imported = time.monotonic() - float(os.environ[STARTED])
    sys.argv = ["lakehouse", *sys.argv[2:]]
    try:
        process.main()
    finally:
        found = {
            "imports": imported,
            "steps": timer.steps,
            "costs": timer.costs,
            "event_seconds": timer.seconds,
            "events": sum(timer.events.values()),
            "events_by_kind": dict(timer.events.most_common()),
        }
        report.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
