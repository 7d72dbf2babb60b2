"""Decisions as a person lives with them: by command, through real runs, with exit codes and `status`."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.operations.decision_commands import correct
from lakehouse_assets_tests.conftest import Cli, lake_at
from lakehouse_assets_tests.decisions.person import (
    NEXT,
    ask,
    bad_day,
    bad_line,
    landed,
    quantities,
    restore,
    settle,
    shown,
    sound,
    take,
    take_back,
    version,
)
from lakehouse_assets_tests.retail import DAY, day, line, sales_csv

pytestmark = pytest.mark.slow


def test_a_held_object_is_told_by_the_exit_code_and_by_status_until_it_is_accepted(
    lake: Lake, cli: Cli, tmp_path: Path
) -> None:
    (tmp_path / "drop.csv").write_bytes(sales_csv(3))
    (tmp_path / "drop.manifest.json").write_text(json.dumps({"rows": 4}))
    assert cli(lake, "land", "sales", tmp_path / "drop.csv", tmp_path / "drop.manifest.json").returncode == 0

    ran = cli(lake, "run")
    said = "sales: drop.csv: held: the manifest says 4 rows, the object has 3"
    assert (ran.returncode, said in ran.stdout) == (1, True), ran
    assert quantities(lake) == []
    idle = cli(lake, "run")
    assert (idle.returncode, idle.stdout) == (0, "Nothing is pending: every table is up to date.\n")
    assert said in cli(lake, "status").stdout

    accepted = cli(lake, "accept", "sales", "drop.csv", "--why", "the manifest counts the header")
    assert re.search(r"^Recorded accept \S+\. It takes effect with the next run\.$", accepted.stdout, re.MULTILINE)
    assert "sales: drop.csv" in cli(lake, "status").stdout
    ran = cli(lake, "run")
    assert ran.returncode == 0, ran.stdout
    assert quantities(lake) == [1, 2, 3]
    assert "rejected:" not in cli(lake, "status").stdout
    sound(lake)


def test_a_replay_computes_the_chosen_dates_again_and_changes_nothing_that_is_right(lake: Lake, cli: Cli) -> None:
    landed(lake, [("day.csv", bad_day(bad_line())), ("next.csv", sales_csv(2, NEXT))])
    settle(lake, gold=True)
    before, was = shown(lake), version(lake, "silver.sales")
    ran = cli(lake, "quarantine", "replay", "sales", "--rule", "quantity_readable")
    assert ran.returncode == 0, ran
    assert shown(lake) == before
    assert version(lake, "silver.sales") == was + 1
    assert ask_parts(lake) == [DAY]


def ask_parts(lake: Lake) -> list[str]:
    """Return the partitions that runs of Dagster evaluated, those of tests apart."""
    return [partition for (partition,) in ask(lake, "SELECT DISTINCT part FROM ops.accounting WHERE run_id <> 'test'")]


def test_a_restored_gold_table_stays_through_real_runs(lake: Lake, cli: Cli, tmp_path: Path) -> None:
    landed(lake, [("day.csv", sales_csv(2))])
    settle(lake, gold=True)
    good, before = version(lake, "gold.daily_sales"), shown(lake, "gold.daily_sales")
    landed(lake, [("day.csv", sales_csv(3))])
    settle(lake, gold=True)
    arguments = ("restore", "gold.daily_sales", "--version", str(good), "--why", "checked")
    foretold = cli(lake, *arguments, "--dry-run")
    assert foretold.stdout == (f"gold.daily_sales: back to version {good}: {DAY}\nDry run: nothing was recorded.\n")
    assert shown(lake, "gold.daily_sales") != before

    restored = cli(lake, *arguments)
    assert restored.returncode == 0, restored
    assert shown(lake, "gold.daily_sales") == before
    (tmp_path / "late.csv").write_bytes(sales_csv([line(Quantity="99")]))
    cli(lake, "land", "sales", tmp_path / "late.csv")
    assert cli(lake, "run").returncode == 0
    assert shown(lake, "gold.daily_sales") == before
    assert f"pinned: 1\n  gold.daily_sales {DAY}: to version {good}\n" in cli(lake, "status").stdout
    assert cli(lake, "verify").returncode == 0

    [identity] = re.findall(r"^Recorded pin (\S+)\. `lakehouse revoke gold\.daily_sales", restored.stdout, re.MULTILINE)
    assert cli(lake, "revoke", "gold.daily_sales", identity, "--why", "mended").returncode == 0
    assert cli(lake, "run").returncode == 0
    assert shown(lake, "gold.daily_sales") != before
    sound(lake)


def test_decisions_and_restores_work_the_same_on_s3(s3_lake: Lake, tmp_path: Path) -> None:
    local = lake_at(str(tmp_path / "local"))
    found: list[Any] = []
    for lake in (s3_lake, local):
        landed(lake, [("day.csv", bad_day(bad_line())), ("next.csv", sales_csv(day(NEXT, 2)))])
        settle(lake, gold=True)
        correction = take(lake, correct, "day.csv", 61, {"InvoiceDate": f"{NEXT} 10:00:00", "Quantity": "600"})
        settle(lake, gold=True)
        assert (len(quantities(lake)), quantities(lake, NEXT)) == (60, [1, 2, 600])
        sound(lake)
        found.append(shown(lake))
        restore(lake, "silver.sales", 1)
        settle(lake, gold=True)
        assert quantities(lake, NEXT) == [1, 2]
        take_back(lake, correction)
        settle(lake)
        assert quantities(lake, NEXT) == [1, 2]
        found.append(shown(lake))
    assert found[:2] == found[2:]
