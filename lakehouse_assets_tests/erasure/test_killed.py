"""An erasure that is killed anywhere, and asked for again, is done; until then the lake works, and says it is not."""

import shutil
from pathlib import Path

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.query.overview import status
from lakehouse_assets_tests.erasure.reading import NAMED, not_forgotten
from lakehouse_assets_tests.faults.conftest import EVERYTHING, TIMEOUT, Tell, run_killed, tell
from lakehouse_assets_tests.faults.scenario import copy_of, environment, lakehouse

pytestmark = [pytest.mark.slow, pytest.mark.timeout(TIMEOUT)]
# The erasure is asked for after each, and killed at the next; in full each point has a lake of its own.
SAMPLE = (
    "after replace landing/sales/week.zip",  # a clean object that the ledger does not know
    "after overwrite ops/ledger",  # decisions that speak of contents that are gone
    "after delete silver/sales",  # the past, half gone
)
__all__ = ["tell"]


def attempt(village: Lake, folder: Path, *points: int | str) -> list[str]:
    """Kill an erasure at each point, run after the first, ask again, and return what is not as it should be."""
    lake = copy_of(village, folder)
    told = []
    for turn, point in enumerate(points):
        killed = run_killed(lake, point, folder / "points", *NAMED) == -9
        told += [] if killed else ["the point was never reached"]
        begun, done = any(lake.store.list("erasures/sales")), any(lake.store.list("erasures/sales/reports"))
        told += ["status says nothing of it"] if begun and not done and not status(lake).erasing else []
        if turn == 0:
            ran = lakehouse("run", env=environment(lake))
            failed = "failed:" in ran.stdout or "Traceback" in ran.stderr
            told += [f"the run failed: {ran.stdout[-500:]} {ran.stderr[-500:]}"] if failed else []
    force = lakehouse(*NAMED, env=environment(lake))
    told += [] if force.returncode == 0 else [f"asked again: {force.stdout[-800:]} {force.stderr[-800:]}"]
    told += not_forgotten(lake, village)
    shutil.rmtree(folder)
    return told


def test_an_erasure_killed_anywhere_is_done_when_asked_for_again(village: Lake, tmp_path: Path, tell: Tell) -> None:
    told = []
    if EVERYTHING:
        undisturbed = copy_of(village, tmp_path / "done")
        assert run_killed(undisturbed, 0, tmp_path / "points", *NAMED) == 0
        points = (tmp_path / "points").read_text().splitlines()
        for at, label in enumerate(points, 1):
            told += [f"point {at}, {label}: {line}" for line in attempt(village, tmp_path / str(at), at)]
        tell(f"{len(points)} kill points of an erasure tried")
    else:
        told = attempt(village, tmp_path / "killed", *SAMPLE)
        tell(f"{len(SAMPLE)} kill points of an erasure tried")
    assert not told, "\n".join(told)
