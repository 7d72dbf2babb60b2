"""Key figures per day in long form, one row per figure, for dashboards that do not know the columns beforehand."""

import dataframely as dy

from lakehouse_assets.contracts.columns import TextMap
from lakehouse_assets.contracts.declare import Model, Serving
from lakehouse_assets.contracts.partitioning import Partitioning


class DailyMetrics(dy.Schema):
    """One row per business date, metric and set of dimensions."""

    date_key = dy.Date(nullable=False, description="Business date, London.")
    metric_name = dy.String(
        nullable=False,
        description="sales, returns, net, units, invoices, customers, average_order_value or sales_by_country.",
    )
    metric_value = dy.Float64(nullable=False, description="Value of the metric; amounts in pounds sterling.")
    dimensions = TextMap(description="What the value is cut by: `currency`, `country`.")


MODEL = Model(
    name="daily_metrics",
    schema=DailyMetrics,
    description="Key figures per business date in long form.",
    owner="team:retail-analytics",
    date="date_key",
    partitioning=Partitioning.BY_YEAR_MONTH_DAY,
    serving=Serving("metrics", key=("metric_name", "dimensions")),
)
