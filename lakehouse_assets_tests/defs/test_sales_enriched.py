"""`gold.sales_enriched` has what was known of customer and product at the time of each sale, and nobody's number."""

import json
from decimal import Decimal

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.lineage import personal_of_model
from lakehouse_assets.contracts.registry import registry
from lakehouse_assets.query.sql import run as query
from lakehouse_assets_tests.retail import DAY, build, ingest, land, line, publish, sales_csv

pytestmark = pytest.mark.usefixtures("every_table")
ROWS = """
SELECT quantity, customer_segment, customer_country, product_category, product_cost
FROM gold.sales_enriched ORDER BY quantity
"""


def customer(segment: str, at: str) -> dict[str, str]:
    return {"customer_id": "17850", "updated_at": at, "email": "a@b.c", "segment": segment, "country": "EIRE"}


def product(cost: str, at: str) -> dict[str, str]:
    return {"stock_code": "85123A", "updated_at": at, "category": "lights", "unit_cost": cost}


@pytest.mark.slow(covered=True)
def test_each_sale_has_what_held_then(lake: Lake) -> None:
    land(
        lake,
        "x.csv",
        sales_csv(
            [line(Quantity="1"), line(Quantity="2", CustomerID=None), line(Quantity="3", InvoiceDate=f"{DAY} 12:00:00")]
        ),
    )
    people = [customer("retail", "2011-01-01T00:00:00Z"), customer("wholesale", f"{DAY}T12:00:00Z")]
    goods = [product("1.00", f"{DAY}T08:30:00Z"), product("2.50", f"{DAY}T11:00:00Z")]
    land(lake, "c.json", json.dumps({"data": people}).encode(), "customers")
    land(lake, "p.json", json.dumps({"data": goods}).encode(), "products")
    for feed in ("sales", "customers", "products"):
        ingest(lake, feed=feed)
        publish(lake, feed=feed)
    model = registry().models["sales_enriched"]
    build(lake, [model])
    assert query(lake, ROWS).rows == [
        (1, "retail", "EIRE", None, None),
        (2, None, None, None, None),
        (3, "wholesale", "EIRE", "lights", Decimal("2.5000")),
    ]
    assert len(registry().as_of(model)) == 2
    assert personal_of_model(model, registry()) == set()
