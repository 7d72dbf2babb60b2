"""The products feed: what is sold, and every change of it, from the API of the merchandise system."""

import dataframely as dy

from lakehouse_assets.contracts.declare import (
    ApiKey,
    Contract,
    Feed,
    Json,
    Pages,
    RestApi,
    UpdatedSince,
    source,
    upper,
)


class Products(Contract):
    """A product as of a moment."""

    stock_code = dy.String(
        nullable=False,
        description="Article code, upper-case, as sales name it.",
        metadata=source(normalise=(upper,)),
    )
    updated_at = dy.Datetime(time_zone="UTC", nullable=False, description="Since when the product is so, UTC.")
    description = dy.String(nullable=True, description="Article text.")
    category = dy.String(nullable=False, description="Category of merchandise.")
    unit_cost = dy.Decimal(18, 4, nullable=False, min=0, description="What one unit costs us, pounds sterling.")
    is_discontinued = dy.Bool(nullable=True, description="Whether it is no longer bought in; null where not said.")


FEED = Feed(
    name="products",
    contract=Products,
    description="Products and their changes.",
    owner="team:retail-data",
    key=("stock_code",),
    versioned_by="updated_at",
    buckets=4,
    format=Json(records="data"),
    extract=RestApi(
        "/v1/products",
        pages=Pages(records=500),
        auth=ApiKey("lake/retailer-key"),
        since=UpdatedSince(),
        total="total",
        cron="*/10 * * * *",
    ),
    inventory=True,
)
