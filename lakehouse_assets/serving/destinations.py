"""Every place that is kept like the lake after each publish: the catalogs, and what holds rows to serve.

Not here: any of them.
"""

from lakehouse_assets.catalog.catalogs import Catalog, catalogs
from lakehouse_assets.context import Lake
from lakehouse_assets.serving.dynamodb import DynamoDbServing


def destinations(lake: Lake) -> tuple[Catalog, ...]:
    """Return the catalogs that are configured, and what serves rows. Does no I/O."""
    table = lake.settings.serving_table
    return (*catalogs(lake), DynamoDbServing(table)) if table else catalogs(lake)
