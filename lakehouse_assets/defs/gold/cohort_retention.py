"""How many of the customers of each month's first purchase buy again in the months after it."""

import dataframely as dy
import polars as pl

from lakehouse_assets.contracts.declare import Model


class CohortRetention(dy.Schema):
    """One row per cohort and month since, up to the month of the last business date."""

    cohort = dy.Date(primary_key=True, description="First day of the month of the customers' first sale.")
    months_since = dy.Int64(primary_key=True, min=0, description="Months from the cohort's to the one looked at.")
    customers = dy.Int64(nullable=False, min=1, description="Customers of the cohort.")
    active = dy.Int64(nullable=False, min=0, description="Those of them with a sale line in that month.")
    retention = dy.Float64(nullable=False, min=0, max=1, description="active / customers.")

    @dy.rule()
    def all_are_active_at_first(cls) -> pl.Expr:
        """In its first month the whole cohort has bought."""
        return (pl.col("months_since") > 0) | (pl.col("active") == pl.col("customers"))


MODEL = Model(
    name="cohort_retention",
    schema=CohortRetention,
    description="Customers by the month of their first purchase, and how many of them bought in each month since.",
    owner="team:retail-analytics",
)
