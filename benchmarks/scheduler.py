"""The scheduler with many dates and tasks: `python -m benchmarks.scheduler [--dates 10000] [--tasks 1,10,50,200]`.

The ledger of a lake has the dates, and none is published. What a tick asks for is found by the real code: which dates
are pending, their shares, the requests, the runs under way. Only tasks and their time are simulated: each takes a while
to start, computes its dates a batch at a time, commits each batch when no other task is at the log of the same table,
and some are killed half-way. Printed by number of tasks: simulated hours until the last date, runs, how long tasks
waited for a commit, and the CPU seconds of a tick, which are real.
"""

import argparse
import datetime as dt
import heapq
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import dagster as dg
import polars as pl

from benchmarks.history import DEFINITIONS, FIRST, entries
from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.registry import registry_of
from lakehouse_assets.ledger.ledger import TABLE as LEDGER
from lakehouse_assets.ledger.ledger import Ledger, summarise
from lakehouse_assets.orchestration.parallel_tasks import shares
from lakehouse_assets.orchestration.pending_runs import PUBLISH, Work, table_work
from lakehouse_assets.orchestration.run_requests import request_for
from lakehouse_assets.pipeline.batches import batches
from lakehouse_assets.settings import Settings
from lakehouse_assets.storage import delta
from lakehouse_assets.storage.stores import store_for

_TICK_S = 30
_START_S = 60
"""From the request to the first line of work: queue, pull of the image, imports."""
_ROWS, _ROWS_A_SECOND = 600_000, 250_000
"""Records of a date, and what a task publishes of them in a second."""
_COMMIT_S = 0.5
"""For so long a batch keeps the log of a table to itself."""


@dataclass
class _Tasks:
    """The tasks under way in simulated seconds: each computes a batch, waits for the log, commits, and goes on."""

    chance: random.Random
    killed_share: float
    free_at: float = 0.0  # the log
    waits: list[float] = field(default_factory=list)
    _ready: list[tuple[float, str]] = field(default_factory=list)  # a heap: a batch to commit, or a run at its end
    _batches: dict[str, list[list[str]]] = field(default_factory=dict)

    def begin(self, now: float, run: str, cut: list[list[str]]) -> None:
        """Start a task for some batches of dates; some tasks are killed before their end."""
        is_killed = self.chance.random() < self.killed_share
        self._batches[run] = cut[: self.chance.randrange(len(cut))] if is_killed else cut
        self._compute(now + _START_S, run)

    def until(self, now: float) -> Iterator[tuple[float, list[str], str]]:
        """Yield what happens until then: when, the dates that are published, or else the run that ended."""
        while self._ready and self._ready[0][0] <= now:
            at, run = heapq.heappop(self._ready)
            if not self._batches[run]:
                yield at, [], run
                continue
            self.waits.append(max(0.0, self.free_at - at))
            self.free_at = max(self.free_at, at) + _COMMIT_S
            yield self.free_at, self._batches[run].pop(0), ""
            self._compute(self.free_at, run)

    def _compute(self, at: float, run: str) -> None:
        rows = _ROWS * len(self._batches[run][0]) if self._batches[run] else 0
        heapq.heappush(self._ready, (at + rows / _ROWS_A_SECOND, run))


def main() -> None:
    """Build the ledger, simulate each number of tasks, report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scheduler", description=__doc__)
    parser.add_argument("--dates", type=int, default=10_000)
    parser.add_argument("--tasks", default="1,10,50,200", help="numbers of tasks, with commas between them")
    parser.add_argument("--batch-rows", type=int, default=600_000, help="LAKEHOUSE_PUBLISH_BATCH_ROWS")
    parser.add_argument("--killed", type=float, default=0.02, help="share of the tasks that are killed half-way")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lakehouse-scheduler-") as folder:
        lake = _lake(Path(folder) / "lake", given.dates, given.batch_rows)
        began = time.process_time()
        [work] = [work for work in table_work(lake) if work.wave == PUBLISH]
        print(f"{given.dates:,} dates are pending; to find that out took {time.process_time() - began:.1f} CPU s\n")
        print("| tasks | hours | runs | s a batch waits for the log | CPU s of a tick, median | largest |")
        print("| --: | --: | --: | --: | --: | --: |")
        for tasks in map(int, given.tasks.split(",")):
            print(_row(lake, work, tasks, given.killed))


def _lake(root: Path, dates: int, batch_rows: int) -> Lake:
    """Return a lake whose ledger has one object a date, and which has published nothing."""
    chosen = Settings(root=str(root), definitions=DEFINITIONS, publish_batch_rows=batch_rows)
    lake = Lake(store_for(str(root)), chosen, registry_of(DEFINITIONS))
    feed = next(iter(lake.registry.feeds.values()))
    Ledger.load(lake.store)
    names = pl.date_range(FIRST, FIRST + dt.timedelta(days=dates - 1), eager=True).cast(pl.String)
    table = delta.opened(lake.store, LEDGER.path)
    delta.write_serially(lake.store, table, entries(feed, 0, dates, names, _ROWS), [f"ledger/{feed.name}"])
    lake.ledger_of(feed)
    summarise(lake.store, feed.name)
    return lake


def _row(lake: Lake, work: Work, tasks: int, killed_share: float) -> str:
    lake = replace(lake, settings=lake.settings.model_copy(update={"publish_tasks": tasks}))
    [table] = work.tables
    left, rows = dict(work.tables[table]), dict.fromkeys(work.tables[table], _ROWS)
    simulated = _Tasks(random.Random(1), killed_share)  # noqa: S311 - no secret: the same tasks are killed each time
    now, runs, seconds = 0.0, 0, []
    with dg.DagsterInstance.ephemeral() as instance:
        while left:
            began = time.process_time()
            for share in shares(instance, lake, replace(work, tables={table: left})):
                request = request_for(instance, share)
                if isinstance(request, dg.RunRequest):
                    run = _started(instance, request)
                    cut = batches(sorted(share.tables[table]), rows, lake.settings.publish_batch_rows)
                    simulated.begin(now, run.run_id, cut)
                    runs += 1
            seconds.append(time.process_time() - began)
            now += _TICK_S
            for at, published, ended in simulated.until(now):
                left = {date: value for date, value in left.items() if date not in published}
                if ended:
                    instance.delete_run(ended)
                if not left:
                    now = at
                    break
    return (
        f"| {tasks} | {now / 3600:.2f} | {runs:,} | {statistics.mean(simulated.waits):.2f} "
        f"| {statistics.median(seconds):.3f} | {max(seconds):.2f} |"
    )


def _started(instance: dg.DagsterInstance, request: dg.RunRequest) -> dg.DagsterRun:
    status, tags = dg.DagsterRunStatus.STARTED, dict(request.tags)
    return instance.add_run(dg.DagsterRun("refresh", run_config=request.run_config, tags=tags, status=status))


if __name__ == "__main__":
    main()
