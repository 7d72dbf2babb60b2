"""The web_events feed: what visitors do in the web shop, as JSON objects that come late, repeated and in any order."""

import dataframely as dy

from lakehouse_assets.contracts.declare import Contract, Feed, drop_point_zero, source, upper


class WebEvents(Contract):
    """One act of a visitor."""

    event_id = dy.String(nullable=False, description="Id of the event; an event that is sent again keeps it.")
    event_time = dy.Datetime(time_zone="UTC", nullable=False, description="When it happened, UTC.")
    session_id = dy.String(nullable=False, description="The visit that it belongs to.")
    customer_id = dy.String(
        nullable=True,
        description="Customer number; null for visitors who are not signed in.",
        metadata=source(normalise=(drop_point_zero,), personal=True),
    )
    stock_code = dy.String(
        nullable=True,
        description="Article code, upper-case; null for pages without a product.",
        metadata=source(normalise=(upper,)),
    )
    type = dy.String(nullable=False, regex=r"^(view|cart|purchase)$", description="`view`, `cart` or `purchase`.")


FEED = Feed(
    name="web_events",
    contract=WebEvents,
    description="Views, carts and purchases of the web shop.",
    owner="team:retail-data",
    business_date="event_time",
    time_zone="Europe/London",
    source_zone="UTC",
    duplicates=("event_id",),
    posted=True,
    inventory=True,
)
