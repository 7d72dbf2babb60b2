"""The process of the command ends at once, with all that it said and all that was to be done at its end."""

import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from lakehouse_assets.lake_settings import PROJECT

_COMMAND = """
import atexit, gc, sys, threading, time, types
from lakehouse_assets.cli.process import main

class Kept:
    def __del__(self):
        print("Python has looked for garbage")

def command():
    atexit.register(print, "removed")
    threading.Thread(target=lambda: (time.sleep(0.05), print("the thread has ended"))).start()
    kept = Kept()
    kept.itself = kept
    print("said" * 20_000)
    {end}

sys.modules["lakehouse_assets.cli.main"] = types.SimpleNamespace(main=command)
main()
"""


@pytest.mark.parametrize(
    ("end", "code", "at_once"),
    [("sys.exit(3)", 3, True), ("sys.exit()", 0, True), ("sys.exit('why')", 1, False), ("raise OSError", 1, False)],
)
def test_the_exit_code_and_all_that_was_said_arrive(end: str, code: int, at_once: bool) -> None:  # noqa: FBT001
    done = _ended(_COMMAND.replace("{end}", end))
    said, *after = done.stdout.splitlines()
    assert (done.returncode, said, after[:2]) == (code, "said" * 20_000, ["the thread has ended", "removed"])
    assert ("Python has looked for garbage" in after) is not at_once
    assert bool(done.stderr) is not at_once


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_output_that_cannot_be_written_is_no_success() -> None:
    with Path("/dev/full").open("w") as full:
        done = _ended(_COMMAND.replace("{end}", "sys.exit(0)"), stdout=full)
    assert done.returncode != 0
    assert "No space left" in done.stderr


def _ended(program: str, stdout: IO[str] | int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=PROJECT,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )
