"""A publishing in shares: each partition in one of them, none that a run is at, none smaller than a commit.

That shares which are published at once give the tables of one writer: `faults/test_concurrency.py`.
"""

from collections.abc import Iterator
from dataclasses import replace

import dagster as dg
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.orchestration.parallel_tasks import shares
from lakehouse_assets.orchestration.pending_runs import PUBLISH, Work, table_work
from lakehouse_assets_tests import retail
from lakehouse_assets_tests.retail import sales_csv

DATES = [f"2011-03-{day:02}" for day in range(1, 11)]
SILVER = "silver/sales"


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as opened:
        yield opened


@pytest.fixture
def landed(lake: Lake) -> Lake:
    """A lake with two records of each date in bronze, and nothing in silver."""
    for date in DATES:
        retail.land(lake, f"{date}.csv", sales_csv(2, date))
    retail.ingest(lake)
    return lake


def _with(lake: Lake, tasks: int, batch_rows: int = 4) -> Lake:
    changed = {"publish_tasks": tasks, "publish_batch_rows": batch_rows}
    return replace(lake, settings=lake.settings.model_copy(update=changed))


def _publishing(lake: Lake) -> Work:
    [work] = [work for work in table_work(lake) if work.wave == PUBLISH]
    return work


def _start(instance: dg.DagsterInstance, work: Work) -> dg.DagsterRun:
    return instance.add_run(
        dg.DagsterRun("refresh", run_config=work.run_config, tags=work.tags, status=dg.DagsterRunStatus.STARTED)
    )


def _dates(works: list[Work]) -> list[list[str]]:
    assert all(work.config[SILVER]["partitions"] == sorted(work.tables[SILVER]) for work in works)
    return [sorted(work.tables[SILVER]) for work in works]


def test_with_one_task_a_publishing_is_one_work(landed: Lake, instance: dg.DagsterInstance) -> None:
    work = _publishing(landed)
    assert shares(instance, _with(landed, 1), work) == [work]
    build = replace(work, wave="build-0")
    assert shares(instance, _with(landed, 3), build) == [build]


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize(("tasks", "batch_rows", "sizes"), [(2, 4, [5, 5]), (3, 4, [3, 3, 3]), (9, 8, [4, 4, 2])])
def test_each_date_is_in_one_share_and_no_share_is_smaller_than_a_commit(
    landed: Lake, instance: dg.DagsterInstance, tasks: int, batch_rows: int, sizes: list[int]
) -> None:
    found = shares(instance, _with(landed, tasks, batch_rows), _publishing(landed))
    dates = _dates(found)
    assert [len(share) for share in dates] == sizes
    assert [date for share in dates for date in share] == DATES[: sum(sizes)]
    assert [work.wave for work in found] == ["publish", "publish-2", "publish-3"][: len(sizes)]
    assert len({work.digest for work in found}) == len(found)


def test_what_a_run_is_at_is_in_no_share_and_its_task_is_not_free(landed: Lake, instance: dg.DagsterInstance) -> None:
    lake, work = _with(landed, 3), _publishing(landed)
    first, second, third = shares(instance, lake, work)
    for share in (first, third):
        _start(instance, share)
    [again] = shares(instance, lake, work)
    assert again.wave == second.wave
    assert _dates([again]) == [[*_dates([second])[0][:2]]], "a third of what is left, or a commit's worth"
    _start(instance, second)
    assert shares(instance, lake, work) == []


def test_a_share_that_fails_is_asked_for_in_smaller_ones(landed: Lake, instance: dg.DagsterInstance) -> None:
    lake, work = _with(landed, 3, batch_rows=2), _publishing(landed)
    failed = shares(instance, lake, work)[1]
    left = replace(work, tables={SILVER: dict(failed.tables[SILVER])})
    assert [len(dates) for dates in _dates(shares(instance, lake, left))] == [1, 1, 1]
