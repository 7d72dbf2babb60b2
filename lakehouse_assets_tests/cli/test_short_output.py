"""What `status` and `plan` print: one line per thing that needs a person, and no empty section."""

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets_tests.conftest import Lakehouse
from lakehouse_assets_tests.retail import DAY, day, ingest, land, line, run, sales_csv


@pytest.mark.slow
def test_status_of_a_lake_at_rest_is_one_line(lake: Lake, lakehouse: Lakehouse) -> None:
    land(lake, "x.csv", sales_csv(3))
    run(lake)
    assert lakehouse("status").out == "Nothing is pending, held, rejected or failed.\n"


def test_status_prints_only_what_there_is(lake: Lake, lakehouse: Lakehouse) -> None:
    land(lake, "x.csv", sales_csv([*day(count=3), *day("2011-03-02"), line(InvoiceDate="?")]))
    ingest(lake)
    assert lakehouse("status").out == (
        f"pending: 1\n  silver.sales: 2 dates, {DAY} .. 2011-03-02 and records without a date\n"
    )


@pytest.mark.slow(covered=True)
def test_plan_says_what_is_to_be_done_in_all_with_an_estimate(lake: Lake, lakehouse: Lakehouse) -> None:
    run(lake)
    land(lake, "x.csv", sales_csv(3))
    size = len(sales_csv(3))
    assert lakehouse("plan").out.splitlines() == [
        "silver.sales",
        "  1 landed object would be read first; which dates they touch is known then",
        f"  {size} bytes would be read from landing",
        "In all: 1 landed object to read. About 1 s: an estimate from bytes and rows.",
    ]
    ingest(lake)
    lines = lakehouse("plan").out.splitlines()
    assert lines[0] == f"silver.sales: {DAY}, 3 rows in bronze"
    assert "gold.product_performance: the whole table" in lines
    assert lines[-1].startswith("In all: 1 feed to publish, 5 gold tables to build. About ")
