"""Sales with what was known of their customer and product when they were made, for margins and segments over time."""

import dataframely as dy

from lakehouse_assets.contracts.declare import Model


class SalesEnriched(dy.Schema):
    """One row per published sales row. The customer's number is personal data, and not here."""

    dt = dy.Date(nullable=False, description="Business date, London.")
    invoice_no = dy.String(nullable=False, description="Invoice number.")
    stock_code = dy.String(nullable=False, description="Article or service code.")
    description = dy.String(nullable=True, description="Article text on the line.")
    quantity = dy.Int64(nullable=False, description="Units; negative on returns and write-offs.")
    invoiced_at = dy.Datetime(time_zone="UTC", nullable=False, description="When the invoice was made out, UTC.")
    unit_price = dy.Decimal(18, 4, nullable=False, description="Price of one unit, pounds sterling.")
    country = dy.String(nullable=False, description="Country of the customer as the invoice has it.")
    line_type = dy.String(nullable=False, description="sale, return or adjustment.")
    line_amount = dy.Decimal(38, 4, nullable=False, description="quantity x unit_price, pounds sterling.")
    customer_segment = dy.String(nullable=True, description="Segment of the customer then; null where unknown.")
    customer_country = dy.String(nullable=True, description="Residence of the customer then; null where unknown.")
    product_category = dy.String(nullable=True, description="Category of the product then; null where unknown.")
    product_cost = dy.Decimal(18, 4, nullable=True, description="Cost of one unit then, pounds sterling.")


MODEL = Model(
    name="sales_enriched",
    schema=SalesEnriched,
    description="Sales rows with segment and country of the customer, and category and cost of the product, then.",
    owner="team:retail-analytics",
    date="dt",
    inventory=True,
)
