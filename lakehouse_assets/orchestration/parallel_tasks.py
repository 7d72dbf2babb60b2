"""A large publishing as several runs at once, each with partitions of its own.

Worth it where each run is a task of its own, as on ECS. Commits to different partitions do not conflict, so the runs
need no pool. Not here: what is pending, and how often the same work is asked for.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import dagster as dg

from lakehouse_assets.context import Lake
from lakehouse_assets.ledger.ledger import Ledger
from lakehouse_assets.orchestration.pending_runs import PUBLISH, WAVE_TAG, Work
from lakehouse_assets.orchestration.run_requests import ACTIVE
from lakehouse_assets.pipeline.batches import batches


def shares(instance: dg.DagsterInstance, lake: Lake, work: Work) -> list[Work]:
    """Return a publishing as works for the tasks that are free; another wave, or one task, as it is.

    A share is at least as many records as one commit takes: for less, the start of a task would cost more than it
    saves. What a run under way was asked for is in no share.
    """
    tasks = lake.settings.publish_tasks
    if work.wave != PUBLISH or tasks == 1:
        return [work]
    waves = [PUBLISH, *(f"{PUBLISH}-{number}" for number in range(2, tasks + 1))]
    running = instance.get_runs(dg.RunsFilter(tags={WAVE_TAG: waves}, statuses=ACTIVE))
    free = [wave for wave in waves if wave not in {run.tags[WAVE_TAG] for run in running}]
    asked = {place for run in running for place in _asked(run)}
    left = sorted(work.inputs.keys() - asked)
    rows = dict(_rows(lake, {table for table, _ in left}))
    # By all tasks, not by those that are free now: the last free one must not get all that is left.
    limit = max(lake.settings.publish_batch_rows, -(-sum(rows.get(place, 0) for place in left) // tasks))
    return [_share(work, wave, set(places)) for wave, places in zip(free, batches(left, rows, limit), strict=False)]


def _rows(lake: Lake, tables: Iterable[str]) -> Iterator[tuple[tuple[str, str], int]]:
    for feed in (feed for feed in lake.registry.feeds.values() if feed.silver.key in tables):
        partitions = Ledger.load(lake.store).of_feed(feed.name).summary.partitions
        yield from (((feed.silver.key, partition), count) for partition, count in partitions.items())


def _asked(run: dg.DagsterRun) -> Iterator[tuple[str, str]]:
    """Yield tables and partitions that a run was asked for."""
    ops: Any = run.run_config.get("ops", {})
    for name, op in ops.items():
        yield from ((name.replace("__", "/", 1), partition) for partition in op["config"].get("partitions", []))


def _share(work: Work, wave: str, places: set[tuple[str, str]]) -> Work:
    tables = {
        table: {part: value for part, value in work.tables[table].items() if (table, part) in places}
        for table in sorted({table for table, _ in places})
    }
    config = {table: {"partitions": sorted(parts)} for table, parts in tables.items()}
    return replace(work, wave=wave, tables=tables, config=config)
