"""Maintenance beside other writers: no row is doubled, and none is lost."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.maintenance.maintain import Action
from lakehouse_assets_tests.faults.conftest import EVERYTHING as EVERY_TIME
from lakehouse_assets_tests.maintenance import aging
from lakehouse_assets_tests.maintenance.aging import DAYS, EVERYTHING, assert_sound, done
from lakehouse_assets_tests.retail import land, run, sales_csv

COUNT = 12 if EVERY_TIME else 6
"""Files that are published meanwhile."""


@pytest.mark.slow
def test_two_at_once_double_no_row(lake: Lake) -> None:
    aging.history(lake)
    before, marks = aging.content(lake), aging.fingerprints(lake)
    for attempt in range(3):
        aging.group(lake, "silver/sales")
        start = threading.Barrier(3)

        def work(start: threading.Barrier = start) -> list[Action]:
            start.wait()
            return done(lake, EVERYTHING)

        with ThreadPoolExecutor(3) as pool:
            for finished in [pool.submit(work) for _ in range(3)]:
                finished.result()
        aging.assert_same(before, aging.content(lake))
        assert aging.fingerprints(lake) == marks, attempt
    assert_sound(lake)


@pytest.mark.slow
def test_what_is_published_meanwhile_is_neither_lost_nor_doubled(lake: Lake) -> None:
    """Dates are published one by one while everything that can be rewritten is, again and again."""
    stop = threading.Event()

    def look_after() -> int:
        rounds = 0
        while not stop.is_set():
            done(lake, EVERYTHING)
            rounds += 1
        return rounds

    aging.history(lake, rounds=1)
    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(look_after)
        try:
            for number in range(COUNT):
                day = DAYS[number % 3]
                land(lake, f"late-{number}.csv", sales_csv(30 + number, day))
                assert list(run(lake)) == [day]
        finally:
            stop.set()
        assert looking.result() >= 2
    assert_sound(lake)
    published = aging.content(lake)["silver.sales"].group_by("dt").len().sort("dt")["len"].to_list()
    assert published == [30 + COUNT - 3, 30 + COUNT - 2, 30 + COUNT - 1]
