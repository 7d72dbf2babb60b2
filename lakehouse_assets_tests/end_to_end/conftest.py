"""Lakes of the 305 real days and of some of them, built once, for tests to copy; AWS that enforces policies."""

from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.orchestration.instance import prepare_home
from lakehouse_assets_tests import aws_emulator as aws
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.end_to_end.comparing import tables
from lakehouse_assets_tests.faults import scenario
from lakehouse_assets_tests.faults.conftest import EVERYTHING
from lakehouse_assets_tests.orchestration.dev_server import lakehouse
from lakehouse_assets_tests.prepared import Once

LATE, BAD = "2011-03-27", "2011-06-14"
SPOILT = {LATE, BAD, "2011-08-12"}
"""The last one has a record that is refused."""
WHOLE = {"2010-12-01", "2010-12-02", "2011-02-10"}
"""All days of the customer whom a test forgets."""


@pytest.fixture(scope="session")
def real_lake(real_days: list[Path], once: Once) -> Lake:
    """All real days, landed and run by the command line. Read only: see `copy_of`."""
    return lake_at(once(_lake_of, [real_days[0].parent]))


@pytest.fixture(scope="session")
def some_days(real_days: list[Path]) -> list[Path]:
    """Forty of the real days: a whole customer's, those that tests spoil, some of each month. `FAULTS=all`: all."""
    others = [path for at, path in enumerate(real_days) if at % 9 == 5 or path.stem in SPOILT | WHOLE]
    return real_days if EVERYTHING else others


@pytest.fixture(scope="session")
def some_lake(some_days: list[Path], once: Once) -> Lake:
    """These, landed and run by the command line. Read only: see `copy_of`."""
    return lake_at(once(_lake_of, some_days))


def _lake_of(folder: Path, landed: list[Path]) -> str:
    root = str(folder / "lake")
    for arguments in (["land", "sales", *map(str, landed)], ["run"]):
        lakehouse(root, *arguments).check_returncode()
    return root


@pytest.fixture(scope="session")
def real_tables(real_lake: Lake, once: Once) -> dict[str, pl.DataFrame]:
    """What the lake of all real days holds."""
    return once(_tables_of, real_lake.settings.root)


@pytest.fixture(scope="session")
def some_tables(some_lake: Lake, once: Once) -> dict[str, pl.DataFrame]:
    """What the lake of some of them holds."""
    return once(_tables_of, some_lake.settings.root)


def _tables_of(_: Path, root: str) -> dict[str, pl.DataFrame]:
    return tables(lake_at(root))


@pytest.fixture
def copy_of(tmp_path: Path) -> Callable[[Lake], Lake]:
    """Copy a local lake, its Dagster instance included, for a test to change; its landed files are links."""

    def copy(lake: Lake) -> Lake:
        copied = scenario.copy_of(lake, tmp_path / "copy")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DAGSTER_HOME", "")
            prepare_home(copied.settings)  # the instance's configuration follows a lake that was moved
        return copied

    return copy


@pytest.fixture(scope="session")
def enforcing_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[aws.AwsEmulator]:
    """AWS on this machine that refuses what no policy allows; its own key may do everything."""
    if not aws.COMMAND.exists():
        pytest.skip("the AWS emulator is not installed: make .venv/aws-emulator")
    with aws.AwsEmulator(tmp_path_factory.mktemp("enforcing"), is_enforcing=True) as emulator:
        yield emulator
