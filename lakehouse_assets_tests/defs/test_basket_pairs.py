"""The pairs of products equal what plain Python counts, in a memory that does not hold the lines of all baskets."""

import datetime as dt
from collections import Counter
from itertools import combinations

import polars as pl
import pytest

from lakehouse_assets.contracts.registry import registry_of
from lakehouse_assets.engines.duckdb_session import session

BASKETS, PRODUCTS = 12_000, 60
MODEL = registry_of("lakehouse_assets.defs").models["basket_pairs"]


@pytest.mark.slow(covered=True)
def test_pairs_are_counted_without_holding_all_lines() -> None:
    bought = [
        sorted({f"P{(basket * 7 + line * (1 + basket % 3)) % PRODUCTS:05}" for line in range(20)})
        for basket in range(BASKETS)
    ]
    baskets = pl.DataFrame({"invoice_no": map(str, range(BASKETS)), "stock_codes": bought}).with_columns(
        pl.lit(dt.date(2011, 3, 1)).alias("dt")
    )
    expected = Counter(pair for basket in bought for pair in combinations(basket, 2))
    with session({"gold.daily_baskets": baskets}, unsafe=True) as connection:
        connection.sql("SET memory_limit = '32MB'; SET threads = 1; SET max_temp_directory_size = '0B'")
        found = connection.sql(MODEL.query).project("stock_code, other_stock_code, baskets").fetchall()
    assert {(one, other): count for one, other, count in found} == {
        pair: count for pair, count in expected.items() if count >= BASKETS * 0.01
    }
    assert found
