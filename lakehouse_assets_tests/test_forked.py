"""A forked `lakehouse` is the command as it is otherwise: its output, exit code, environment and end by a signal."""

import importlib
import os
import signal
import sys
import threading
from functools import partial
from pathlib import Path

import pytest

from lakehouse_assets_tests.forked import PRELOADED, Forked


def _imported_and_threads(names: list[str]) -> None:
    sys.stdout.write(f"{sorted(set(names) - set(sys.modules))} {threading.active_count()}")


@pytest.mark.slow
def test_the_server_has_imported_everything_and_has_no_threads(tmp_path: Path) -> None:
    """It says nothing of a module that it cannot import."""
    env = os.environ | {"LAKEHOUSE_ROOT": str(tmp_path / "lake"), "DAGSTER_HOME": ""}
    names = [PRELOADED, *importlib.import_module(PRELOADED).MODULES]
    done = Forked(env=env, program=partial(_imported_and_threads, names)).finish()
    assert (done.stdout, done.stderr) == ("[] 1", "")


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
