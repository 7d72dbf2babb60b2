"""The customers feed: who buys, and every change of it, from the API of the customer register."""

import dataframely as dy

from lakehouse_assets.contracts.declare import (
    ApiKey,
    Contract,
    Cursor,
    Feed,
    Json,
    RestApi,
    UpdatedSince,
    drop_point_zero,
    source,
)


class Customers(Contract):
    """A customer as of a moment."""

    customer_id = dy.String(
        nullable=False,
        description="Customer number, as sales name it.",
        metadata=source(normalise=(drop_point_zero,), personal=True),
    )
    updated_at = dy.Datetime(time_zone="UTC", nullable=False, description="Since when the customer is so, UTC.")
    name = dy.String(nullable=True, description="Full name.", metadata=source(personal=True))
    email = dy.String(nullable=True, description="E-mail address.", metadata=source(personal=True))
    phone = dy.String(nullable=True, description="Telephone number.", metadata=source(personal=True))
    segment = dy.String(nullable=False, description="Segment of marketing, such as `retail` or `wholesale`.")
    country = dy.String(nullable=False, description="Country of residence.")


FEED = Feed(
    name="customers",
    contract=Customers,
    description="Customers and their changes.",
    owner="team:retail-data",
    key=("customer_id",),
    versioned_by="updated_at",
    buckets=4,
    format=Json(records="data"),
    extract=RestApi(
        "/v1/customers",
        pages=Cursor(at="next"),
        params={"limit": "500"},
        auth=ApiKey("lake/retailer-key"),
        since=UpdatedSince(),
        cron="*/5 * * * *",
    ),
    inventory=True,
)
