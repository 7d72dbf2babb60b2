"""Dagster's migration scripts, read once by a process instead of for each database that it opens.

Whether a database is of today, Dagster looks up among some forty scripts: a quarter of a second of each command.
"""

from functools import cache

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.sql import get_alembic_config

_from_config = ScriptDirectory.from_config


@cache
def _scripts(location: str) -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", location)
    return _from_config(config)


def _known(config: Config) -> ScriptDirectory:
    return _scripts(config.get_main_option("script_location") or "")


def read_once(patch: pytest.MonkeyPatch) -> None:
    """Have them read once, in this process."""
    patch.setattr(ScriptDirectory, "from_config", _known)


def read() -> None:
    """Read them now, for the processes that are forked from this one."""
    _known(get_alembic_config(sqlite_run_storage.__file__)).get_heads()
