"""`gold.product_performance` counts each invoice of a product once, whatever dates its lines have."""

import datetime as dt
import random
from collections import defaultdict

import polars as pl

from lakehouse_assets.defs.gold.daily_product_sales import MODEL as DAILY_PRODUCT_SALES
from lakehouse_assets.defs.gold.product_performance import MODEL
from lakehouse_assets.pipeline.gold_on_duckdb import rows

Sold = tuple[int, str, str]  # the day, the product, the invoice


def daily_product_sales(sold: set[Sold]) -> pl.LazyFrame:
    invoices = defaultdict[tuple[int, str], list[str]](list)
    for day, product, invoice in sorted(sold):
        invoices[day, product].append(invoice)
    found = [
        {
            "dt": dt.date(2011, 3, day),
            "stock_code": product,
            "sales": 1,
            "units": 1,
            "lines": len(of_date),
            "invoice_nos": of_date,
            "returned_units": 0,
        }
        for (day, product), of_date in invoices.items()
    ]
    # A product that was only returned has no invoice.
    found.append({"dt": dt.date(2011, 3, 5), "stock_code": "C", "units": 0, "lines": 0, "invoice_nos": []})
    columns = DAILY_PRODUCT_SALES.table.types
    return pl.LazyFrame(found, schema=columns)


def test_an_invoice_counts_once_for_a_product() -> None:
    draw = random.Random(1)  # noqa: S311 - which product is on which invoice
    sold = {(draw.randint(1, 4), str(draw.randint(1, 40)), str(draw.randint(1, 6))) for _ in range(200)}

    made = rows(MODEL, {"gold.daily_product_sales": daily_product_sales(sold)})

    invoices = defaultdict[str, set[str]](set)
    for _, product, invoice in sold:
        invoices[product].add(invoice)
    assert dict(made.select("stock_code", "invoices").iter_rows()) == {
        product: len(numbers) for product, numbers in invoices.items()
    }
