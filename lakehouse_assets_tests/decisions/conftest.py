"""A lake of bad records, built once; tests that change it take a copy."""

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets_tests.decisions.bad_records import bad_lake_at


@pytest.fixture(scope="session")
def bad_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake of bad records of every kind. Read only."""
    return bad_lake_at(tmp_path_factory.mktemp("bad") / "lake")
