"""A lake whose gold tables are served from DynamoDB, and DynamoDB itself."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.retail import day, land, run, sales_csv
from lakehouse_assets_tests.serving.dynamodb_in_memory import DynamoDb, dynamodb_in_memory

DAYS = ("2011-03-01", "2011-03-02", "2011-03-03")
TABLE = "serving"


@pytest.fixture
def db(monkeypatch: pytest.MonkeyPatch) -> Iterator[DynamoDb]:
    """An empty DynamoDB."""
    with dynamodb_in_memory(monkeypatch) as found:
        yield found


@pytest.fixture(scope="session")
def three_days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a lake with three published dates and two countries, to be copied."""
    lake = lake_at(str(tmp_path_factory.mktemp("served") / "lake"))
    for number, date in enumerate(DAYS, 1):
        records = [*day(date, number, Country="France"), *day(date, 2, UnitPrice="0.1")]
        land(lake, f"{date}.csv", sales_csv(records))
    run(lake)
    return Path(lake.settings.root)


@pytest.fixture
def shop(lake: Lake, three_days: Path) -> Lake:
    """A lake with three published dates, served from the table `TABLE`."""
    shutil.copytree(three_days, lake.settings.root)
    return replace(lake, settings=lake.settings.model_copy(update={"serving_table": TABLE}))
