"""The memory of a process and its children, as the benchmarks report it."""

import subprocess
import sys
from collections.abc import Callable, Iterator

import psutil
import pytest

from benchmarks.measure import resident

_MB = 2**20
# One write for the line: a print is two where Python does not buffer, and the lines of two processes mix.
_HOLDING = f"held = bytearray(b'x') * (100 * {_MB}); os.write(1, b'ready\\n'); time.sleep(60)"


@pytest.fixture
def started() -> Iterator[Callable[[str], psutil.Process]]:
    """Start a Python program, and return it once two processes have said that they are ready."""
    running = []

    def start(program: str) -> psutil.Process:
        process = psutil.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
        running.append(process)
        assert [process.stdout.readline() for _ in range(2)] == [b"ready\n"] * 2
        return process

    yield start
    for process in running:
        for one in (*process.children(), process):
            one.kill()
        process.communicate()


@pytest.mark.slow(covered=True)
def test_a_child_that_runs_nothing_of_its_own_yet_counts_once(started: Callable[[str], psutil.Process]) -> None:
    program = _HOLDING.replace("os.write", "os.fork(); os.write")
    assert resident(started(f"import os, time; {program}")) < 150 * _MB


def test_a_child_with_a_program_of_its_own_counts(started: Callable[[str], psutil.Process]) -> None:
    child = f"subprocess.Popen([sys.executable, '-c', {'import os, time; ' + _HOLDING!r}])"
    assert resident(started(f"import os, subprocess, sys, time; {child}; {_HOLDING}")) > 200 * _MB
