"""A lake whose tables are in Glue: its files in a folder, its root said to be in S3."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Table
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.settings import Settings
from lakehouse_assets_tests.catalog.glue_in_memory import Glue, glue_in_memory
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.retail import DAY, land, run, sales_csv

ROOT = "s3://bucket/lake"


@pytest.fixture
def glue(monkeypatch: pytest.MonkeyPatch) -> Iterator[Glue]:
    """An empty Glue."""
    with glue_in_memory(monkeypatch) as found:
        yield found


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a lake with one published date, to be copied."""
    lake = lake_at(str(tmp_path_factory.mktemp("published") / "lake"))
    land(lake, "a.csv", sales_csv(3, DAY))
    run(lake)
    return Path(lake.settings.root)


@pytest.fixture
def shown(lake: Lake, published: Path) -> Lake:
    """A lake with one published date."""
    shutil.copytree(published, lake.settings.root)
    return replace(lake, settings=Settings(root=ROOT, glue_prefix="lake"))


def declaring(lake: Lake, *tables: Table) -> Lake:
    """Return a lake that declares some tables, and no others."""

    class Declared(Registry):
        def tables(self) -> Iterator[Table]:
            yield from tables

    return replace(lake, registry=Declared([], []))
