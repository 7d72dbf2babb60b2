"""Lakes with a persistent Dagster instance of their own, on SQLite or on a real Postgres."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import dagster as dg
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.orchestration.instance import prepare_home
from lakehouse_assets.settings import settings
from lakehouse_assets_tests.extraction.conftest import api, declare  # noqa: F401 - fixtures
from lakehouse_assets_tests.orchestration.daemon import Daemon
from lakehouse_assets_tests.orchestration.postgres import Postgres


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
def postgres() -> Iterator[Postgres]:
    """A Postgres of this machine's own, where Debian's package is there."""
    with Postgres.started() as server:
        yield server
