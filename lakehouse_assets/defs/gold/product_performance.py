"""How each product has done over its whole life."""

import dataframely as dy

from lakehouse_assets.contracts.declare import Model


class ProductPerformance(dy.Schema):
    """One row per stock code that was ever sold."""

    stock_code = dy.String(primary_key=True, description="Article or service code.")
    description = dy.String(nullable=True, description="Text on the latest sale line that has one.")
    sales = dy.Decimal(38, 4, nullable=False, min=0, description="Amount of all sale lines, pounds sterling.")
    units = dy.Decimal(38, 0, nullable=False, min=1, description="Units on all sale lines.")
    invoices = dy.Int64(nullable=False, min=1, description="Distinct invoices with a sale line.")
    first_date = dy.Date(nullable=False, description="First business date with a sale line.")
    last_date = dy.Date(nullable=False, description="Last business date with a sale line.")
    return_rate = dy.Float64(nullable=False, min=0, description="Units returned per unit sold.")


MODEL = Model(
    name="product_performance",
    schema=ProductPerformance,
    description="Sales, units, invoices, first and last sale and return rate of every product.",
    owner="team:retail-analytics",
)
