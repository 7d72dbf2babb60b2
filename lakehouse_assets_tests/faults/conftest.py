"""How much is tried, and the terminal line that says how much it was."""

import os
import sys
from collections.abc import Callable

import pytest

EVERYTHING = os.environ.get("FAULTS") == "all"
Tell = Callable[[str], None]


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Tell:
    """Write a line to the terminal, whether the test passes or not."""

    def write(text: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n  {text} ")
            sys.stdout.flush()

    return write
