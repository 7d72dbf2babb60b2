"""A session's SQL sees the frames that it was given and nothing else, however it asks; and it may exceed the memory."""

from pathlib import Path

import duckdb
import polars as pl
import pytest

from lakehouse_assets.engines.duckdb_session import session

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


def test_an_unsafe_session_reads_and_writes_files(tmp_path: Path) -> None:
    with session({"silver.sales": pl.LazyFrame({"n": [1, 2]})}, unsafe=True) as connection:
        connection.sql(f"COPY (FROM silver.sales) TO '{tmp_path}/out.csv'")
        assert connection.sql(f"FROM '{tmp_path}/out.csv'").fetchall() == [(1,), (2,)]


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
