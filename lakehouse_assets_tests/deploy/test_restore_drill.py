"""`deploy/restore_drill.sh`: a lake is made anew from landing, decisions and erasures, and its tables are the same."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets_tests.conftest import Cli
from lakehouse_assets_tests.deploy.image import DEPLOY
from lakehouse_assets_tests.retail import DAY, day, land, line, sales_csv

pytestmark = pytest.mark.slow


def _drill(*arguments: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LAKEHOUSE_", "DAGSTER_"))}
    path = os.pathsep.join([str(Path(sys.executable).parent), kept["PATH"]])
    command = [str(DEPLOY / "restore_drill.sh"), *arguments]
    return subprocess.run(command, env=kept | {"PATH": path}, capture_output=True, text=True, check=False, timeout=200)


def test_what_is_kept_makes_the_same_tables_and_never_in_a_place_that_is_not_empty(
    lake: Lake, cli: Cli, tmp_path: Path
) -> None:
    land(lake, "day.csv", sales_csv([*day(DAY, 5), line(Quantity="?")]))
    assert cli(lake, "run").returncode in {0, 1}
    correct = ("correct", "sales", "day.csv", "6", "--set", "Quantity=600", "--why", "the till")
    assert cli(lake, "quarantine", *correct).returncode == 0
    assert cli(lake, "run").returncode == 0

    done = _drill(lake.settings.root, str(tmp_path / "again"))
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "the same: 6 tables"), done.stdout + done.stderr
    assert "\nsilver.sales,6," in done.stdout

    refused = _drill(lake.settings.root, str(tmp_path / "again"))
    assert refused.returncode == 2
    assert refused.stderr == f"{tmp_path / 'again'} is not empty, so nothing was done; name another place.\n"
