"""A session's SQL sees the frames that it was given and nothing else, however it asks; and it may exceed the memory."""

import subprocess
import sys
from pathlib import Path

import duckdb
import polars as pl
import pytest

from lakehouse_assets.engines.duckdb_session import lent, session

OUTSIDE = {
    "COPY TO": "COPY (FROM silver.sales) TO '{folder}/out.csv'",
    "EXPORT": "EXPORT DATABASE '{folder}/out'",
    "COPY FROM": "CREATE TABLE t (a INT); COPY t FROM '{file}'",
    "read_csv": "FROM read_csv('{file}')",
    "read_text": "FROM read_text('{file}')",
    "a file as a table": "FROM '{file}'",
    "a listing": "FROM glob('{folder}/*')",
    "another database": "ATTACH '{folder}/other.duckdb'",
    "an extension": "INSTALL httpfs",
    "loading one": "LOAD httpfs",
    "a bucket": "FROM read_parquet('s3://bucket/key')",
    "unlocking": "SET enable_external_access = true",
    "a setting": "SET temp_directory = '{folder}'",
    "a variable": "FROM variable",
}


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize("asked", OUTSIDE)
def test_sql_reaches_nothing_but_its_tables(asked: str, tmp_path: Path) -> None:
    variable = pl.DataFrame({"secret": [1]})
    (tmp_path / "file.csv").write_text("a\n1\n")
    with session({"silver.sales": pl.LazyFrame({"n": [1, 2]})}) as connection:
        with pytest.raises(duckdb.Error):
            connection.sql(OUTSIDE[asked].format(folder=tmp_path, file=tmp_path / "file.csv")).fetchall()
        assert connection.sql("SELECT n FROM silver.sales WHERE n > 1").fetchall() == [(2,)]
    assert [path.name for path in tmp_path.iterdir()] == ["file.csv"]
    assert variable.height == 1


@pytest.mark.parametrize(
    ("query", "unknown"),
    [
        ("SELECT a.key, a.day, b.until FROM t.a ASOF LEFT JOIN t.b ON a.key = b.key AND a.day >= b.day", None),
        ("SELECT a.key, a.day, b.until FROM t.a LEFT JOIN t.b ON a.day BETWEEN b.day AND b.until", 6),
    ],
)
def test_lazy_frames_are_not_joined_in_a_loop_over_all_pairs(query: str, unknown: int | None) -> None:
    a = pl.LazyFrame({"key": ["x", "x", "y", None], "day": [1, 5, 5, 5]})
    b = pl.LazyFrame({"key": ["x", "x", "z"], "day": [2, 4, 0], "until": [3, 6, 0]})
    with session({"t.a": a, "t.b": b}) as connection:
        assert "loop" not in str(connection.sql(f"EXPLAIN {query}").fetchall()).lower()
        found = set(connection.sql(query).fetchall())
    assert found == {("x", 1, None), ("x", 5, 6), ("y", 5, unknown), (None, 5, unknown)}


def test_an_unsafe_session_reads_and_writes_files(tmp_path: Path) -> None:
    with session({"silver.sales": pl.LazyFrame({"n": [1, 2]})}, unsafe=True) as connection:
        connection.sql(f"COPY (FROM silver.sales) TO '{tmp_path}/out.csv'")
        assert connection.sql(f"FROM '{tmp_path}/out.csv'").fetchall() == [(1,), (2,)]


def test_a_database_that_is_lent_again_has_only_the_tables_of_who_has_it_now() -> None:
    with lent({"silver.sales": pl.LazyFrame({"n": [1]}), "gold.days": pl.LazyFrame({"day": [1]})}) as first:
        assert first.sql("SELECT n, day FROM silver.sales, gold.days").fetchall() == [(1, 1)]
    with lent({"silver.sales": pl.LazyFrame({"m": ["a"]})}) as again:
        assert again is first
        assert again.sql("FROM silver.sales").fetchall() == [("a",)]
        assert again.sql("SELECT current_setting('TimeZone')").fetchall() == [("UTC",)]
        for gone in ("gold.days", "gold__days"):
            with pytest.raises(duckdb.CatalogException):
                again.sql(f"FROM {gone}")
        with pytest.raises(duckdb.PermissionException):
            again.sql("FROM read_text('/etc/hostname')")


def test_a_database_is_lent_to_one_at_a_time_and_not_after_a_failure() -> None:
    with lent({"t.a": pl.LazyFrame({"n": [1]})}) as outer, lent({"t.a": pl.LazyFrame({"n": [2]})}) as inner:
        assert (outer.sql("FROM t.a").fetchall(), inner.sql("FROM t.a").fetchall()) == ([(1,)], [(2,)])
    with pytest.raises(duckdb.BinderException), lent({"t.a": pl.LazyFrame({"n": [1]})}) as failed:
        failed.sql("SELECT m FROM t.a")
    with pytest.raises(duckdb.ConnectionException):
        failed.sql("SELECT 1")
    with lent({"t.a": pl.LazyFrame({"n": [3]})}) as next_one:
        assert next_one.sql("FROM t.a").fetchall() == [(3,)]


_FORKS = """
import os, sys
import polars as pl
from lakehouse_assets.engines.duckdb_session import lent

with lent({"t.a": pl.LazyFrame({"n": [1]})}) as connection:
    connection.sql("FROM t.a").fetchall()
child = os.fork()
if child:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.slow
def test_a_process_that_is_forked_after_a_database_was_lent_ends() -> None:
    ended = subprocess.run([sys.executable, "-c", _FORKS], timeout=60, check=False, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.slow
def test_a_sort_larger_than_the_memory_leaves_no_file_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with session({}, unsafe=True) as connection:
        connection.sql("SET memory_limit = '60MB'; SET threads = 1; SET enable_external_access = false")
        ordered = connection.sql("FROM (SELECT md5(i::VARCHAR) AS m FROM range(1_000_000) t(i)) ORDER BY m")
        assert len(ordered.project("m, row_number() OVER (ORDER BY m) AS r").filter("r > 999_999").fetchall()) == 1
        [spilled] = tmp_path.iterdir()
        assert spilled.name.startswith("lakehouse-")
        assert len(list(spilled.iterdir())) > 1
    assert [file.name for file in spilled.iterdir()] == ["lock"], "the folder is that of the process"
