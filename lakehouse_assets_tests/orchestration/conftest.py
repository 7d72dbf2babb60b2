"""A daemon to tick, on a lake with a persistent Dagster instance of its own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import dagster as dg
import pytest

from lakehouse_assets.lake.lake import Lake
from lakehouse_assets.orchestration.instance import prepare_home
from lakehouse_assets.settings import settings
from lakehouse_assets_tests.orchestration.daemon import Daemon


@pytest.fixture
def daemon_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Daemon]]:
    """Return a function that gives a lake's daemon, with some settings from the environment."""
    with ExitStack() as open_instances:

        def make(lake: Lake, **environment: object) -> Daemon:
            for name, value in environment.items():
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
