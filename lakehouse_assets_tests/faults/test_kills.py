"""A run that is killed at any point of its storage boundary, and run again, leaves the tables of one never killed."""

import re
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lakehouse_assets_tests.faults import scenario
from lakehouse_assets_tests.faults.conftest import EVERYTHING, TIMEOUT, Prepared, Tell, run_killed
from lakehouse_assets_tests.faults.reading import Tables, differences, status_of, tables_of, torn, unsettled

pytestmark = [pytest.mark.slow, pytest.mark.timeout(TIMEOUT)]
_AT_ONCE = 2
# Of a lake each run is killed at the next; in full each point has a lake of its own.
SAMPLE = (
    (
        "after create bronze/sales",  # bronze files that no ledger knows
        "after overwrite ops/ledger",  # that is, compacted
        "after overwrite ops/accounting",  # all but the commit point
        "before overwrite gold/daily_sales",
    ),
    (
        "after append ops/ledger",  # recorded, not yet published
        "after overwrite quarantine/sales",
        "after overwrite silver/sales",
        "after replace catalog.duckdb",  # the catalog without its state
    ),
)


def test_the_disturbed_run_has_everything(prepared: Prepared) -> None:
    states = {row[1].split("'")[-2] for row in prepared.after["ops.accounting"]}
    assert states == {"published", "held", "outside"}, states
    ledger = "".join(row for _, row in prepared.after["ops.ledger"])
    assert all(f"'{state}'" in ledger for state in ("accepted", "alias", "superseded", "rejected"))
    silver = [{partition for partition, _ in tables["silver.sales"]} for tables in (prepared.before, prepared.after)]
    assert sorted(silver[0] - silver[1]) == ["2011-03-07", "2011-03-12"], "resends retire dates"
    assert sorted(silver[1] - silver[0]) == ["2011-03-09", "2011-03-10", "2011-03-13"]
    assert prepared.status.is_idle
    assert (len(prepared.status.held), len(prepared.status.rejected)) == (2, 1)
    passed = [prepared.points.count(f"after {write}") for write in ("append ops/ledger", "overwrite silver/sales")]
    assert min(passed) >= 2, "several batches"


def try_points(prepared: Prepared, folder: Path, points: tuple[int | str, ...]) -> list[str]:
    """Kill a run at each of some points, then run again, and return what is not as it should be."""
    home = folder / re.sub(r"\W", "-", str(points[0]))
    lake = scenario.copy_of(prepared.lake, home)
    told = []
    for point in points:
        killed = run_killed(lake, point, home / "points") == -9
        told += [] if killed else ["the point was never reached"]
        told += torn(tables_of(lake), prepared.before, prepared.after)
    force = scenario.lakehouse("run", env=scenario.environment(lake))
    if force.returncode not in {0, 1} or "Traceback" in force.stderr or "failed:" in force.stdout:
        told.append(f"the next run failed: {force.stdout[-500:]} {force.stderr[-500:]}")
    told += differences(tables_of(lake), prepared.after) + unsettled(lake, lake.settings.dagster_home)
    if (shown := status_of(lake)) != prepared.status:
        told.append(f"the status is {shown} instead of {prepared.status}")
    shutil.rmtree(home)
    return [f"{', then '.join(named(prepared.points, point) for point in points)}: {line}" for line in told]


def named(labels: list[str], point: int | str) -> str:
    return point if isinstance(point, str) else f"point {point}, {labels[point - 1]}"


def try_all(attempt: Callable[[Any], list[str]], points: Sequence[Any]) -> list[str]:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return [line for told in pool.map(attempt, points) for line in told]


def test_a_killed_run_loses_and_doubles_nothing(prepared: Prepared, tmp_path: Path, tell: Tell) -> None:
    points = [(number,) for number in range(1, len(prepared.points) + 1)] if EVERYTHING else SAMPLE

    told = try_all(partial(try_points, prepared, tmp_path), points)

    tell(f"{sum(map(len, points))} of {len(prepared.points)} kill points tried")
    assert not told, "\n".join(told)


