"""The scripts of the peers that need no environment of their own make the rows that the product makes."""

import datetime as dt
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from benchmarks import generate
from benchmarks.compare import DifferentError
from benchmarks.peers import pandas_by_hand, polars_by_hand
from benchmarks.peers.equal import assert_equal, bronze_rows


@pytest.fixture
def lakes(tmp_path: Path) -> tuple[Path, Path]:
    generate.drops(tmp_path / "landing", dt.date(2023, 3, 25), 2, 2_100)
    for peer in (polars_by_hand, pandas_by_hand):
        (tmp_path / peer.__name__).mkdir()
        peer.run(tmp_path / "landing", tmp_path / peer.__name__)
    return tmp_path / polars_by_hand.__name__, tmp_path / pandas_by_hand.__name__


@pytest.mark.slow(covered=True)
def test_pandas_makes_the_rows_of_polars_and_a_difference_is_told(lakes: tuple[Path, Path]) -> None:
    by_polars, by_pandas = lakes
    found = assert_equal("pandas", by_pandas, by_polars)
    assert found["bronze"] == bronze_rows(by_pandas) == 4_200
    assert found["quarantine/sales"] == 2
    assert found["silver/sales"] < 4_200 - 2, "what stood there twice was kept"
    file = min((by_pandas / "gold/daily_sales").iterdir())
    pl.read_parquet(file).with_columns(pl.col("units") + 1).write_parquet(file)
    with pytest.raises(DifferentError, match="gold/daily_sales: pandas has"):
        assert_equal("pandas", by_pandas, by_polars)


@pytest.mark.slow
def test_the_report_names_each_peer_with_its_ratio() -> None:
    command = [sys.executable, "-m", "benchmarks.peers", "--scale", "0.006", "--repeat", "1", "--only", "pandas"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1])
    assert done.returncode == 0, done.stderr
    table = [line.split(" | ") for line in done.stdout.splitlines() if line.startswith("| ")][2:]
    assert [line[0] for line in table] == [
        "| this lakehouse",
        "| Polars, delta-rs and DuckDB by hand",
        "| pandas by hand",
    ]
    assert table[1][4] == "1.00"
    assert float(table[0][4]) > 1, "the product does the work of the floor, and more"
