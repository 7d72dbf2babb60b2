"""From landing to gold under the real daemon, by event and by listing: `python -m benchmarks.arrivals [--count 50]`.

Both lakes lie on a real S3 server and are served by `lakehouse dev` with default settings. Small files arrive one by
one at the same pace, each of a business date of its own; by event, an emulated queue is told of each. First the daemon
is left alone: the CPU that it uses then is that of an idle one. A file has arrived when its date's fingerprint is in
`gold.daily_metrics`, the last table of a run, looked for twice a second.

It needs the servers of the tests: `make .venv/dev .venv/aws-emulator`.
"""

import argparse
import datetime as dt
import os
import signal
import statistics
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from lakehouse_assets.context import Lake, lake_at
from lakehouse_assets.storage import delta
from lakehouse_assets_tests.aws_emulator import AwsEmulator
from lakehouse_assets_tests.orchestration.dev_server import DevServer, wait_for
from lakehouse_assets_tests.orchestration.queue import TestQueue
from lakehouse_assets_tests.retail import sales_csv
from lakehouse_assets_tests.s3_server import S3Server

_FIRST = dt.date(2011, 1, 3)
_LOOK_S = 0.5
_LONGEST_S = 900


@dataclass(frozen=True)
class Measured:
    """Seconds of every arrival, sorted; CPU seconds of all processes of the daemon, idle and while files arrived.

    `load` is the machine's load average before and after.
    """

    seconds: list[float]
    idle_cpu_s: float
    idle_s: float
    cpu_s: float
    load: tuple[float, float]

    def row(self, how: str) -> str:
        """Return the line of the report."""
        cuts = statistics.quantiles(self.seconds, n=20, method="inclusive")
        figures = [cuts[9], cuts[18], self.seconds[-1], 60 * self.idle_cpu_s / self.idle_s]
        figures += [self.cpu_s / len(self.seconds), *self.load]
        return " | ".join(["", how, str(len(self.seconds)), *(f"{figure:.1f}" for figure in figures), ""]).strip()


def main() -> None:
    """Measure both, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.arrivals", description=__doc__)
    parser.add_argument("--count", type=int, default=50, help="files that arrive, each way")
    parser.add_argument("--gap", type=float, default=15, help="seconds between two of them")
    parser.add_argument("--idle", type=float, default=120, help="seconds for which the idle daemon is watched")
    given = parser.parse_args()
    if given.count < 2 or given.gap < 0 or given.idle <= 0:
        parser.error("--count is at least 2, --gap and --idle are seconds")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started ends
    print("| how | files | p50 s | p95 s | max s | idle CPU s / min | CPU s / file | load before | after |")
    print("| --- | --: | --: | --: | --: | --: | --: | --: | --: |", flush=True)
    with tempfile.TemporaryDirectory(prefix="lakehouse-arrivals-") as folder, S3Server(Path(folder)) as s3:
        os.environ.update(s3.environment)
        with AwsEmulator(Path(folder)) as emulator:
            for how, queue in (("event", TestQueue(emulator, receives=100)), ("listing", None)):
                root = f"s3://{s3.bucket}/{how}"
                cloud = s3.environment | {"DAGSTER_HOME": f"{folder}/{how}", "AWS_ENDPOINT_URL_SQS": emulator.url}
                settings = {"queue_url": queue.url} if queue else {}
                with DevServer(root, Path(folder, f"{how}.log"), cloud, **settings) as server:
                    print(_measured(server, lake_at(root), queue, given).row(how), flush=True)


def _measured(server: DevServer, lake: Lake, queue: TestQueue | None, given: argparse.Namespace) -> Measured:
    gold = lake.registry.models["daily_metrics"].table.path
    waiting: dict[str, float] = {}
    seconds: list[float] = []

    def arrive(at: int) -> None:
        date = str(_FIRST + dt.timedelta(days=at))
        lake.store.replace(f"landing/sales/{date}.csv", sales_csv(3, date))
        waiting[date] = time.monotonic()
        if queue:
            queue.announce(lake, f"{date}.csv")

    def look() -> bool:
        there = delta.fingerprints(lake.store, gold)
        seconds.extend(time.monotonic() - waiting.pop(date) for date in there.keys() & waiting.keys())
        return not waiting

    arrive(0)  # makes the tables; not one of those that are measured
    wait_for("the first file in gold", look, _LONGEST_S)
    seconds.clear()
    time.sleep(given.gap)

    load, idle, began = os.getloadavg()[0], cpu_seconds(server.pid), time.monotonic()
    time.sleep(given.idle)
    idle_cpu, idle_s, cpu = cpu_seconds(server.pid) - idle, time.monotonic() - began, cpu_seconds(server.pid)
    for at in range(1, given.count + 1):
        arrive(at)
        next_one = time.monotonic() + given.gap
        while time.monotonic() < next_one:
            time.sleep(_LOOK_S)
            look()
    wait_for("the last file in gold", look, _LONGEST_S)
    return Measured(sorted(seconds), idle_cpu, idle_s, cpu_seconds(server.pid) - cpu, (load, os.getloadavg()[0]))


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of a process and of all that it has started, those that have ended included."""
    total = 0.0
    for process in (main := psutil.Process(pid), *main.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            used = process.cpu_times()
            total += used.user + used.system + used.children_user + used.children_system
    return total


if __name__ == "__main__":
    main()
