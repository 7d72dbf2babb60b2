"""The lake of the 305 real days, built once, of which tests that change it take a copy; AWS that enforces policies."""

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
from lakehouse_assets_tests.orchestration.dev_server import lakehouse
from lakehouse_assets_tests.prepared import Once


@pytest.fixture(scope="session")
def real_lake(real_days: list[Path], once: Once) -> Lake:
    """All real days, landed and run by the command line. Read only: see `copy_of`."""
    return lake_at(once(_real_lake, real_days[0].parent))


def _real_lake(folder: Path, days: Path) -> str:
    root = str(folder / "lake")
    for arguments in (["land", "sales", str(days)], ["run"]):
        lakehouse(root, *arguments).check_returncode()
    return root


@pytest.fixture(scope="session")
def real_tables(real_lake: Lake, once: Once) -> dict[str, pl.DataFrame]:
    """What the lake of all real days holds."""
    return once(_real_tables, real_lake.settings.root)


def _real_tables(_: Path, root: str) -> dict[str, pl.DataFrame]:
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
