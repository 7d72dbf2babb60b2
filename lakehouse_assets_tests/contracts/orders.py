"""A feed for tests of what a declaration may say: like a real one, with any part of it changed."""

import types
from typing import Any

import dataframely as dy
import polars as pl

from lakehouse_assets.contracts.declare import Contract, Feed, derived, source, upper


def orders(rule: pl.Expr | None = None, columns: dict[str, Any] | None = None, **options: Any) -> Feed:
    """Return a feed of orders, with another rule, other columns (None leaves one out) or other options."""
    body: dict[str, Any] = {
        "number": dy.String(nullable=False, regex="^[0-9]+$", metadata=source("Number")),
        "code": dy.String(nullable=True, metadata=source("Code", normalise=(upper,))),
        "units": dy.Int64(nullable=False, min=1, metadata=source("Units")),
        "ordered_at": dy.Datetime(time_zone="UTC", nullable=False, metadata=source("At", formats=("%d/%m/%Y",))),
        "price": dy.Decimal(18, 4, nullable=False, metadata=source("Price")),
        "amount": dy.Decimal(38, 4, nullable=False, metadata=derived(pl.col("units") * pl.col("price"))),
        **(columns or {}),
    }
    body = {name: column for name, column in body.items() if column is not None}
    expression = pl.col("units") < 1000 if rule is None else rule
    body["few"] = dy.rule()(lambda _: expression)
    contract = types.new_class("Orders", (Contract,), exec_body=lambda space: space.update(body))
    declared: dict[str, Any] = {
        "name": "orders", "contract": contract, "description": "Orders.", "owner": "team:x",
        "business_date": "ordered_at", "time_zone": "Europe/London", "gate": 0.9,
    }  # fmt: skip
    return Feed(**declared | options)
