"""Processes of `lakehouse` that start without imports: each is forked from a server that has imported everything.

Each is a real process with an environment of its own, which can be killed. What a start itself does (imports, the
installed script) is for the tests that start a real one.
"""

import contextlib
import multiprocessing
import multiprocessing.forkserver
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import pytest

import lakehouse_assets
from lakehouse_assets.cli import process
from lakehouse_assets.cli.main import main
from lakehouse_assets_tests import migrations, retries, unsynced

PRELOADED = "lakehouse_assets_tests.preloaded"


class Forked:
    """A process of `lakehouse`, or of a program around it, that has begun.

    Args:
        arguments: Those of the command.
        env: The whole environment of the process.
        program: What the process calls.
        before: What it does to itself first. Program and this are functions of a module.
    """

    def __init__(
        self,
        *arguments: str,
        env: Mapping[str, str],
        program: Callable[[], object] | None = None,
        before: Callable[[], object] | None = None,
    ) -> None:
        self.args = ["lakehouse", *arguments]
        folder = Path(tempfile.mkdtemp(prefix="forked-"))
        weakref.finalize(self, shutil.rmtree, folder)
        self._written = [folder / "out", folder / "err"]
        self._process = _server().Process(target=_become, args=(self.args, dict(env), self._written, program, before))
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.is_alive()

    def finish(self, timeout: float = 240) -> subprocess.CompletedProcess[str]:
        """Wait for the end, and end the process when it takes too long. Raises subprocess.TimeoutExpired."""
        self._process.join(timeout)
        if self.is_running:
            self.kill()
            raise subprocess.TimeoutExpired(self.args, timeout)
        written = [file.read_text(encoding="utf-8") if file.exists() else "" for file in self._written]
        return subprocess.CompletedProcess(self.args, self._process.exitcode or 0, *written)

    def kill(self) -> None:
        """Send SIGKILL, and wait for the end."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self._process.join()


def with_source_at(project: Path) -> None:
    """Be a process whose package is a copy of the source: what it has not imported yet, as the declarations, is that.

    To be called before anything else.
    """
    sys.dont_write_bytecode = True
    lakehouse_assets.__path__ = [str(project / lakehouse_assets.__name__)]
    os.chdir(project)


@cache
def _server() -> multiprocessing.context.ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([PRELOADED])
    # Some read the width of the terminal when they are imported.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "200")
        multiprocessing.forkserver.ensure_running()
    return context


def _become(
    arguments: list[str],
    env: dict[str, str],
    files: list[Path],
    program: Callable[[], object] | None,
    before: Callable[[], object] | None,
) -> None:
    """Be that process, from its environment to its exit code."""
    os.environ.clear()
    os.environ.update(env)
    sys.path[:0] = [path for path in env.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.argv = arguments
    for number, file in enumerate(files, 1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), number)
    process.begin()
    patch = pytest.MonkeyPatch()
    migrations.read_once(patch)
    retries.at_once(patch)
    unsynced.begin()
    if before:
        before()
    (program or main)()
