"""`deploy/restore_drill.sh`: a lake is made anew from landing, decisions and erasures, and its tables are the same."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets_tests.aws_emulator import COMMAND
from lakehouse_assets_tests.conftest import TABLES, TESTED, Cli
from lakehouse_assets_tests.decisions.forked_command import forked_command
from lakehouse_assets_tests.deploy.image import DEPLOY
from lakehouse_assets_tests.retail import DAY, day, land, line, sales_csv

AWS = COMMAND.with_name("aws")
LAKEHOUSE = """#!/usr/bin/env bash
case $1 in
  tables) echo "silver.sales 3 rows" ;;
  query) case $LAKEHOUSE_ROOT in *another) echo "silver.sales,$ROWS" ;; *) echo "silver.sales,3" ;; esac ;;
  *) echo "$1 in $LAKEHOUSE_ROOT" ;;
esac
"""
"""Plays the command where what it would say is not the point."""


def _drill(*arguments: str, first: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    others = ("LAKEHOUSE_", "DAGSTER_")
    kept = {name: value for name, value in os.environ.items() if name in TESTED or not name.startswith(others)}
    path = os.pathsep.join([str(first), str(Path(sys.executable).parent), str(AWS.parent), kept["PATH"]])
    command = [str(DEPLOY / "restore_drill.sh"), *arguments]
    return subprocess.run(
        command, env=kept | {"PATH": path} | environment, capture_output=True, text=True, check=False, timeout=200
    )


@pytest.mark.skipif(not AWS.exists(), reason="the command line of AWS is not installed: make .venv/aws-emulator")
@pytest.mark.slow
def test_what_is_kept_of_a_bucket_makes_the_same_tables_in_another_place(
    s3_lake: Lake, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKEHOUSE_DEFINITIONS", TABLES)
    lake, again = s3_lake, f"{s3_lake.settings.root}-again"
    land(lake, "day.csv", sales_csv([*day(DAY, 5), line(Quantity="?")]))
    assert cli(lake, "run").returncode in {0, 1}
    correct = ("correct", "sales", "day.csv", "6", "--set", "Quantity=600", "--why", "the till")
    assert cli(lake, "quarantine", *correct).returncode == 0
    assert cli(lake, "run").returncode == 0

    with forked_command(tmp_path / "bin") as first:
        done = _drill(lake.settings.root, again, first=first)
        refused = _drill(lake.settings.root, again, first=first)
        nowhere = _drill(lake.settings.root, "s3://there-is-no-such-bucket/lake", first=first)

    assert done.returncode == 0, done.stdout + done.stderr
    same = re.fullmatch(r"the same: (\d+) tables", done.stdout.splitlines()[-1])
    assert same
    assert int(same[1]) >= 6
    assert "\nsilver.sales,6," in done.stdout
    assert refused.returncode == 2
    assert refused.stderr == f"{again} is not empty, so nothing was done; name another place.\n"
    assert nowhere.returncode != 0
    assert "NoSuchBucket" in nowhere.stderr


def test_of_a_folder_landing_decisions_and_erasures_are_copied_and_nothing_else(tmp_path: Path) -> None:
    command, lake, again = tmp_path / "lakehouse", tmp_path / "lake ü", tmp_path / "again"
    command.write_text(LAKEHOUSE)
    command.chmod(0o755)
    for folder in ("landing/sales", "decisions/sales", "silver"):
        (lake / folder).mkdir(parents=True)
        (lake / folder / "one").write_text(folder)
    done = _drill(str(lake), str(again), first=tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(str(path.relative_to(again)) for path in again.rglob("one")) == [
        "decisions/sales/one",
        "landing/sales/one",
    ]
    assert f"run in {again}" in done.stdout

    refused = _drill(str(lake), str(again), first=tmp_path)
    assert (refused.returncode, refused.stderr) == (
        2,
        f"{again} is not empty, so nothing was done; name another place.\n",
    )
    differs = _drill(str(lake), str(tmp_path / "another"), first=tmp_path, ROWS="4")
    assert differs.returncode == 1
    assert "the tables above differ" in differs.stderr
