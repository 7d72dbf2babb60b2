"""`lakehouse forget`: afterwards the person is nowhere, for good, and everything else is as it was."""

import hashlib
from pathlib import Path

import polars as pl
import pytest

from lakehouse_assets.lake.lake import Lake
from lakehouse_assets.query import answers
from lakehouse_assets.query.overview import Status, status
from lakehouse_assets.query.tables import frames
from lakehouse_assets.query.verify import verify
from lakehouse_assets_tests.conftest import Cli, lake_at
from lakehouse_assets_tests.faults.reading import differences, tables_of
from lakehouse_assets_tests.faults.scenario import copy_of
from lakehouse_assets_tests.forget.traces import objects_of, traces
from lakehouse_assets_tests.forget.village import PERSON, build, first_landing, others, second_landing
from lakehouse_assets_tests.retail import land

pytestmark = pytest.mark.slow
NOBODY = pl.lit(value=False)
IS_THEIRS = {
    "silver.sales": pl.col("customer_id") == PERSON,
    "quarantine.sales": pl.any_horizontal(pl.col("CustomerID", "_extra").str.contains(PERSON, literal=True)),
}
IS_PENDING = pl.col("_source_key") == "pending.csv"
_CHANGES = {"_source_hash", "_ingested_at"}
NAMED = ("forget", "sales", f"customer_id={PERSON}.0")


def rows(lake: Lake, name: str, gone: pl.Expr = NOBODY) -> list[str]:
    """Return the rows of a table but for some, without what an erasure may change."""
    frame = frames(lake)[name].filter(~gone.fill_null(value=False))
    kept = [column for column in frame.collect_schema().names() if column not in _CHANGES]
    return sorted(map(repr, frame.select(kept).collect().rows()))


def waiting(found: Status) -> tuple[list[str], ...]:
    """Return what is held, rejected and pinned, without the reasons."""
    held = [line.partition(": quality score")[0] for line in found.held]
    rejected = [" ".join(line.split(": ", 3)[:3]) for line in found.rejected]
    return held, rejected, found.pinned


@pytest.fixture(scope="module")
def village(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The lake with the person everywhere, run by the command line. Read only: see `copy_of`."""
    lake = lake_at(str(tmp_path_factory.mktemp("village") / "lake"))
    build(lake)
    assert len(traces(lake, PERSON)) > 100
    return lake


def check_forgotten(lake: Lake, village: Lake) -> None:
    """Check that the person is nowhere in a lake that was a copy of the village, and that all else is there."""
    assert traces(lake, PERSON) == []
    assert rows(lake, "silver.sales", IS_PENDING) == rows(village, "silver.sales", IS_THEIRS["silver.sales"])
    assert len(rows(lake, "silver.sales", ~IS_PENDING)) == len(others(28))
    assert rows(lake, "quarantine.sales") == rows(village, "quarantine.sales", IS_THEIRS["quarantine.sales"])
    assert list(verify(lake)) == []
    assert status(lake).is_idle
    assert waiting(status(lake)) == waiting(status(village))


def test_after_it_the_person_is_nowhere_and_all_else_is_as_it_was(village: Lake, tmp_path: Path, cli: Cli) -> None:
    lake = copy_of(village, tmp_path)

    done = cli(lake, *NAMED)

    assert done.returncode == 0, done.stdout + done.stderr
    assert PERSON not in done.stdout + done.stderr
    check_forgotten(lake, village)


def test_a_dry_run_counts_and_changes_nothing(village: Lake, tmp_path: Path, cli: Cli) -> None:
    lake = copy_of(village, tmp_path)
    before = {path: hashlib.sha256(data).digest() for path, data in objects_of(lake)}

    done = cli(lake, *NAMED, "--dry-run")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Dry run: nothing was erased." in done.stdout
    assert {path: hashlib.sha256(data).digest() for path, data in objects_of(lake)} == before
    counted = [line.split() for line in done.stdout.splitlines()]
    assert ["bronze", "records", "58"] in counted
    silver = frames(village)["silver.sales"].filter(IS_THEIRS["silver.sales"]).collect().height
    assert ["silver.sales", "records", str(silver)] in counted


def test_the_originals_landed_again_change_nothing(village: Lake, tmp_path: Path, cli: Cli) -> None:
    lake = copy_of(village, tmp_path)
    assert cli(lake, *NAMED).returncode == 0
    before = tables_of(lake)

    again = {**first_landing(), **second_landing()}
    for key, data in again.items():
        land(lake, key, data)
    done = cli(lake, "run")

    assert "Traceback" not in done.stdout + done.stderr
    check_forgotten(lake, village)
    after = tables_of(lake)
    same = [name for name in before if not name.startswith(("ops.", "bronze."))]
    assert differences({name: after[name] for name in same}, {name: before[name] for name in same}) == []


def test_it_may_be_asked_twice(village: Lake, tmp_path: Path, cli: Cli) -> None:
    lake = copy_of(village, tmp_path)
    assert cli(lake, *NAMED).returncode == 0

    again = cli(lake, "forget", "sales", f"customer_id= {PERSON} ")

    assert again.returncode == 0, again.stdout + again.stderr
    assert "Nothing of them is there." in again.stdout
    check_forgotten(lake, village)
    assert answers.run(lake, "SELECT count(*) FROM ops.decisions WHERE kind = 'erase'").rows == [(1,)]


def test_others_decisions_hold_and_theirs_say_nothing_any_more(village: Lake, tmp_path: Path, cli: Cli) -> None:
    lake = copy_of(village, tmp_path)
    assert cli(lake, *NAMED).returncode == 0

    decided = "SELECT kind, state, line, \"values\", why FROM ops.decisions WHERE kind <> 'erase' ORDER BY id"
    assert answers.run(lake, decided).rows == [
        ("release", "active", None, None, "the month is closed"),
        ("accept", "active", None, None, "the manifest is wrong"),
        ("pin", "active", None, None, "customer (erased) asked"),
        ("correct", "active", 28, '{"Quantity": "7"}', "the till prints .5"),
        ("correct", "active", None, None, "misread"),
        ("correct", "active", None, None, "a gift of (erased)."),
        ("discard", "active", None, None, "a test"),
        ("discard", "active", 3, None, "a test"),
    ]
    with_seven = "SELECT count(*) FROM silver.sales WHERE _source_key = 'corrected.csv' AND _line = 28 AND quantity = 7"
    assert answers.run(lake, with_seven).rows == [(1,)]
