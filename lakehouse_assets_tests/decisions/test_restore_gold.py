"""A gold table is restored as silver is, and follows a restored silver."""

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.query.overview import status
from lakehouse_assets_tests.decisions.person import (
    NEXT,
    THIRD,
    findings,
    landed,
    restore,
    sales_of,
    settle,
    shown,
    take_back,
    version,
)
from lakehouse_assets_tests.retail import DAY, land, line, sales_csv


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gold.daily_sales", "gold.daily_metrics", "gold.product_performance"])
def test_a_gold_table_is_restored_pinned_and_given_back(lake: Lake, name: str) -> None:
    landed(lake, [("one.csv", sales_csv(2)), ("two.csv", sales_csv(2, NEXT))])
    settle(lake, gold=True)
    good, before = version(lake, name), shown(lake, name)
    landed(lake, [("one.csv", sales_csv(3))])
    settle(lake, gold=True)
    live = shown(lake)
    assert live[name] != before[name]

    decision = restore(lake, name, good)
    assert set(decision.pins) == ({"whole"} if name == "gold.product_performance" else {DAY})
    settle(lake, gold=True)
    assert shown(lake, name) == before
    [(partition, _)] = decision.pins.items()
    assert status(lake).pinned == [f"{name} {partition}: to version {good}"]
    assert findings(lake) == []

    landed(lake, [("late.csv", sales_csv([line(Quantity="99")])), ("late2.csv", sales_csv(3, THIRD))])
    settle(lake, gold=True)
    pinned = [row for row in shown(lake, name)[name] if "2011, 3, 3" not in row]
    assert pinned == before[name]
    assert findings(lake) == []

    take_back(lake, decision)
    for key in ("late.csv", "late2.csv"):
        land(lake, key, sales_csv(1, "2011-04-01"))
    settle(lake, gold=True)
    found = shown(lake, name)[name]
    assert [row for row in live[name] if row in found] == ([] if partition == "whole" else live[name])
    assert findings(lake) == []


@pytest.mark.slow
def test_gold_follows_a_restored_silver_and_comes_back_with_it(lake: Lake) -> None:
    landed(lake, [("one.csv", sales_csv(2)), ("two.csv", sales_csv(2, NEXT))])
    good = version(lake, "silver.sales")
    landed(lake, [("one.csv", sales_csv(3))])
    settle(lake, gold=True)
    live = shown(lake)
    decision = restore(lake, "silver.sales", good)
    settle(lake, gold=True)
    assert (sales_of(lake), sales_of(lake, NEXT)) == ("7.6500", "7.6500")
    assert findings(lake) == []
    take_back(lake, decision)
    settle(lake, gold=True)
    assert shown(lake) == live
