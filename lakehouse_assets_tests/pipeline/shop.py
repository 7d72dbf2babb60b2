"""Products and sales that reference them: a feed whose records wait in quarantine, and what its tables hold."""

from typing import Any

import dataframely as dy
import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed, source
from lakehouse_assets.pipeline.pending import FeedState
from lakehouse_assets_tests.pipeline.declared import feed_of, stored
from lakehouse_assets_tests.retail import land

RULE = "product_id_in_products"
DAYS = ("2026-03-01", "2026-03-02", "2026-03-03")


def products(*, personal: bool = False, **options: Any) -> Feed:
    columns = {"product_id": dy.String(nullable=False, metadata=source(personal=personal))}
    return feed_of(columns, **{"name": "products"} | options)


def sales(*, personal: bool = False, **options: Any) -> Feed:
    columns = {
        "product_id": dy.String(nullable=True, metadata=source(personal=personal)),
        "sold_on": dy.Date(nullable=False),
        "units": dy.Int64(nullable=False, min=0),
    }
    declared = {"name": "sales", "business_date": "sold_on", "references": (("product_id", "products.product_id"),)}
    return feed_of(columns, **declared | {"on_missing_reference": "quarantine"} | options)


def sold(*ids: str | None, on: str = DAYS[0], units: int = 1) -> list[dict[str, Any]]:
    return [{"product_id": name, "sold_on": on, "units": units + at} for at, name in enumerate(ids)]


def known(*ids: str) -> list[dict[str, Any]]:
    return [{"product_id": name} for name in ids]


def pending(lake: Lake, feed: str = "sales") -> list[str]:
    return FeedState.of(lake, lake.registry.feed(feed)).pending


def published(lake: Lake) -> list[tuple[Any, ...]]:
    return sorted(stored(lake, "silver", "sold_on", "product_id", "units", feed="sales"), key=str)


def land_json(lake: Lake, key: str, rows: list[dict[str, Any]], feed: str) -> None:
    land(lake, key, pl.DataFrame(rows).write_ndjson().encode(), feed)
