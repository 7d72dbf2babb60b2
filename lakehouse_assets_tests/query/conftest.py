"""A lake to ask, for the tests of queries."""

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets_tests import retail
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.retail import day, land, line, sales_csv


def _fill(lake: Lake) -> Lake:
    returns = [line(InvoiceNo="C999999", Quantity=str(-at), Country="France") for at in range(1, 21)]
    land(lake, "x.csv", sales_csv([*day(), *returns]))
    land(lake, "y.csv", sales_csv([line(Quantity="x"), line(InvoiceDate="?")]))
    retail.run(lake)
    return lake


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake, to be read only, with three sales, twenty returns, one bad record and one without a date."""
    return _fill(lake_at(str(tmp_path_factory.mktemp("filled"))))
