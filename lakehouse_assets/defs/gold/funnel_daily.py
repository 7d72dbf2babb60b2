"""From a look to a purchase in the web shop, per day."""

import dataframely as dy
import polars as pl

from lakehouse_assets.contracts.declare import Model


class FunnelDaily(dy.Schema):
    """One row per business date with any event; a visit over midnight counts on both dates."""

    dt = dy.Date(primary_key=True, description="Business date, London.")
    sessions = dy.Int64(nullable=False, min=1, description="Visits with any event.")
    views = dy.Int64(nullable=False, min=0, description="Events of type `view`.")
    carts = dy.Int64(nullable=False, min=0, description="Events of type `cart`.")
    purchases = dy.Int64(nullable=False, min=0, description="Events of type `purchase`.")
    cart_sessions = dy.Int64(nullable=False, min=0, description="Visits that put something into the cart.")
    purchase_sessions = dy.Int64(nullable=False, min=0, description="Visits that bought something.")
    conversion = dy.Float64(nullable=False, min=0, max=1, description="purchase_sessions / sessions.")

    @dy.rule()
    def visits_are_counted_once(cls) -> pl.Expr:
        """No step has more visits than there are."""
        return pl.max_horizontal("cart_sessions", "purchase_sessions") <= pl.col("sessions")


MODEL = Model(
    name="funnel_daily",
    schema=FunnelDaily,
    description="Visits, views, carts, purchases and conversion of the web shop per business date.",
    owner="team:retail-analytics",
    date="dt",
    plot="sessions",
    inventory=True,
)
