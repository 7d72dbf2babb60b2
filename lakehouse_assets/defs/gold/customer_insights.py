"""What each customer has bought, how lately and how often, and what follows from it: scores, segment and churn risk.

All of it is as of the day after the last business date with published sales, so the clock changes nothing.
"""

import dataframely as dy
import polars as pl

from lakehouse_assets.contracts.declare import Model


class CustomerInsights(dy.Schema):
    """One row per known customer with a sale."""

    customer_id = dy.String(primary_key=True, description="Customer number.")
    country = dy.String(nullable=False, description="Country on the customer's latest line.")
    first_purchase = dy.Date(nullable=False, description="First business date with a sale line.")
    last_purchase = dy.Date(nullable=False, description="Last business date with a sale line.")
    recency_days = dy.Int64(
        nullable=False, min=1, description="Days from last_purchase to the day after the last business date of all."
    )
    frequency = dy.Int64(nullable=False, min=1, description="Distinct invoices with a sale line.")
    monetary = dy.Decimal(38, 4, nullable=False, min=0, description="Amount of all sale lines, pounds sterling.")
    lifetime_value = dy.Decimal(38, 4, nullable=False, description="monetary less what was returned, pounds sterling.")
    average_order_value = dy.Float64(nullable=False, min=0, description="monetary / frequency, pounds sterling.")
    days_between_orders = dy.Float64(
        nullable=True, min=1, description="Mean days from one business date with a sale to the next; null after one."
    )
    recency_score = dy.Int64(nullable=False, min=1, max=5, description="5: the fifth that bought last.")
    frequency_score = dy.Int64(nullable=False, min=1, max=5, description="5: the fifth with the most invoices.")
    monetary_score = dy.Int64(nullable=False, min=1, max=5, description="5: the fifth with the largest amount.")
    segment = dy.String(
        nullable=False,
        regex="^(champion|loyal|new|promising|at risk|lapsed)$",
        description=(
            "The first that holds, by recency_score r and the larger of the two other scores, f: champion (r, f >= 4), "
            "loyal (r, f >= 3), new (r >= 3, one invoice), promising (r >= 3), at risk (f >= 3), lapsed (the rest)."
        ),
    )
    churn_risk = dy.String(
        nullable=False,
        regex="^(low|medium|high)$",
        description=(
            "recency_days / days_between_orders: low up to 1, medium up to 2, high above. After one purchase the "
            "median days_between_orders of all customers is taken; medium where there is none."
        ),
    )

    @dy.rule()
    def first_not_after_last(cls) -> pl.Expr:
        """No customer's last purchase is before the first."""
        return pl.col("first_purchase") <= pl.col("last_purchase")


MODEL = Model(
    name="customer_insights",
    schema=CustomerInsights,
    description="Recency, frequency, monetary value, segment and churn risk of every known customer.",
    owner="team:retail-analytics",
)
