"""The lakes with a person in them, made once: everywhere, or in a few places of each kind."""

from pathlib import Path

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.erasure.everywhere import PERSON, build, build_small
from lakehouse_assets_tests.erasure.traces import traces
from lakehouse_assets_tests.prepared import Once


@pytest.fixture(scope="session")
def village(once: Once) -> Lake:
    """The lake with the person everywhere, run by the command line. Read only: see `copy_of`."""
    return lake_at(once(_village))


def _village(folder: Path) -> str:
    lake = lake_at(str(folder / "lake"))
    build(lake)
    assert len(traces(lake, PERSON)) > 100
    return lake.settings.root


@pytest.fixture(scope="session")
def hamlet(once: Once) -> Lake:
    """A small lake with the person. Read only: see `copy_of`."""
    return lake_at(once(_hamlet))


def _hamlet(folder: Path) -> str:
    lake = lake_at(str(folder / "lake"))
    build_small(lake)
    assert len(traces(lake, PERSON)) > 20
    return lake.settings.root
