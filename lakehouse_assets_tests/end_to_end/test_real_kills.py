"""The real days in any order, again and again, under other names, with runs killed at random: the same tables."""

import os
import random
import time
from pathlib import Path

import polars as pl
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.query import sql as answers
from lakehouse_assets.query.overview import status
from lakehouse_assets.query.verify import verify
from lakehouse_assets_tests.conftest import Cli
from lakehouse_assets_tests.end_to_end.comparing import assert_same
from lakehouse_assets_tests.faults.conftest import EVERYTHING
from lakehouse_assets_tests.forked import Forked

pytestmark = pytest.mark.slow
KILLS, LATEST_S = (10, 2.5) if EVERYTHING else (5, 1.5)
SEED = 20111209


def deliveries(days: list[Path], chance: random.Random) -> list[tuple[str, bytes]]:
    """Return every file twice under its key, and a third of them under another key, too, shuffled."""
    found = [(path.name, path.read_bytes()) for path in days]
    others = [(f"again/{chance.randrange(10**6):06}-{key}", data) for key, data in found[::3]]
    found = [*found, *found, *others]
    chance.shuffle(found)
    return found


def killed_run(lake: Lake, after_s: float) -> bool:
    """Start `lakehouse run` and kill it after some seconds; return whether it was still running then."""
    environment = os.environ | {"LAKEHOUSE_ROOT": lake.settings.root}
    process = Forked("run", env=environment)
    time.sleep(after_s)
    was_running = process.is_running
    process.kill()
    return was_running


def test_shuffled_resent_renamed_and_killed_the_real_days_give_the_same_tables(
    some_lake: Lake,
    some_tables: dict[str, pl.DataFrame],
    some_days: list[Path],
    lake: Lake,
    cli_process: Cli,
    capsys: pytest.CaptureFixture[str],
) -> None:
    chance = random.Random(SEED)  # noqa: S311 - the same disorder every time
    waiting, kills = deliveries(some_days, chance), 0
    portion = len(waiting) // KILLS + 1
    for start in range(0, len(waiting), portion):
        for key, data in waiting[start : start + portion]:
            lake.store.replace(f"landing/sales/{key}", data)
        kills += killed_run(lake, chance.uniform(0.3, LATEST_S))

    ran = cli_process(lake, "run")

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert_same(lake, some_tables)
    assert list(verify(lake)) == []
    assert status(lake).is_idle
    sums = "SELECT sum(landed), sum(valid), sum(quarantined), sum(duplicates), sum(published) FROM ops.accounting"
    assert answers.run(lake, sums).rows == answers.run(some_lake, sums).rows
    with capsys.disabled():
        told = f"{len(waiting)} deliveries of {len(some_days)} files, {kills} runs killed"
        print(f"\n{told}: the figures of the undisturbed lake")  # noqa: T201 - a measurement
    assert kills >= KILLS // 2
