"""A lake to ask, for the tests of queries."""

from pathlib import Path

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets_tests import retail
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.prepared import Once
from lakehouse_assets_tests.retail import day, land, line, sales_csv


def _filled(folder: Path) -> str:
    lake = lake_at(str(folder / "lake"))
    returns = [line(InvoiceNo="C999999", Quantity=str(-at), Country="France") for at in range(1, 21)]
    land(lake, "x.csv", sales_csv([*day(), *returns]))
    land(lake, "y.csv", sales_csv([line(Quantity="x"), line(InvoiceDate="?")]))
    retail.run(lake)
    return lake.settings.root


@pytest.fixture(scope="session")
def filled(once: Once) -> Lake:
    """A lake, to be read only, with three sales, twenty returns, one bad record and one without a date."""
    return lake_at(once(_filled))
