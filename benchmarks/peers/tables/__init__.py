"""The tables that the product makes beside its peers: those that they make, too."""

from lakehouse_assets.defs.gold.daily_sales import MODEL as DAILY_SALES
from lakehouse_assets.defs.silver.sales import FEED

__all__ = ["DAILY_SALES", "FEED"]
