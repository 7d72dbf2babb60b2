"""Tables of more rows than a batch are streamed to DuckDB, and give what they give when they are collected."""

import datetime as dt
from decimal import Decimal
from pathlib import Path

import dataframely as dy
import duckdb
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Model
from lakehouse_assets.engines.duckdb_session import session
from lakehouse_assets.engines.streamed_frame import StreamedFrame
from lakehouse_assets.pipeline import gold, gold_on_duckdb
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.pipeline.totals import totals
from lakehouse_assets_tests.retail import day, land, run, sales_csv

BY_CODE = "SELECT stock_code, sum(quantity) AS units FROM silver.sales {where} GROUP BY stock_code"
TYPED = pl.DataFrame(
    {
        "text": ["a", None, "ü"],
        "amount": pl.Series([Decimal("1.0001"), None, Decimal("-2.5")], dtype=pl.Decimal(38, 4)),
        "date": [dt.date(2011, 3, 1), None, dt.date(1600, 1, 1)],
        "at": pl.Series([dt.datetime(2011, 3, 27, 1, tzinfo=dt.UTC), None, None], dtype=pl.Datetime("us", "UTC")),
        "codes": [["a", "b"], [], None],
        "entries": [[{"key": "k", "value": "v"}], None, []],
        "small": pl.Series([1, None, -1], dtype=pl.Int16),
        "flag": [True, None, False],
    }
)


class ByCode(dy.Schema):
    stock_code = dy.String(primary_key=True)
    units = dy.Int64(nullable=False)


def by_code(lake: Lake, where: str = "") -> tuple[Lake, Model]:
    return totals(lake, BY_CODE.format(where=where), ByCode, date=None)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = lake_at(str(tmp_path_factory.mktemp("published") / "lake"))
    land(lake, "x.csv", sales_csv([*day(count=3), *day("2011-03-02", count=4, StockCode="22423")]))
    run(lake)
    return lake


@pytest.mark.slow(covered=True)
def test_a_table_of_more_rows_than_a_batch_is_streamed_and_gives_the_same(published: Lake) -> None:
    small, model = by_code(published)
    large, _ = by_code(lake_at(published.settings.root, publish_batch_rows=6))
    assert gold_on_duckdb.large_inputs(small, model) == set()
    assert gold_on_duckdb.large_inputs(large, model) == {"silver.sales"}
    one, other = (gold.compute(lake, model, ["whole"]).sort("stock_code") for lake in (small, large))
    assert one["stock_code"].to_list() == ["22423", "85123A"]
    assert_frame_equal(one, other, check_exact=True)


def test_what_reads_some_dates_only_is_not_streamed(published: Lake) -> None:
    lake = lake_at(published.settings.root, publish_batch_rows=1)
    assert gold_on_duckdb.large_inputs(*by_code(lake, "WHERE Dt > '2011-03-01'")) == set()
    assert gold_on_duckdb.large_inputs(*totals(lake)) == set()
    assert gold_on_duckdb.large_inputs(*by_code(lake, "WHERE quantity > 1")) == {"silver.sales"}


@pytest.mark.parametrize("rows", [TYPED, TYPED.clear()], ids=["rows", "no rows"])
def test_a_stream_has_what_its_frame_has_however_often_it_is_read(rows: pl.DataFrame) -> None:
    text = "SELECT * FROM silver.t UNION ALL SELECT * FROM silver.t"
    found = []
    for table in (rows.lazy(), StreamedFrame(rows.lazy())):
        with session({"silver.t": table}) as connection:
            found.append(pl.DataFrame(connection.sql(text).to_arrow_table()))
    assert_frame_equal(*found, check_exact=True, check_row_order=False)
    assert found[0].height == 2 * rows.height


def test_a_query_that_leaves_its_streams_unread_ends(tmp_path: Path) -> None:
    pl.select(pl.int_range(100_000).alias("n")).write_parquet(tmp_path / "n.parquet", row_group_size=1_000)
    for _ in range(3):
        with session({"silver.t": StreamedFrame(pl.scan_parquet(tmp_path / "n.parquet"))}) as connection:
            assert len(connection.sql("FROM silver.t LIMIT 1").fetchall()) == 1
            assert connection.sql("SELECT sum(a.n) FROM silver.t a JOIN silver.t b USING (n)").fetchall() == [
                (4_999_950_000,)
            ]


def test_a_query_that_cannot_do_with_its_memory_has_the_machines(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    _, model = totals(lake, "SELECT list(n) AS numbers FROM silver.sales", ByCode, date=None)
    frame = pl.select(pl.int_range(1_000_000).alias("n")).lazy()
    monkeypatch.setattr(gold_on_duckdb, "MEMORY", "2MB")
    with (
        session({"silver.sales": StreamedFrame(frame)}, memory="2MB") as connection,
        pytest.raises(duckdb.OutOfMemoryException),
    ):
        connection.sql(model.query).fetchall()
    found = gold_on_duckdb.rows(model, {"silver.sales": frame}, {"silver.sales"})
    assert found["numbers"].list.len().to_list() == [1_000_000]
