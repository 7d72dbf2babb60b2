"""How much is tried, the terminal line that says how much it was, and the local lake that it is tried on."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.ledger.ledger import Ledger
from lakehouse_assets.query.overview import Status, status
from lakehouse_assets_tests import retail
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.faults import killed, scenario
from lakehouse_assets_tests.faults.reading import Tables, tables_of
from lakehouse_assets_tests.prepared import Once

EVERYTHING = os.environ.get("FAULTS") == "all"
IN_FULL = pytest.mark.skipif(not EVERYTHING, reason="FAULTS=all")
TIMEOUT = 4 * 3600 if EVERYTHING else 600
Tell = Callable[[str], None]
OneWriter = Callable[[dict[str, bytes]], Tables]
ORDER = frozenset({"version", "object_token"})
"""What may differ between lakes that took in the same objects: which landed copy it was, and which came first."""


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Tell:
    """Write a line to the terminal, whether the test passes or not."""

    def write(text: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n  {text} ")
            sys.stdout.flush()

    return write


@dataclass(frozen=True)
class Prepared:
    """A lake about to be run, a copy that was, what readers see of the two, and the points that the run passes."""

    lake: Lake
    undisturbed: Lake
    before: Tables
    after: Tables
    status: Status
    points: list[str]


def run_killed(lake: Lake, point: int | str, trace: Path, *arguments: str) -> int:
    """Run `lakehouse` (by default `run`), killed at a point of its boundary; return the exit code."""
    return killed.run_killed(point, trace, *(arguments or ["run"]), env=scenario.environment(lake))


@pytest.fixture(scope="session")
def prepared(once: Once) -> Prepared:
    """The scenario in a local folder. Read only: see `scenario.copy_of`."""
    base, undisturbed, before, after, found, points = once(_prepared)
    return Prepared(lake_at(base), lake_at(undisturbed), before, after, found, points)


def _prepared(folder: Path) -> tuple[str, str, Tables, Tables, Status, list[str]]:
    base = lake_at(str(folder / "base"))
    first = scenario.first_landing()
    # One commit per object, and as many as leave the next append of the ledger to compact it.
    scenario.land_all(base, first | scenario.filler(scenario.COMPACTED_ABOVE - len(first)))
    done = scenario.lakehouse("run", env=scenario.environment(base, LAKEHOUSE_INGEST_BATCH_BYTES="1"))
    assert done.returncode == 0, done.stderr
    assert len(Ledger.load(base.store)._table.file_uris()) == scenario.COMPACTED_ABOVE
    before = tables_of(base)
    scenario.land_all(base, scenario.second_landing())

    unkilled, trace = scenario.copy_of(base, folder / "unkilled"), folder / "points"
    assert run_killed(unkilled, 0, trace) == 1, "the run holds and rejects, and says so"
    after, points = tables_of(unkilled), trace.read_text().splitlines()
    return base.settings.root, unkilled.settings.root, before, after, status(unkilled), points


@pytest.fixture(scope="session")
def by_one(tmp_path_factory: pytest.TempPathFactory) -> OneWriter:
    """Return a function that gives the tables of a lake that one writer made of some objects."""
    made: dict[frozenset[tuple[str, bytes]], Tables] = {}

    def tables(objects: dict[str, bytes]) -> Tables:
        if (wanted := frozenset(objects.items())) not in made:
            lake = lake_at(str(tmp_path_factory.mktemp("one") / "lake"))
            scenario.land_all(lake, objects)
            retail.run(lake)
            made[wanted] = tables_of(lake, without=ORDER)
        return made[wanted]

    return tables
