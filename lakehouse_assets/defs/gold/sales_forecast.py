"""Daily net sales to expect in the next 28 days, with intervals. How they are forecast: `lakehouse_assets/forecast`."""

import dataframely as dy

from lakehouse_assets.contracts.declare import Model


class SalesForecast(dy.Schema):
    """One row per date, country group and product group; none for a date on which the shop should be closed."""

    date = dy.Date(primary_key=True, description="Date that is forecast, within 28 days after trained_through.")
    country_group = dy.String(primary_key=True, description="As in daily_group_sales.")
    product_group = dy.String(primary_key=True, description="As in daily_group_sales.")
    net = dy.Decimal(
        18, 2, nullable=False, description="Expected net sales, pounds sterling; the sum over groups is that of a day."
    )
    low_80 = dy.Decimal(
        18,
        2,
        nullable=True,
        description=(
            "Of the interval that holds 80 % of dates; null with too few past errors. "
            "The sum of bounds over groups is a bound that is wider than it says."
        ),
    )
    high_80 = dy.Decimal(18, 2, nullable=True, description="Upper bound of the same interval.")
    low_95 = dy.Decimal(18, 2, nullable=True, description="Of the interval that holds 95 % of dates; null likewise.")
    high_95 = dy.Decimal(18, 2, nullable=True, description="Upper bound of the same interval.")
    model = dy.String(nullable=False, description="`smoothed profile` (the champion), or the baseline that beat it.")
    model_version = dy.String(nullable=False, description="Folder of model and card below `forecast/sales`.")
    trained_through = dy.Date(nullable=False, description="Last business date that the model knew.")


MODEL = Model(
    name="sales_forecast",
    schema=SalesForecast,
    description="Forecast of daily net sales by country group and product group, 28 days ahead, with intervals.",
    owner="team:retail-analytics",
)
