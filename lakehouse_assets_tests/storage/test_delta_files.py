"""What a table's log tells of its data files, compared with the files that are there."""

from pathlib import Path

import polars as pl
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.storage import delta, delta_files
from lakehouse_assets_tests.retail import DAY, land, run, sales, sales_csv

NEXT = "2011-03-02"


def published(lake: Lake) -> str:
    """Publish two dates of sales; return the path of the silver table."""
    land(lake, "day.csv", sales_csv(3))
    land(lake, "next.csv", sales_csv(2, NEXT))
    run(lake)
    return sales(lake).silver.path


@pytest.mark.slow
def test_rows_and_bytes_are_those_of_the_files(lake: Lake) -> None:
    path = published(lake)
    found = delta_files.files(lake.store, path)
    assert sorted(found["num_records"]) == [2, 3]
    sizes = delta_files.file_sizes(lake.store, path)
    assert sum(sizes.values()) == found["size_bytes"].sum()
    assert {Path(uri).stat().st_size for uri in delta_files.file_uris(lake.store, path)} == set(sizes.values())


@pytest.mark.slow
def test_the_rows_of_chosen_files_and_no_others_are_read(lake: Lake) -> None:
    path = published(lake)
    columns = {"quantity": pl.Int64(), "is_new": pl.Boolean()}
    chosen = [name for name in delta_files.file_sizes(lake.store, path) if NEXT in name]
    found = delta_files.scan_files(lake.store, path, chosen, columns).collect()
    assert sorted(found["quantity"]) == [1, 2]
    assert found["is_new"].to_list() == [None, None]
    assert delta_files.scan_files(lake.store, path, [], columns).collect().height == 0


@pytest.mark.slow(covered=True)
def test_a_file_that_is_gone_is_named_where_one_looks(lake: Lake) -> None:
    path = published(lake)
    table = delta.opened(lake.store, path)
    everywhere, there = pl.lit(value=True), pl.col("dt").cast(pl.String) == DAY
    assert delta_files.lost_files(lake.store, path, table, everywhere) == []
    [name] = [name for name in delta_files.file_sizes(lake.store, path) if NEXT in name]
    Path(lake.settings.root, path, name).unlink()
    assert delta_files.lost_files(lake.store, path, table, everywhere) == [name]
    assert delta_files.lost_files(lake.store, path, table, there) == []


@pytest.mark.slow
def test_the_first_commit_is_that_of_the_creation(lake: Lake) -> None:
    path = published(lake)
    version, moment = delta_files.first_commit(lake.store, path)
    assert (version, moment.tzinfo is not None) == (0, True)
    assert delta_files.are_alike(lake.store, path)
