"""A forked `lakehouse` is the command as it is otherwise: its output, exit code, environment and end by a signal."""

import importlib.util
import os
import signal
from pathlib import Path

import pytest

from lakehouse_assets_tests.forked import IMPORTED_ONCE, Forked


@pytest.mark.parametrize("name", IMPORTED_ONCE)
def test_what_the_server_imports_is_there(name: str) -> None:
    """The server says nothing of a module that it cannot import."""
    assert importlib.util.find_spec(name)


@pytest.mark.slow
def test_it_has_the_environment_it_is_given_and_says_what_the_command_says(tmp_path: Path) -> None:
    env = os.environ | {"LAKEHOUSE_ROOT": str(tmp_path / "lake"), "DAGSTER_HOME": ""}
    good = Forked("status", env=env).finish()
    assert (good.returncode, good.stderr) == (0, "")
    assert good.stdout.strip() == "Nothing is pending, held, rejected or failed."
    bad = Forked("status", env=env | {"LAKEHOUSE_THREADS": "many"}).finish()
    assert (bad.returncode, bad.stdout) == (1, "")
    assert "LAKEHOUSE_THREADS" in bad.stderr


@pytest.mark.slow
def test_it_can_be_killed(tmp_path: Path) -> None:
    process = Forked("run", env=os.environ | {"LAKEHOUSE_ROOT": str(tmp_path / "lake"), "DAGSTER_HOME": ""})
    process.kill()
    assert process.finish().returncode == -signal.SIGKILL
