"""What is deployed has all tables; the wheel is built and installed once for all tests of a process."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lakehouse_assets_tests.deploy.image import Installed
from lakehouse_assets_tests.orchestration.postgres import Postgres


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """An environment with the wheel."""
    return Installed.made(Path(tmp_path_factory.mktemp("image")))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A Postgres of this machine's own, where Debian's package is there."""
    with Postgres.started() as server:
        yield server


@pytest.fixture(autouse=True)
def _all_tables(every_table: None) -> None:
    """What is deployed has every table."""
