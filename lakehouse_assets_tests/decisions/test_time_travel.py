"""`query --at` answers as the lake stood at a moment: every layer, and nothing before its first commit."""

import datetime as dt
import time

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets_tests.conftest import Lakehouse
from lakehouse_assets_tests.decisions.person import NEXT, ask, bad_day, bad_line, landed, restore, settle, version
from lakehouse_assets_tests.retail import DAY, day, ingest, land, line, sales_csv

LAYERS = {
    "bronze": "SELECT count(*), max(_source_key) FROM bronze.sales",
    "silver": "SELECT count(*), sum(quantity) FROM silver.sales",
    "quarantine": 'SELECT count(*), min("Quantity") FROM quarantine.sales',
    "gold by date": "SELECT sum(lines), sum(sales) FROM gold.daily_sales",
    "gold by year, month and day": "SELECT count(DISTINCT date_key), sum(metric_value) FROM gold.daily_metrics"
    " WHERE metric_name = 'net'",
    "gold snapshot": "SELECT sum(units), count(*) FROM gold.product_performance",
    "accounting": "SELECT sum(landed), sum(quarantined) FROM ops.accounting",
    "ledger": "SELECT count(*), max(source_key) FROM ops.ledger",
    "ledger states": "SELECT list(state ORDER BY version), max(version) FROM ops.ledger",
}


def moment() -> dt.datetime:
    """Return a moment that lies between what was done before and what is done after."""
    time.sleep(0.01)
    now = dt.datetime.now(dt.UTC)
    time.sleep(0.01)
    return now


def answers(lake: Lake, at: dt.datetime | None = None) -> dict[str, list[tuple[object, ...]]]:
    return {layer: ask(lake, sql, at) for layer, sql in LAYERS.items()}


@pytest.mark.slow
def test_every_layer_answers_as_it_stood(lake: Lake) -> None:
    moments, expected = [moment()], [answers(lake)]
    for files in (
        [("one.csv", bad_day(bad_line()))],
        [("two.csv", sales_csv(2, NEXT)), ("one.csv", bad_day(bad_line(), bad_line(Quantity="seven")))],
        [("one.csv", bad_day())],
    ):
        landed(lake, files)
        settle(lake, gold=True)
        moments.append(moment())
        expected.append(answers(lake))
    assert [answers(lake, at) for at in moments] == expected
    assert len({str(answer) for answer in expected}) == 4


@pytest.mark.slow
def test_a_moment_between_bronze_and_silver_shows_each_as_it_was(lake: Lake) -> None:
    landed(lake, [("one.csv", sales_csv(2))])
    land(lake, "one.csv", sales_csv(3))
    ingest(lake)
    at = moment()
    settle(lake, gold=True)
    assert ask(lake, LAYERS["bronze"], at) == [(3, "one.csv")]
    assert ask(lake, LAYERS["silver"], at) == [(2, 3)]
    assert ask(lake, LAYERS["gold by date"], at) == [(None, None)]


@pytest.mark.slow
def test_the_past_is_the_same_after_a_restore(lake: Lake) -> None:
    landed(lake, [("one.csv", sales_csv(2))])
    good = version(lake, "silver.sales")
    landed(lake, [("one.csv", sales_csv(3))])
    at = moment()
    restore(lake, "silver.sales", good)
    settle(lake)
    assert (ask(lake, LAYERS["silver"]), ask(lake, LAYERS["silver"], at)) == ([(2, 3)], [(3, 6)])


@pytest.mark.slow
def test_the_past_of_a_held_object_and_of_a_held_date_is_as_it_was(lake: Lake) -> None:
    landed(lake, [("one.csv", sales_csv([*day(count=8), bad_line()]))])
    at = moment()
    landed(lake, [("one.csv", sales_csv([*day(count=60), line(Country="France")]))])
    assert ask(lake, LAYERS["silver"]) == [(61, 1836)]
    assert ask(lake, LAYERS["silver"], at) == [(0, None)]
    assert ask(lake, "SELECT held, published FROM ops.accounting", at) == [(8, 0)]


@pytest.mark.slow
def test_a_query_of_the_past_by_command(lake: Lake, lakehouse: Lakehouse) -> None:
    before = moment()
    landed(lake, [("one.csv", sales_csv(2))])
    between = moment()
    landed(lake, [("one.csv", sales_csv(3))])
    sql = "SELECT count(*) AS n FROM silver.sales"

    def count(*options: str) -> tuple[int, str]:
        said = lakehouse("query", sql, "--format", "csv", *options)
        return said.code, said.out

    assert count("--at", between.isoformat()) == (0, "n\n2\n")
    assert count("--at", between.replace(tzinfo=None).isoformat(sep=" ")) == (0, "n\n2\n")
    assert count("--at", between.astimezone(dt.timezone(dt.timedelta(hours=5))).isoformat()) == (0, "n\n2\n")
    assert count("--at", before.isoformat()) == (0, "n\n0\n")
    assert count("--at", "2001-01-01") == (0, "n\n0\n")
    assert count("--at", "2999-01-01") == (0, "n\n3\n")
    assert count() == (0, "n\n3\n")


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize("text", ["yesterday", "2011-13-01", "", "12:00", DAY + "T25:00"])
def test_what_is_no_moment_is_refused_in_one_line(lake: Lake, lakehouse: Lakehouse, text: str) -> None:
    landed(lake, [("one.csv", sales_csv(2))])
    said = lakehouse("query", "FROM silver.sales", "--at", text)
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith(f"lakehouse: '{text}' is not a point in time; write it as ")
    assert said.err.count("\n") == 1
