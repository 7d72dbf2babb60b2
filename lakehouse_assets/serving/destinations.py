"""Every place that is kept like the lake after each publish: the catalogs, and what holds rows to serve.

Not here: any of them.
"""

from lakehouse_assets.catalog.catalogs import Catalog, catalogs
from lakehouse_assets.context import Lake
from lakehouse_assets.serving.dynamodb import DynamoDbServing
from lakehouse_assets.serving.redshift import RedshiftServing


def destinations(lake: Lake) -> tuple[Catalog, ...]:
    """Return the catalogs that are configured, and what serves rows. Does no I/O."""
    found = list(catalogs(lake))
    if lake.settings.serving_table:
        found.append(DynamoDbServing(lake.settings.serving_table))
    if lake.settings.redshift_workgroup:
        found.append(RedshiftServing(lake.settings.redshift_workgroup))
    return tuple(found)
