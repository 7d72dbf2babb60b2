"""A build of a model with joins as of a time that is killed at any point: the next one leaves it as it should be."""

import functools
import shutil
import signal
from pathlib import Path

import pytest

from lakehouse_assets.query.verify import verify
from lakehouse_assets_tests.faults import scenario
from lakehouse_assets_tests.faults.conftest import EVERYTHING, Tell
from lakehouse_assets_tests.faults.killed import Boundary, watch
from lakehouse_assets_tests.forked import Forked
from lakehouse_assets_tests.pipeline.enriched import (
    CUSTOMERS,
    PRODUCTS,
    SALES,
    Sale,
    Version,
    built,
    expected,
    lake_of,
    pending,
    put,
    rows,
)

pytestmark = pytest.mark.slow
LATE, MORE = [Version("anna", "vip", 5), Version("bob", "old", 2)], [Sale(8, "bob", "b", 35)]
SAMPLE = "after overwrite ops/enriched_as_of"


def killed_build(point: int, trace: Path, folder: Path) -> None:
    """Build what is pending of the lake in a folder, and die at a point."""
    watch(Boundary(point, trace))
    built(lake_of(folder))


def run_killed(folder: Path, point: int) -> int:
    program = functools.partial(killed_build, point, folder / f"{point}.points", folder)
    return Forked(env=scenario.environment(lake_of(folder)), program=program).finish().returncode


@pytest.mark.parametrize("built_before", ["nothing", "all", "without versions"])
def test_a_killed_build_is_mended_by_the_next(tmp_path: Path, tell: Tell, built_before: str) -> None:
    lake = lake_of(tmp_path / "base")
    if built_before == "without versions":
        put(lake, "sales", sales=SALES)
        built(lake)
    put(lake, "first", CUSTOMERS, PRODUCTS, SALES)
    if built_before == "all":
        built(lake)
    put(lake, "late", LATE, [], MORE)
    whole = shutil.copytree(tmp_path / "base", tmp_path / "whole")
    assert run_killed(whole, 0) == 0
    points = (whole / "0.points").read_text().splitlines()
    chosen = [at for at, label in enumerate(points, 1) if EVERYTHING or label == SAMPLE]
    assert len(chosen) >= 2
    for point in chosen:
        folder = shutil.copytree(tmp_path / "base", tmp_path / str(point))
        assert run_killed(folder, point) == -signal.SIGKILL
        mended = lake_of(folder)
        built(mended)
        assert rows(mended) == expected([*CUSTOMERS, *LATE], PRODUCTS, [*SALES, *MORE]), points[point - 1]
        assert pending(mended) == []
        assert list(verify(mended)) == [], points[point - 1]
    tell(f"{len(chosen)} of {len(points)} kill points tried")
