"""Sales per day and customer: what the tables of customers add up, so that one more day costs one day."""

import dataframely as dy

from lakehouse_assets.contracts.declare import Model


class DailyCustomerSales(dy.Schema):
    """One row per business date and known customer with a sale or a return."""

    dt = dy.Date(primary_key=True, description="Business date, London.")
    customer_id = dy.String(primary_key=True, description="Customer number.")
    country = dy.String(nullable=False, description="Country on the latest line of the day.")
    sales = dy.Decimal(38, 4, nullable=False, min=0, description="Amount of the sale lines, pounds sterling.")
    returns = dy.Decimal(38, 4, nullable=False, max=0, description="Amount of the return lines, not positive.")
    units = dy.Decimal(38, 0, nullable=False, min=0, description="Units on the sale lines.")
    invoice_nos = dy.List(dy.String(), nullable=False, description="Distinct invoices with a sale line, sorted.")


MODEL = Model(
    name="daily_customer_sales",
    schema=DailyCustomerSales,
    description="Sales and returns per business date and known customer.",
    owner="team:retail-analytics",
    date="dt",
)
