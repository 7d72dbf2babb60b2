"""The lake with a person everywhere, made once."""

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.erasure.everywhere import PERSON, build
from lakehouse_assets_tests.erasure.traces import traces


@pytest.fixture(scope="session")
def village(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The lake with the person everywhere, run by the command line. Read only: see `copy_of`."""
    lake = lake_at(str(tmp_path_factory.mktemp("village") / "lake"))
    build(lake)
    assert len(traces(lake, PERSON)) > 100
    return lake
