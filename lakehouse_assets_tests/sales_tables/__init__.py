"""The tables that tests have unless they are about the tables of this lake: the feed `sales` and what is made of it.

They show a date's table, its long form, its partial sums and a snapshot. So a new table of the lake costs the tests of
the mechanisms nothing. A test that is about every table asks for the fixture `every_table`.
"""

from lakehouse_assets.defs.gold.daily_metrics import MODEL as DAILY_METRICS
from lakehouse_assets.defs.gold.daily_product_sales import MODEL as DAILY_PRODUCT_SALES
from lakehouse_assets.defs.gold.daily_sales import MODEL as DAILY_SALES
from lakehouse_assets.defs.gold.product_performance import MODEL as PRODUCT_PERFORMANCE
from lakehouse_assets.defs.gold.quarantine_by_rule import MODEL as QUARANTINE_BY_RULE
from lakehouse_assets.defs.silver.sales import FEED

__all__ = [
    "DAILY_METRICS",
    "DAILY_PRODUCT_SALES",
    "DAILY_SALES",
    "FEED",
    "PRODUCT_PERFORMANCE",
    "QUARANTINE_BY_RULE",
]
