"""A snapshot feed and a gold table of it, for measuring a table that is one large partition."""

from pathlib import Path

import dataframely as dy

from lakehouse_assets.contracts.declare import Contract, Feed, Model
from lakehouse_assets.defs.automation.refresh import landing_sensor, tables_sensor
from lakehouse_assets.orchestration.pending_runs import refresh_job

__all__ = ["FEED", "MODEL", "landing_sensor", "refresh_job", "tables_sensor"]


class Stock(Contract):
    """What a store has of a product."""

    product_id = dy.Int64(nullable=False, description="Number of the product.")
    store = dy.String(nullable=False, description="Store.")
    name = dy.String(nullable=False, description="Name of the product.")
    price = dy.Decimal(9, 2, nullable=False, min=0, description="Price.")
    counted = dy.Date(nullable=False, description="Day of the last count.")


class StockByStore(dy.Schema):
    """One row per store."""

    store = dy.String(primary_key=True, description="Store.")
    products = dy.Int64(nullable=False, min=1, description="Products in it.")
    worth = dy.Decimal(38, 2, nullable=False, description="Sum of their prices.")


FEED = Feed(
    name="stock",
    contract=Stock,
    description="Stock of all stores.",
    owner="team:benchmarks",
    snapshot="latest",
)
MODEL = Model(
    name="stock_by_store",
    schema=StockByStore,
    sql=Path(__file__).with_name("stock_by_store.sql"),
    description="Products of each store.",
    owner="team:benchmarks",
)
