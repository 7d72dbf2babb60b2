"""The feeds of this lake that fit together, and some of what joins them, for suites whose processes load a package.

See `shop` for objects of them. A suite in one process takes the tables that `shop.registry` chooses.
"""

from lakehouse_assets.defs.gold.daily_sales import MODEL as DAILY_SALES
from lakehouse_assets.defs.gold.funnel_daily import MODEL as FUNNEL_DAILY
from lakehouse_assets.defs.gold.sales_enriched import MODEL as SALES_ENRICHED
from lakehouse_assets.defs.silver.customers import FEED as CUSTOMERS
from lakehouse_assets.defs.silver.products import FEED as PRODUCTS
from lakehouse_assets.defs.silver.sales import FEED as SALES
from lakehouse_assets.defs.silver.web_events import FEED as WEB_EVENTS

__all__ = ["CUSTOMERS", "DAILY_SALES", "FUNNEL_DAILY", "PRODUCTS", "SALES", "SALES_ENRICHED", "WEB_EVENTS"]
