"""A run that is killed at any point of its storage boundary, and run again, leaves the tables of one never killed."""

import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from lakehouse_assets_tests.faults import scenario
from lakehouse_assets_tests.faults.conftest import EVERYTHING, TIMEOUT, Prepared, Tell, run_killed
from lakehouse_assets_tests.faults.reading import differences, status_of, tables_of, torn, unsettled

pytestmark = [pytest.mark.slow, pytest.mark.timeout(TIMEOUT)]
_AT_ONCE = 2
SAMPLE = (
    "after create bronze/sales",  # bronze files that no ledger knows
    "after write ops/ledger",  # recorded, not yet published
    "after compact ops/ledger",
    "after write quarantine/sales",
    "after write ops/accounting",  # all but the commit point
    "after write silver/sales",
    "before write gold/daily_sales",
    "after replace catalog.duckdb",  # the catalog without its state
)


def test_the_disturbed_run_has_everything(prepared: Prepared) -> None:
    states = {row[1].split("'")[-2] for row in prepared.after["ops.accounting"]}
    assert states == {"published", "held", "outside"}, states
    ledger = "".join(row for _, row in prepared.after["ops.ledger"])
    assert all(f"'{state}'" in ledger for state in ("accepted", "alias", "superseded", "rejected"))
    silver = [{part for part, _ in tables["silver.sales"]} for tables in (prepared.before, prepared.after)]
    assert sorted(silver[0] - silver[1]) == ["2011-03-07", "2011-03-12"], "resends retire dates"
    assert sorted(silver[1] - silver[0]) == ["2011-03-09", "2011-03-10", "2011-03-13"]
    assert prepared.status.is_idle
    assert (len(prepared.status.held), len(prepared.status.rejected)) == (2, 1)
    passed = [
        sum(point == f"after write {table}" for point in prepared.points) for table in ("ops/ledger", "silver/sales")
    ]
    assert min(passed) >= 2, "several batches"


def try_point(prepared: Prepared, folder: Path, point: int) -> list[str]:
    """Kill a run at a point, run again, and return what is not as it should be."""
    lake = scenario.copy_of(prepared.lake, folder / str(point))
    killed = run_killed(lake, point, folder / f"{point}.points") == -9
    told = [] if killed else ["the point was never reached"]
    told += torn(tables_of(lake), prepared.before, prepared.after)
    again = scenario.lakehouse("run", env=scenario.environment(lake))
    if again.returncode not in {0, 1} or "Traceback" in again.stderr or "failed:" in again.stdout:
        told.append(f"the next run failed: {again.stdout[-500:]} {again.stderr[-500:]}")
    told += differences(tables_of(lake), prepared.after) + unsettled(lake, lake.settings.dagster_home)
    if (shown := status_of(lake)) != prepared.status:
        told.append(f"the status is {shown} instead of {prepared.status}")
    shutil.rmtree(folder / str(point))
    return [f"point {point}, {prepared.points[point - 1]}: {line}" for line in told]


def try_points(prepared: Prepared, folder: Path, points: Sequence[int]) -> list[str]:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return [line for told in pool.map(partial(try_point, prepared, folder), points) for line in told]


def sampled(points: list[str]) -> list[int]:
    """Return the number of a point of each kind of the sample: of each kind another one in turn."""
    chosen = []
    for turn, kind in enumerate(SAMPLE):
        numbers = [number for number, label in enumerate(points, 1) if label.startswith(kind)]
        assert numbers, kind
        chosen.append(numbers[turn % len(numbers)])
    return chosen


def test_a_killed_run_loses_and_doubles_nothing(prepared: Prepared, tmp_path: Path, tell: Tell) -> None:
    points = list(range(1, len(prepared.points) + 1)) if EVERYTHING else sampled(prepared.points)

    told = try_points(prepared, tmp_path, points)

    tell(f"{len(points)} of {len(prepared.points)} kill points tried")
    assert not told, "\n".join(told)