def test_maintenance_killed_anywhere_changes_no_answer(prepared: Prepared, tmp_path: Path, tell: Tell) -> None:
    # Keeping no earlier version: it has the most to remove.
    maintain = ("maintain", "--retention-hours", "0", "--below-seven-days-really")
    done = scenario.copy_of(prepared.undisturbed, tmp_path / "done")
    assert run_killed(done, 0, tmp_path / "points", *maintain) == 0
    assert differences(tables_of(done), prepared.after) == []
    points = (tmp_path / "points").read_text().splitlines()

    def attempt(point: int) -> list[str]:
        lake = scenario.copy_of(prepared.undisturbed, tmp_path / str(point))
        killed = run_killed(lake, point, tmp_path / f"{point}.points", *maintain) == -9
        told = [] if killed else ["the point was never reached"]
        told += differences(tables_of(lake), prepared.after)
        # A catalog without its state is named, with what to do.
        told += [line for line in unsettled(lake) if not line.startswith("verify: catalog")]
        told += [] if run_killed(lake, 0, tmp_path / "again", *maintain) == 0 else ["the next maintenance failed"]
        told += differences(tables_of(lake), prepared.after) + unsettled(lake)
        shutil.rmtree(tmp_path / str(point))
        return [f"point {point}, {points[point - 1]}: {line}" for line in told]

    chosen = list(range(1, len(points) + 1)) if EVERYTHING else [len(points) // 2]
    told = try_all(attempt, chosen)

    tell(f"{len(chosen)} of {len(points)} kill points of maintenance tried")
    assert not told, "\n".join(told)


def test_an_expiry_of_quarantine_that_is_killed_anywhere_is_finished_by_the_next(
    prepared: Prepared, tmp_path: Path, tell: Tell
) -> None:
    expire = ("maintain", "--expire-quarantine-days", "30")
    done = scenario.copy_of(prepared.undisturbed, tmp_path / "done")
    assert run_killed(done, 0, tmp_path / "points", *expire) == 0
    expected = _without_decisions(tables_of(done))
    changed = {name for name, rows in prepared.after.items() if rows != expected.get(name, rows)}
    assert changed == {"quarantine.sales"}, "bad rows of dates that are not held"
    points = (tmp_path / "points").read_text().splitlines()
    steps = [at for at, label in enumerate(points, 1) if "decisions/sales" in label or "quarantine/sales" in label]

    def attempt(point: int) -> list[str]:
        lake = scenario.copy_of(prepared.undisturbed, tmp_path / str(point))
        killed = run_killed(lake, point, tmp_path / f"{point}.points", *expire) == -9
        told = [] if killed else ["the point was never reached"]
        told += torn(_without_decisions(tables_of(lake)), prepared.after, expected)
        # A catalog without its state is named, with what to do.
        told += [line for line in unsettled(lake) if not line.startswith("verify: catalog")]
        told += [] if run_killed(lake, 0, tmp_path / "again", *expire) == 0 else ["the next maintenance failed"]
        told += differences(_without_decisions(tables_of(lake)), expected) + unsettled(lake)
        taken = len(tables_of(lake)["ops.decisions"])
        told += [] if taken == 1 else [f"it was decided {taken} times"]
        shutil.rmtree(tmp_path / str(point))
        return [f"point {point}, {points[point - 1]}: {line}" for line in told]

    chosen = list(range(1, len(points) + 1)) if EVERYTHING else steps[1:3]
    told = try_all(attempt, chosen)

    tell(f"{len(chosen)} of {len(points)} kill points of an expiry tried")
    assert not told, "\n".join(told)


def _without_decisions(tables: Tables) -> Tables:
    return {name: rows for name, rows in tables.items() if name != "ops.decisions"}
