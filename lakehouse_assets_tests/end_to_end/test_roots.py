"""Where a local lake may lie: under any name that readers can take; other names are refused before anything lands."""

import re
from pathlib import Path

import duckdb
import pytest
from pydantic import ValidationError

from lakehouse_assets_tests.conftest import Cli, lake_at
from lakehouse_assets_tests.faults.conftest import EVERYTHING
from lakehouse_assets_tests.retail import land, sales_csv

pytestmark = pytest.mark.slow
NAMES = ("with space é", "it's (1), ok!", "a&b;c:d", 'say "lake"', "~x@y+z$", "100% #1 <a> {b} `c`")
REFUSED = [*"?*=^\\|[]", "%20"]


# Each in the other, as every character of a path is read by whoever reads the path; `FAULTS=all`: each alone.
@pytest.mark.parametrize("name", NAMES if EVERYTHING else ["/".join(NAMES)])
def test_a_lake_works_in_a_folder_of_any_name(name: str, tmp_path: Path, cli_process: Cli) -> None:
    lake = lake_at(str(tmp_path / name))
    land(lake, "day one.csv", sales_csv(3))
    ran = cli_process(lake, "run")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert (
        cli_process(lake, "query", "SELECT sum(lines) FROM gold.daily_sales", "--format", "csv").stdout.split()[-1]
        == "3"
    )
    assert cli_process(lake, "verify").returncode == 0
    with duckdb.connect(f"{lake.settings.root}/catalog.duckdb", read_only=True) as catalog:
        assert catalog.sql("SELECT sum(lines) FROM gold.daily_sales").fetchall() == [(3,)]


@pytest.mark.parametrize("part", REFUSED)
def test_a_name_that_readers_cannot_take_is_refused(part: str, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=re.escape(f"has {part!r} in its name")):
        lake_at(str(tmp_path / f"a{part}b"))


def test_a_root_that_is_a_file_is_told_in_one_line(tmp_path: Path, cli_process: Cli) -> None:
    file = tmp_path / "lake"
    file.write_text("a,b")
    for arguments in (["status"], ["tables"], ["query", "FROM silver.sales"], ["verify"]):
        ran = cli_process(lake_at(str(file)), *arguments)
        assert ran.returncode == 1, arguments
        assert "it is a file, and a lake is a folder" in ran.stdout + ran.stderr, arguments
    ran = cli_process(lake_at(str(file)), "run")
    assert (ran.returncode, "Not a directory" in ran.stderr, "Traceback" in ran.stderr) == (1, True, False)
