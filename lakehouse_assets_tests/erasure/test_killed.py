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
SAMPLE = (
    "after replace landing/sales/week.zip",  # a clean object that the ledger does not know
    "after overwrite ops/ledger",  # decisions that speak of contents that are gone
    "after delete silver/sales",  # the past, half gone
)
__all__ = ["tell"]


def attempt(village: Lake, folder: Path, point: int, label: str, *, runs_between: bool) -> list[str]:
    """Kill an erasure at a point, run or not, ask again, and return what is not as it should be."""
    lake = copy_of(village, folder)
    killed = run_killed(lake, point, folder / "points", *NAMED) == -9
    told = [] if killed else ["the point was never reached"]
    begun, done = any(lake.store.list("erasures/sales")), any(lake.store.list("erasures/sales/reports"))
    told += ["status says nothing of it"] if begun and not done and not status(lake).erasing else []
    if runs_between:
        ran = lakehouse("run", env=environment(lake))
        failed = "failed:" in ran.stdout or "Traceback" in ran.stderr
        told += [f"the run failed: {ran.stdout[-500:]} {ran.stderr[-500:]}"] if failed else []
    force = lakehouse(*NAMED, env=environment(lake))
    told += [] if force.returncode == 0 else [f"asked again: {force.stdout[-800:]} {force.stderr[-800:]}"]
    told += not_forgotten(lake, village)
    shutil.rmtree(folder)
    return [f"point {point}, {label}: {line}" for line in told]


def test_an_erasure_killed_anywhere_is_done_when_asked_for_again(village: Lake, tmp_path: Path, tell: Tell) -> None:
    undisturbed = copy_of(village, tmp_path / "done")
    assert run_killed(undisturbed, 0, tmp_path / "points", *NAMED) == 0
    points = (tmp_path / "points").read_text().splitlines()
    chosen = list(range(1, len(points) + 1))
    if not EVERYTHING:
        chosen = [next(at for at, label in enumerate(points, 1) if label.startswith(kind)) for kind in SAMPLE]

    told = [
        line
        for turn, at in enumerate(chosen)
        for line in attempt(village, tmp_path / str(at), at, points[at - 1], runs_between=EVERYTHING or turn % 2 == 0)
    ]

    tell(f"{len(chosen)} of {len(points)} kill points of an erasure tried")
    assert not told, "\n".join(told)
