"""Lakes with a persistent Dagster instance of their own: one with a daemon to tick, one that was told of a person."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import dagster as dg
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.orchestration.instance import prepare_home
from lakehouse_assets.settings import settings
from lakehouse_assets_tests.orchestration.daemon import Daemon
from lakehouse_assets_tests.orchestration.person_told import ToldLake


@pytest.fixture
def daemon_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Daemon]]:
    """Return a function that gives a lake's daemon, with some settings from the environment."""
    with ExitStack() as open_instances:

        def make(lake: Lake, **environment: object) -> Daemon:
            # Where a test ticks, something is to happen at once, on S3 as in a folder.
            for name, value in ({"idle_interval_s": 0} | environment).items():
                monkeypatch.setenv(f"LAKEHOUSE_{name.upper()}", str(value))
            settings.cache_clear()
            monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster") if lake.settings.is_s3 else "")
            home = prepare_home(lake.settings)
            return Daemon(lake, open_instances.enter_context(dg.DagsterInstance.from_config(str(home))))

        yield make
    settings.cache_clear()


@pytest.fixture
def daemon(lake: Lake, daemon_of: Callable[..., Daemon]) -> Daemon:
    """The daemon of a fresh local lake."""
    return daemon_of(lake)


@pytest.fixture(scope="session")
def told_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake whose Dagster instance has been told of a person in every way. Read only: see `told`."""
    lake = ToldLake(tmp_path_factory.mktemp("told") / "lake")
    for _ in range(2):
        lake.run()
    lake.decide()
    lake.tick()
    return Path(lake.settings.root)


@pytest.fixture
def told(told_once: Path, tmp_path: Path) -> ToldLake:
    """A copy of it."""
    shutil.copytree(told_once, tmp_path / "lake")
    return ToldLake(tmp_path / "lake")
