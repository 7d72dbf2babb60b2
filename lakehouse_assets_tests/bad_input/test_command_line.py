"""Bad input by the command line: exit code 1 for what is rejected, 0 for what is in quarantine, never a traceback."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets_tests.bad_input import table
from lakehouse_assets_tests.bad_input.corpus import DAY
from lakehouse_assets_tests.bad_input.inputs import CORPUS
from lakehouse_assets_tests.conftest import Cli
from lakehouse_assets_tests.retail import day, sales_csv

pytestmark = pytest.mark.slow

_REJECTED = (
    "empty file",
    "a quote that is never closed",
    "a required column renamed",
    "UTF-16 with byte order mark",
    "mixed encodings, one line each",
    "zip with a damaged member",
    "zip with one member encrypted and one not",
    "zip with a member that climbs out of its folder",
    "truncated gzip",
    "JSON array cut short",
    "truncated Parquet",
)
_QUARANTINED = (
    "ragged rows, too short",
    "a NUL byte in a value",
    "JSON lines with a broken line",
    "Parquet with not-a-number and infinite numbers",
    "a time at the clock change that does not exist",
    "the date 9999-12-31 that stands for never",
    "JSON numbers beyond 64 bits",
)
_GOOD_ROWS = 4_000
_TROUBLE = re.compile(r"Traceback|panicked|Error:|stack backtrace")


def _drop(folder: Path, names: tuple[str, ...]) -> dict[str, str]:
    """Write the named inputs and a good file into a folder; return the key of each input by name."""
    folder.mkdir()
    (folder / "good.csv").write_bytes(sales_csv(day(DAY, _GOOD_ROWS, InvoiceNo="536399")))
    keys = {name: f"{at:03}.{CORPUS[name].suffix}" for at, name in enumerate(names)}
    for name, key in keys.items():
        (folder / key).write_bytes(CORPUS[name].make())
    return keys


def _published(lake: Lake, cli: Cli) -> int:
    sql = "select count(*) as rows from silver.sales where _source_key = 'good.csv'"
    answer = cli(lake, "query", sql, "--format", "json")
    assert answer.returncode == 0, answer.stderr
    return int(json.loads(answer.stdout)[0]["rows"])


def test_what_is_rejected_is_told_with_its_reason_and_the_exit_code_is_1(lake: Lake, cli: Cli, tmp_path: Path) -> None:
    keys = _drop(tmp_path / "drop", _REJECTED)
    assert cli(lake, "land", "sales", tmp_path / "drop").returncode == 0
    ran = cli(lake, "run")
    assert ran.returncode == 1
    assert not _TROUBLE.search(ran.stdout + ran.stderr)
    status = cli(lake, "status")
    assert status.returncode == 0
    for told in (ran.stdout, status.stdout):
        flat = " ".join(told.split())
        for name, key in keys.items():
            assert key in flat, name
            assert all(word in flat for word in table.rows()[name].words), name
    assert _published(lake, cli) == _GOOD_ROWS
    force = cli(lake, "run")
    assert (force.returncode, "Nothing is pending" in force.stdout) == (0, True)


def test_what_is_in_quarantine_is_normal_and_the_exit_code_is_0(lake: Lake, cli: Cli, tmp_path: Path) -> None:
    keys = _drop(tmp_path / "drop", _QUARANTINED)
    assert cli(lake, "land", "sales", tmp_path / "drop").returncode == 0
    ran = cli(lake, "run")
    assert ran.returncode == 0, (ran.stdout + ran.stderr)[-1_500:]
    assert not _TROUBLE.search(ran.stdout + ran.stderr)
    assert _published(lake, cli) == _GOOD_ROWS
    found = cli(lake, "query", "select distinct _source_key from quarantine.sales", "--format", "json")
    assert {row["_source_key"] for row in json.loads(found.stdout)} == set(keys.values())


def test_the_whole_corpus_in_one_landing_loses_nothing_of_the_good_file(lake: Lake, cli: Cli, tmp_path: Path) -> None:
    names = tuple(name for name, made in CORPUS.items() if not made.is_huge and made.limit is None)
    keys = _drop(tmp_path / "drop", names)
    assert cli(lake, "land", "sales", tmp_path / "drop").returncode == 0
    ran = cli(lake, "run")
    assert not _TROUBLE.search(ran.stdout + ran.stderr), (ran.stdout + ran.stderr)[-2_000:]
    assert ran.returncode == 1
    assert _published(lake, cli) == _GOOD_ROWS
    rejected = {key for name, key in keys.items() if table.rows()[name].ends_as == "rejected"}
    told = cli(lake, "query", "select distinct object_key from ops.ledger where state = 'rejected'", "--format", "json")
    assert {row["object_key"] for row in json.loads(told.stdout)} == rejected
    force = cli(lake, "run")
    assert (force.returncode, "Nothing is pending" in force.stdout) == (0, True)


def test_landing_what_cannot_be_a_key_is_one_clear_line(lake: Lake, tmp_path: Path) -> None:
    folder = tmp_path / "drop" / "\udce9"
    folder.mkdir(parents=True)
    (folder / "day.csv").write_bytes(sales_csv(1))
    landed = subprocess.run(
        [str(Path(sys.executable).with_name("lakehouse")), "land", "sales", str(tmp_path / "drop")],
        env=os.environ | {"LAKEHOUSE_ROOT": lake.settings.root},
        capture_output=True,
        text=True,
        errors="backslashreplace",
        check=False,
    )
    assert landed.returncode == 1
    assert landed.stderr.startswith("lakehouse: ")
    assert landed.stderr.count("\n") == 1
    assert not _TROUBLE.search(landed.stderr)
