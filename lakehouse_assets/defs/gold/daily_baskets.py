"""What was bought together: the products of each invoice, so that the pairs do not read every line again."""

import dataframely as dy

from lakehouse_assets.contracts.declare import Model


class DailyBaskets(dy.Schema):
    """One row per business date and invoice with a sale line."""

    dt = dy.Date(primary_key=True, description="Business date, London.")
    invoice_no = dy.String(primary_key=True, description="Invoice number.")
    country = dy.String(nullable=False, description="Country of the customer.")
    stock_codes = dy.List(dy.String(), nullable=False, description="Distinct products on its sale lines, sorted.")


MODEL = Model(
    name="daily_baskets",
    schema=DailyBaskets,
    description="Products of each invoice, per business date.",
    owner="team:retail-analytics",
    date="dt",
)
