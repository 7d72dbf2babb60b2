"""A lake of bad records, built once; tests that change it take a copy."""

from pathlib import Path

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.decisions.bad_records import bad_lake_at
from lakehouse_assets_tests.prepared import Once


@pytest.fixture(scope="session")
def bad_lake(once: Once) -> Lake:
    """A lake of bad records of every kind. Read only."""
    return lake_at(once(_bad_lake))


def _bad_lake(folder: Path) -> str:
    return bad_lake_at(folder / "lake").settings.root
