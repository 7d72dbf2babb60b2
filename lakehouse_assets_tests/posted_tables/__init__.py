"""A lake with one feed, whose records are posted over HTTP."""

import dataframely as dy

from lakehouse_assets.contracts.declare import Contract, Feed, source


class Clicks(Contract):
    """What visitors did."""

    click_id = dy.String(nullable=False, metadata=source("click_id"))
    at = dy.Datetime(nullable=False, time_zone="UTC", metadata=source("at"))
    price = dy.Decimal(10, 2, nullable=True, metadata=source("price"))


FEED = Feed(
    name="clicks",
    contract=Clicks,
    description="What visitors did.",
    owner="team:web",
    business_date="at",
    duplicates=("click_id",),
    posted=True,
)
