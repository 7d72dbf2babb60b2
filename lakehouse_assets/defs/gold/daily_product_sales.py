"""Sales per day and product: what the product snapshot adds up, so that one more day costs one day."""

import dataframely as dy

from lakehouse_assets.contracts.declare import Model


class DailyProductSales(dy.Schema):
    """One row per business date and stock code with a sale or a return."""

    dt = dy.Date(primary_key=True, description="Business date, London.")
    stock_code = dy.String(primary_key=True, description="Article or service code.")
    description = dy.String(nullable=True, description="Text on the latest sale line of the day that has one.")
    described_at = dy.Datetime(time_zone="UTC", nullable=True, description="When that line was invoiced, UTC.")
    sales = dy.Decimal(38, 4, nullable=False, min=0, description="Amount of the sale lines, pounds sterling.")
    units = dy.Decimal(38, 0, nullable=False, min=0, description="Units on the sale lines.")
    lines = dy.Int64(nullable=False, min=0, description="Sale lines.")
    invoice_nos = dy.List(dy.String(), nullable=False, description="Distinct invoices with a sale line, sorted.")
    returned_units = dy.Decimal(38, 0, nullable=False, min=0, description="Units on the return lines, positive.")


MODEL = Model(
    name="daily_product_sales",
    schema=DailyProductSales,
    description="Sales and returns per business date and product.",
    owner="team:retail-analytics",
    date="dt",
)
