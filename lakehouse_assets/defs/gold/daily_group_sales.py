"""Net sales per day by few groups of countries and products: what the forecast learns from and is compared with."""

import dataframely as dy

from lakehouse_assets.contracts.declare import Model


class DailyGroupSales(dy.Schema):
    """One row per business date, country group and product group with any published line."""

    dt = dy.Date(primary_key=True, description="Business date, London.")
    country_group = dy.String(primary_key=True, description="`United Kingdom`, or `other countries`.")
    product_group = dy.String(
        primary_key=True,
        description=(
            "Category of the product as of the sale. Where it is unknown: `merchandise` for a code of five digits and "
            "up to two letters, `services and adjustments` for any other, such as postage."
        ),
    )
    net = dy.Decimal(38, 4, nullable=False, description="Amount of all lines, pounds sterling, as in daily_sales.")


MODEL = Model(
    name="daily_group_sales",
    schema=DailyGroupSales,
    description="Net sales per business date, country group and product group.",
    owner="team:retail-analytics",
    date="dt",
)
