"""Measuring a process from outside: wall time, peak memory with its children, and the report that it leaves."""

import gc
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil

from benchmarks import STARTED

_POLL_SECONDS = 0.02
_PROJECT = Path(__file__).resolve().parent.parent


class RunFailedError(Exception):
    """A measured process failed; the message holds what it said."""


@dataclass(frozen=True)
class Run:
    """One measured process, or several in a row: `+` adds their times and keeps the larger memory.

    Attributes:
        seconds: From start to exit.
        cpu_seconds: On all cores together, which other processes on the machine disturb less.
        peak_bytes: Most resident memory of the process and its children together.
        imports: Seconds until everything was imported; part of `seconds`.
        steps: Seconds by step, as the process reports them.
        costs: By step its wall and CPU seconds, peak and growth of memory in bytes, and the partitions that it made.
        event_seconds: Seconds inside Dagster's event handling.
        events: Number of those events.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    imports: float = 0.0
    steps: dict[str, float] = field(default_factory=dict)
    event_seconds: float = 0.0
    events: int = 0
    costs: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __add__(self, other: "Run") -> "Run":
        return Run(
            self.seconds + other.seconds,
            self.cpu_seconds + other.cpu_seconds,
            max(self.peak_bytes, other.peak_bytes),
            self.imports + other.imports,
            {**self.steps, **other.steps},
            self.event_seconds + other.event_seconds,
            self.events + other.events,
            {**self.costs, **other.costs},
        )

    @property
    def work(self) -> float:
        """Seconds without the imports."""
        return self.seconds - self.imports


def measured(
    module: str,
    before: list[Path | str],
    after: list[Path | str],
    environment: dict[str, str],
    python: Path | str = sys.executable,
) -> Run:
    """Run `python -m module *before REPORT *after` and measure it.

    Args:
        python: The Python that has the libraries of the module.

    Raises:
        RunFailedError: The process ended with another code than 0.
    """
    gc.collect()
    os.sync()  # what earlier processes wrote is not charged to this one
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        report, said = Path(folder, "report.json"), Path(folder, "said.txt")
        command = [str(python), "-m", module, *map(str, before), str(report), *map(str, after)]
        with said.open("wb") as output:
            cpu, began = _cpu(), time.monotonic()
            process = psutil.Popen(
                command,
                cwd=_PROJECT,
                env=_clean() | environment | {STARTED: str(began)},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            peak = 0
            try:
                while process.poll() is None:
                    peak = max(peak, resident(process))
                    time.sleep(_POLL_SECONDS)
            finally:
                if process.returncode is None:
                    process.kill()
                    process.wait()
            seconds = time.monotonic() - began
        if process.returncode:
            msg = f"{' '.join(command)[:400]}: exit code {process.returncode}\n{said.read_text(errors='replace')}"
            raise RunFailedError(msg)
        found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    known = {name: found[name] for name in ("imports", "steps", "event_seconds", "events", "costs") if name in found}
    return Run(seconds, _cpu() - cpu, peak, **known)


def product(lake: Path, *arguments: Path | str) -> Run:
    """Run one `lakehouse` command on a lake."""
    return measured("benchmarks.product", [], list(arguments), {"LAKEHOUSE_ROOT": str(lake)})


def land_and_run(lake: Path, landing: Path) -> Run:
    """Land the files of a folder for sales and run the lake, each in a process of its own."""
    landed = product(lake, "land", "sales", landing)
    return replace(landed, steps={"land": landed.work}) + product(lake, "run")


def floor(lake: Path, landing: Path) -> Run:
    """Run the hand-written script from a folder of files into a lake."""
    return measured("benchmarks.floor", [landing, lake], [], {})


def _cpu() -> float:
    """Return the CPU seconds of all processes that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _clean() -> dict[str, str]:
    """Return the environment without the settings of the person who measures."""
    own = ("LAKEHOUSE_", "DAGSTER_", "AWS_")
    return {name: value for name, value in os.environ.items() if not name.startswith(own)}


def resident(process: psutil.Process) -> int:
    """Return the bytes of memory that a process and its children hold.

    A child that is just being started has the memory of its parent, and its command line, until it runs a program of
    its own: it holds nothing besides. Its proportional share (PSS) is as large, because both have one address space.
    """
    total = 0
    with suppress(psutil.NoSuchProcess):
        command, total = process.cmdline(), process.memory_info().rss
        for child in process.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if child.cmdline() != command:
                    total += child.memory_info().rss
    return total
