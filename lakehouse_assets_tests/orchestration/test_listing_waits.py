"""With a queue, landing is listed seldom: not while messages wait, but never later than in two intervals."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.orchestration.arrivals import listing_waits
from lakehouse_assets.sources.queue import Depth, QueueError
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.sources.memory_queue import MemoryQueue


class BrokenQueue(MemoryQueue):
    """A queue that cannot be asked."""

    def depth(self) -> Depth:
        msg = "it cannot be asked"
        raise QueueError(msg)


@pytest.fixture
def hourly(tmp_path: Path) -> Lake:
    lake = lake_at(str(tmp_path))
    return replace(lake, settings=lake.settings.model_copy(update={"reconcile_interval_s": 3_600}))


@pytest.mark.parametrize(
    ("ago_s", "messages", "why"),
    [
        (10, 0, "the next listing of everything is in 3,59"),
        (10, 5, "the next listing of everything is in 3,59"),
        (3_601, 0, None),
        (3_601, 5, "5 messages waiting"),
        (7_201, 5, None),
        (1e9, 5, None),
    ],
)
def test_a_listing_waits_for_its_time_and_for_the_messages(
    hourly: Lake, ago_s: float, messages: int, why: str | None
) -> None:
    queue = MemoryQueue()
    queue.send(*("m" for _ in range(messages)))
    said = listing_waits(hourly, queue, time.time() - ago_s, pytest.fail)
    assert said == why if why is None else why in str(said)


def test_a_queue_that_cannot_be_asked_holds_up_no_listing(hourly: Lake) -> None:
    told: list[str] = []
    assert listing_waits(hourly, BrokenQueue(), time.time(), told.append) is None
    assert told == ["it cannot be asked"]
