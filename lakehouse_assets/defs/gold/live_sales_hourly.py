"""What the web shop sells now: purchases by the hour, from the events, because sales come by files once a day.

A table by date, so that a minute's events cost one date; a dashboard asks for its last hours:
`WHERE hour >= now() - INTERVAL 24 HOURS`. Events have neither units nor prices; amounts are in `daily_sales`, a day
later.
"""

import dataframely as dy

from lakehouse_assets.contracts.declare import Model


class LiveSalesHourly(dy.Schema):
    """One row per hour with any event."""

    dt = dy.Date(nullable=False, description="Business date, London.")
    hour = dy.Datetime(time_zone="UTC", primary_key=True, description="Beginning of the hour, UTC.")
    purchases = dy.Int64(nullable=False, min=0, description="Events of type `purchase`: one per article bought.")
    products = dy.Int64(nullable=False, min=0, description="Distinct articles bought.")
    buyers = dy.Int64(nullable=False, min=0, description="Visits that bought something.")
    sessions = dy.Int64(nullable=False, min=1, description="Visits with any event.")


MODEL = Model(
    name="live_sales_hourly",
    schema=LiveSalesHourly,
    description="Purchases, articles and visits of the web shop by the hour, a few minutes old.",
    owner="team:retail-analytics",
    date="dt",
    plot="purchases",
    plot_over="hour",
)
