"""A lake that an older version wrote, whose accounting lacks a column, is read, run and shown as any other."""

import duckdb
import polars as pl
import pytest
from deltalake import write_deltalake

from lakehouse_assets.catalog.duckdb_views import PATH, rebuild
from lakehouse_assets.context import Lake
from lakehouse_assets.pipeline.accounting import TABLE as ACCOUNTING
from lakehouse_assets.query import sql as answers
from lakehouse_assets.query.overview import sizes, status
from lakehouse_assets.query.tables import frames
from lakehouse_assets.query.verify import verify
from lakehouse_assets.storage import delta_files
from lakehouse_assets_tests.retail import day, land, run, sales_csv

ERASED = "SELECT sum(erased)::INT, count(*) FILTER (erased IS NULL) FROM ops.accounting"


def made_older(lake: Lake) -> None:
    """Write the accounting anew, without the column that came last."""
    rows = frames(lake)[ACCOUNTING.full_name].drop("erased", "dt").collect()
    write_deltalake(
        f"{lake.settings.root}/{ACCOUNTING.path}", rows, mode="overwrite", schema_mode="overwrite",
        partition_by=["feed", "part"],
    )  # fmt: skip


def shown(lake: Lake) -> list[tuple[int, ...]]:
    """Return what the catalog's view says, read as any tool would."""
    rebuild(lake)
    with duckdb.connect(f"{lake.settings.root}/{PATH}", read_only=True) as connection:
        return connection.sql("SELECT count(*), sum(valid)::INT, count(erased) FROM ops.accounting").fetchall()


@pytest.mark.slow
def test_a_column_that_older_files_lack_stops_nothing(lake: Lake) -> None:
    land(lake, "a.csv", sales_csv(day("2011-03-01", 5)))
    land(lake, "b.csv", sales_csv(day("2011-03-02", 5)))
    run(lake)
    made_older(lake)

    assert status(lake).is_idle
    assert len(sizes(lake)) > 5
    assert answers.run(lake, ERASED).rows == [(0, 0)]
    assert shown(lake) == [(2, 10, 0)]
    assert list(verify(lake)) == []

    land(lake, "b.csv", sales_csv(day("2011-03-02", 7)))
    run(lake)

    assert not delta_files.are_alike(lake.store, ACCOUNTING.path)
    assert answers.run(lake, ERASED).rows == [(0, 0)]
    assert shown(lake) == [(2, 12, 1)]
    assert list(verify(lake)) == []
    assert frames(lake)[ACCOUNTING.full_name].select(pl.len()).collect().item() == 2
