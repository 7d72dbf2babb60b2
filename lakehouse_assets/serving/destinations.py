"""Every place that is kept like the lake after each publish: the catalogs, pages, and what holds rows to serve.

Not here: any of them.
"""

from lakehouse_assets.catalog.catalogs import Catalog, catalogs
from lakehouse_assets.context import Lake
from lakehouse_assets.pages.report import Report, can_be_made
from lakehouse_assets.serving.dynamodb import DynamoDbServing
from lakehouse_assets.serving.redshift import RedshiftServing


def destinations(lake: Lake) -> tuple[Catalog, ...]:
    """Return the catalogs, pages and servers of rows that are configured. Reads no data."""
    found: list[Catalog] = list(catalogs(lake))
    if lake.settings.report and can_be_made():
        found.append(Report())
    if lake.settings.serving_table:
        found.append(DynamoDbServing(lake.settings.serving_table))
    if lake.settings.redshift_workgroup:
        found.append(RedshiftServing(lake.settings.redshift_workgroup))
    return tuple(found)
