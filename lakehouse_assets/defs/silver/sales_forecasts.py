"""The forecast of sales: what `lakehouse forecast` lands, each delivery in place of the one before."""

import itertools

import dataframely as dy
import polars as pl

from lakehouse_assets.contracts.declare import Contract, Feed


class SalesForecasts(Contract):
    """The forecast of a group for a date, as a model gave it."""

    date = dy.Date(nullable=False, description="Date that is forecast; expected closed dates are not there.")
    country_group = dy.String(nullable=False, description="As in `gold.daily_group_sales`.")
    product_group = dy.String(nullable=False, description="As in `gold.daily_group_sales`.")
    net = dy.Decimal(18, 2, nullable=False, description="Expected net sales, pounds sterling.")
    low_80 = dy.Decimal(18, 2, nullable=True, description="Lower bound that 80 % of dates keep to.")
    high_80 = dy.Decimal(18, 2, nullable=True, description="Upper bound that 80 % of dates keep to.")
    low_95 = dy.Decimal(18, 2, nullable=True, description="Lower bound that 95 % of dates keep to.")
    high_95 = dy.Decimal(18, 2, nullable=True, description="Upper bound that 95 % of dates keep to.")
    model = dy.String(nullable=False, description="Model that was published: the champion, or a baseline.")
    model_version = dy.String(nullable=False, description="Folder of the model below `forecast/sales` in the lake.")
    trained_through = dy.Date(nullable=False, description="Last date that the model knew.")

    @dy.rule()
    def bounds_in_order(cls) -> pl.Expr:
        """The wider interval holds the narrower one, and both hold the forecast."""
        names = ("low_95", "low_80", "net", "high_80", "high_95")
        pairs = itertools.pairwise(names)
        return pl.all_horizontal((pl.col(low) <= pl.col(high)).fill_null(value=True) for low, high in pairs)

    @dy.rule()
    def of_the_future(cls) -> pl.Expr:
        """No date is forecast that the model knew."""
        return pl.col("date") > pl.col("trained_through")


FEED = Feed(
    name="sales_forecasts",
    contract=SalesForecasts,
    description="Forecasts of daily net sales, the newest one in place of those before.",
    owner="team:retail-analytics",
    duplicates=("date", "country_group", "product_group"),
    snapshot="latest",
    delivered_at="%Y-%m-%d-%H-%M-%S",
)
