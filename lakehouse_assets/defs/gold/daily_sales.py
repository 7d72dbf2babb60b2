"""Sales per day and country: the table behind most questions about the business."""

import dataframely as dy
import polars as pl

from lakehouse_assets.contracts.declare import Model


class DailySales(dy.Schema):
    """One row per business date and country with any published line."""

    dt = dy.Date(primary_key=True, description="Business date, London.")
    country = dy.String(primary_key=True, description="Country of the customer.")
    sales = dy.Decimal(38, 4, nullable=False, min=0, description="Amount of the sale lines, pounds sterling.")
    returns = dy.Decimal(38, 4, nullable=False, max=0, description="Amount of the return lines, not positive.")
    adjustments = dy.Decimal(38, 4, nullable=False, description="Amount of the adjustment lines.")
    net = dy.Decimal(38, 4, nullable=False, description="sales + returns + adjustments.")
    units = dy.Decimal(38, 0, nullable=False, min=0, description="Units on the sale lines.")
    invoices = dy.Int64(nullable=False, min=0, description="Distinct invoices with a sale line.")
    customers = dy.Int64(nullable=False, min=0, description="Distinct known customers with a sale line.")
    lines = dy.Int64(nullable=False, min=0, description="Sale lines.")

    @dy.rule()
    def net_is_the_sum(cls) -> pl.Expr:
        """Net is sales + returns + adjustments."""
        return pl.col("net") == pl.col("sales") + pl.col("returns") + pl.col("adjustments")


MODEL = Model(
    name="daily_sales",
    schema=DailySales,
    description="Sales, returns, adjustments and net per business date and country.",
    owner="team:retail-analytics",
    date="dt",
    plot="sales",
)
