"""What a sensor asks for after runs on the same work failed: how often, and in how large a task."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest

from lakehouse_assets.orchestration.failures import SWEEP_TAG
from lakehouse_assets.orchestration.pending_runs import PUBLISH, Work
from lakehouse_assets.orchestration.run_requests import request_for
from lakehouse_assets.orchestration.task_size import MEMORY_EXCEEDED_TAG

WORK = Work(PUBLISH, {"silver/sales": {"2011-03-01": 1}}, {"silver/sales": {"partitions": ["2011-03-01"]}})
OTHER = Work(PUBLISH, {"silver/sales": {"2011-03-01": 2}}, {"silver/sales": {"partitions": ["2011-03-01"]}})


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as opened:
        yield opened


def _failed(instance: dg.DagsterInstance, **tags: str) -> None:
    """Have a run for the work that failed, with more tags by name."""
    added = {name.replace("__", "/"): value for name, value in tags.items()}
    instance.add_run(dg.DagsterRun("refresh", status=dg.DagsterRunStatus.FAILURE, tags=WORK.tags | added))


def _killed(instance: dg.DagsterInstance, memory: int, **tags: str) -> None:
    _failed(instance, **{MEMORY_EXCEEDED_TAG: str(memory)}, **tags)


def _size(request: Any) -> tuple[str | None, str | None]:
    assert isinstance(request, dg.RunRequest), request
    return request.tags.get("ecs/cpu"), request.tags.get("ecs/memory")


def test_a_failure_of_another_kind_asks_for_no_larger_task(instance: dg.DagsterInstance) -> None:
    for _ in range(2):
        _failed(instance)
        assert _size(request_for(instance, WORK)) == (None, None)
    _failed(instance)
    answer = request_for(instance, WORK)
    assert isinstance(answer, dg.SkipReason)
    assert str(answer.skip_message).startswith("silver.sales failed 3 times on these inputs; it waits for a change")


def test_what_ran_out_of_memory_is_asked_for_once_more_in_the_next_larger_task(instance: dg.DagsterInstance) -> None:
    _killed(instance, 4096)
    assert _size(request_for(instance, WORK)) == ("2048", "8192")
    assert _size(request_for(instance, OTHER)) == (None, None)
    _killed(instance, 8192)
    answer = request_for(instance, WORK)
    assert isinstance(answer, dg.SkipReason)
    assert str(answer.skip_message).startswith(
        "silver.sales needs more memory than tasks of 4,096 MiB and 8,192 MiB have; it waits for a change"
    )


def test_the_daily_sweep_goes_on_with_the_next_size_and_ends_at_the_largest(instance: dg.DagsterInstance) -> None:
    for day, memory in enumerate((4096, 8192, 16384, 32768)):
        _killed(instance, memory, **({SWEEP_TAG: f"-{day}"} if day else {}))
        after = {4096: "8192", 8192: "16384", 16384: "32768", 32768: "32768"}[memory]
        assert _size(request_for(instance, WORK, sweep="-9"))[1] == after


def test_a_larger_task_is_not_asked_for_less_than_what_landed_asks_for(instance: dg.DagsterInstance) -> None:
    large = Work(WORK.wave, WORK.tables, WORK.config, landed_bytes=2 * 2**30)
    assert _size(request_for(instance, large)) == ("4096", "16384")
    _killed(instance, 16384)
    assert _size(request_for(instance, large)) == ("8192", "32768")
