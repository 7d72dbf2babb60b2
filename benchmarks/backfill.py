"""A backfill from the UI: `python -m benchmarks.backfill [--dates 3000] [--rows 2]`.

A feed and a gold table of so many dates are there. Then the webserver is asked what the UI's "Materialize" asks for all
of these dates of both, `launchPartitionBackfill`, and the daemon of `lakehouse dev` does it. Printed: runs, seconds,
events, and the peak memory of each process.
"""

import argparse
import datetime as dt
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import dagster as dg
import psutil

from benchmarks.history import DEFINITIONS, FIRST
from lakehouse_assets.settings import Settings
from lakehouse_assets_tests.orchestration.dev_server import DevServer, wait_for

_PROJECT = Path(__file__).resolve().parent.parent
_ASSETS = (["silver", "feed00"], ["gold", "daily_events"])
_DATES_OF_A_FILE = 100
_LOOK_S, _IDLE_S, _PATIENCE_S = 0.2, 20, 3600
_ENDS = {"COMPLETED_SUCCESS", "COMPLETED_FAILED", "COMPLETED", "FAILED", "CANCELED"}
_ROLES = {
    "spawn_main": "run",
    "dagster._daemon": "daemon",
    "dagster_webserver": "webserver",
    "api grpc": "code server",
}
_LAUNCH = """mutation($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
_STATUS = """query($id: String!) { partitionBackfillOrError(backfillId: $id) {
    ... on PartitionBackfill { status error { message } } } }"""


def main() -> None:
    """Build the lake, launch the backfill, watch it to its end, report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backfill", description=__doc__)
    parser.add_argument("--dates", type=int, default=3_000)
    parser.add_argument("--rows", type=int, default=2, help="records of each date")
    given = parser.parse_args()
    os.environ["PYTHONPATH"] = str(_PROJECT)
    work = Path(tempfile.mkdtemp(prefix="lakehouse-backfill-"))
    lake, dates = work / "lake", [FIRST + dt.timedelta(days=day) for day in range(given.dates)]
    try:
        _build(lake, dates, given.rows)
        server = DevServer(str(lake), work / "dev.log", definitions=DEFINITIONS)
        server.start_s = _PATIENCE_S
        with server, _watched(server) as peaks:
            time.sleep(_IDLE_S)
            idle, began = dict(peaks), time.time()
            status = _backfill(server, dates)
            seconds = time.time() - began
        _report(lake, status, seconds, idle, peaks)
    finally:
        shutil.rmtree(work)


def _build(lake: Path, dates: list[dt.date], rows: int) -> None:
    """Land tiny files of some dates each, and run the lake until nothing is pending."""
    drops = lake.with_name("drops")
    drops.mkdir()
    for first in range(0, len(dates), _DATES_OF_A_FILE):
        some = dates[first : first + _DATES_OF_A_FILE]
        lines = [f"event {row},{date}T08:00:00Z,{row}" for date in some for row in range(rows)]
        (drops / f"{some[0]}.csv").write_text("\n".join(["name,happened_at,amount", *lines, ""]), encoding="utf-8")
    environment = {**os.environ, "LAKEHOUSE_ROOT": str(lake), "LAKEHOUSE_DEFINITIONS": DEFINITIONS}
    for command in (["land", "feed00", str(drops)], ["run"]):
        began = time.monotonic()
        lakehouse = [str(Path(sys.executable).with_name("lakehouse")), *command]
        subprocess.run(lakehouse, env=environment, check=True, stdout=subprocess.DEVNULL)
        print(f"`lakehouse {command[0]}`: {time.monotonic() - began:.0f} s", flush=True)


def _backfill(server: DevServer, dates: list[dt.date]) -> str:
    """Launch the backfill, and return how it ended."""
    assets = [{"path": path} for path in _ASSETS]
    launched = server.graphql(_LAUNCH, params={"assetSelection": assets, "partitionNames": [str(d) for d in dates]})
    backfill = launched["launchPartitionBackfill"]
    print(f"launched: {backfill}", flush=True)

    def ended() -> str | None:
        found: dict[str, Any] = server.graphql(_STATUS, id=backfill["backfillId"])["partitionBackfillOrError"]
        return f"{found['status']} {found['error'] or ''}" if found["status"] in _ENDS else None

    return wait_for("the end of the backfill", ended, _PATIENCE_S)


@contextmanager
def _watched(server: DevServer) -> Iterator[dict[str, int]]:
    """Give the most resident memory of a process of a server by what it does, in bytes, as long as the block runs."""
    peaks, is_over = dict[str, int](), threading.Event()

    def watch() -> None:
        while not is_over.wait(_LOOK_S):
            with suppress(psutil.Error):
                for process in psutil.Process(server.pid).children(recursive=True):
                    command = " ".join(process.cmdline())
                    role = next((role for mark, role in _ROLES.items() if mark in command), "others")
                    peaks[role] = max(peaks.get(role, 0), process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peaks
    finally:
        is_over.set()
        watcher.join()


def _report(lake: Path, status: str, seconds: float, idle: dict[str, int], peaks: dict[str, int]) -> None:
    print(f"backfill: {status.strip()}, {seconds:.0f} s from the request to its end")
    with dg.DagsterInstance.from_config(str(Settings(root=str(lake)).dagster_home)) as instance:
        for record in instance.get_run_records(ascending=True):
            run = record.dagster_run
            if "dagster/backfill" not in run.tags:
                continue
            events = Counter(e.dagster_event.event_type_value for e in instance.all_logs(run.run_id) if e.dagster_event)
            took = (record.end_time or 0) - (record.start_time or 0)
            print(f"run {run.run_id[:8]}: {run.status.value}, {took:.0f} s, {events.total():,} events, of these")
            print(f"  {', '.join(f'{kind} {count:,}' for kind, count in events.most_common(4))}")
    for role in sorted(peaks):
        print(f"{role}: {peaks[role] / 1e6:,.0f} MB at most, {idle.get(role, 0) / 1e6:,.0f} MB before the backfill")


if __name__ == "__main__":
    main()
