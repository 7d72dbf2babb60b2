"""What a Dagster step prints, copied to where it would have gone, without Dagster's four processes for each step.

Dagster captures the output of a step in files, and has a `tail` show each file meanwhile, and a Python to watch it.
These are a fifth of the CPU of a small run. Here each file is shown when the step has ended. Servers of their own
(`DevServer`) have Dagster's way.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import UnsupportedOperation
from pathlib import Path
from typing import IO

import pytest
from dagster._core.execution import compute_logs


@contextmanager
def _shown_at_the_end(path: str, stream: IO[str]) -> Iterator[tuple[None, None]]:
    known = Path(path).stat().st_size
    yield None, None
    with Path(path).open("rb") as file, suppress(UnsupportedOperation):
        file.seek(known)
        os.write(stream.fileno(), file.read())


def show_at_the_end(patch: pytest.MonkeyPatch) -> None:
    """Have the output of steps shown when they have ended, in this process."""
    patch.setattr(compute_logs, "tail_to_stream", _shown_at_the_end)
