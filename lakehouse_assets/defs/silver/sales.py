"""The sales feed: invoice lines of the tills and the web shop, dropped daily as files."""

import dataframely as dy
import polars as pl

from lakehouse_assets.contracts.declare import Contract, Feed, UsualRows, derived, drop_point_zero, source, upper

_RETURN = pl.col("invoice_no").str.starts_with("C")
_SALE = (
    pl.col("invoice_no").str.contains(r"^[0-9]{6}$")
    & pl.col("stock_code").str.contains(r"^[0-9]{5}[A-Z]{0,2}$")
    & (pl.col("quantity") > 0)
    & (pl.col("unit_price") > 0)
)


class Sales(Contract):
    """One line of an invoice, a cancellation or an adjustment."""

    invoice_no = dy.String(
        nullable=False,
        regex=r"^[CA]?[0-9]{6}$",
        description="Invoice number; C marks a cancellation, A an adjustment of bad debt.",
        metadata=source("InvoiceNo"),
    )
    stock_code = dy.String(
        nullable=False,
        description="Article or service code, upper-case.",
        metadata=source("StockCode", normalise=(upper,)),
    )
    description = dy.String(nullable=True, description="Article text.", metadata=source("Description"))
    quantity = dy.Int64(
        nullable=False, description="Units; negative on returns and write-offs.", metadata=source("Quantity")
    )
    invoiced_at = dy.Datetime(
        time_zone="UTC",
        nullable=False,
        description="When the invoice was made out, UTC.",
        metadata=source("InvoiceDate"),
    )
    unit_price = dy.Decimal(
        18, 4, nullable=False, min=0, description="Price of one unit, pounds sterling.", metadata=source("UnitPrice")
    )
    customer_id = dy.String(
        nullable=True,
        description="Customer number; null for anonymous sales.",
        metadata=source("CustomerID", normalise=(drop_point_zero,), personal=True),
    )
    country = dy.String(nullable=False, description="Country of the customer.", metadata=source("Country"))
    line_type = dy.String(
        nullable=False,
        description="`return` (cancellation), `sale` (merchandise sold at a price) or `adjustment` (the rest).",
        metadata=derived(
            pl.when(_RETURN).then(pl.lit("return")).when(_SALE).then(pl.lit("sale")).otherwise(pl.lit("adjustment"))
        ),
    )
    line_amount = dy.Decimal(
        38,
        4,
        nullable=False,
        description="quantity x unit_price, pounds sterling.",
        metadata=derived(pl.col("quantity") * pl.col("unit_price")),
    )

    @dy.rule()
    def cancellation_not_positive(cls) -> pl.Expr:
        """A cancellation takes back: its quantity is not positive."""
        return ~(pl.col("invoice_no").str.starts_with("C") & (pl.col("quantity") > 0))


FEED = Feed(
    name="sales",
    contract=Sales,
    description="Invoice lines of the online retailer.",
    owner="team:retail-data",
    business_date="invoiced_at",
    time_zone="Europe/London",
    gate=0.95,
    usual_rows=UsualRows(),
)
