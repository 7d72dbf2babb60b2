"""The lake with a person everywhere, made once."""

import pytest

from lakehouse_assets.lake.lake import Lake
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.forget.traces import traces
from lakehouse_assets_tests.forget.village import PERSON, build


@pytest.fixture(scope="session")
def village(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The lake with the person everywhere, run by the command line. Read only: see `copy_of`."""
    lake = lake_at(str(tmp_path_factory.mktemp("village") / "lake"))
    build(lake)
    assert len(traces(lake, PERSON)) > 100
    return lake
