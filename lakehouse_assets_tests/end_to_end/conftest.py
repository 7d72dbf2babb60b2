"""The lake of the 305 real days, built once; tests that change it take a copy."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets_tests.conftest import Cli, lake_at


@pytest.fixture(scope="session")
def real_lake(real_days: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """All real days, landed and run by the command line. Read only: see `copy_of`."""
    root = tmp_path_factory.mktemp("real_lake") / "lake"
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("LAKEHOUSE_", "AWS_", "DAGSTER_"))}
    for arguments in (["land", "sales", str(real_days[0].parent)], ["run"]):
        subprocess.run(
            [str(Path(sys.executable).with_name("lakehouse")), *arguments],
            env=kept | {"LAKEHOUSE_ROOT": str(root)}, check=True, timeout=300, stdout=subprocess.DEVNULL,
        )  # fmt: skip
    return lake_at(str(root))


@pytest.fixture
def copy_of(tmp_path: Path, cli_process: Cli) -> Callable[[Lake], Lake]:
    """Copy a local lake, its Dagster instance included, for a test to change."""

    def copy(lake: Lake) -> Lake:
        shutil.copytree(lake.settings.root, tmp_path / "copy")
        copied = lake_at(str(tmp_path / "copy"))
        # The landed files of a copy are other files to the lake: it looks at all of them once more.
        assert cli_process(copied, "run").returncode == 0
        return copied

    return copy
