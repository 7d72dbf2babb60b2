"""The process of the command `lakehouse`: what Python does beside the command is kept short.

What a command imports, for `run` half a million objects, lives until its end. By default Python looks through all of it
for garbage several times while it is imported, and four times at the end, to free what the system takes back at once:
a fifth of the CPU of a small `run`. Not here: the command, which others call in processes of their own.
"""

import atexit
import gc
import os
import sys

LOOKS_FOR_GARBAGE = (10_000, 50)
"""New objects until a look, and looks until one at older objects, too: most of these were imported, and stay."""
_exit_code: list[int] = []


def begin() -> None:
    """Look for garbage less often; once the command has said its exit code, end without looking.

    Call it first: what is registered for the end later, such as the removal of temporary files, is done before.
    """
    gc.set_threshold(*LOOKS_FOR_GARBAGE)
    atexit.register(_end)


def main() -> None:
    """Run the command line in this process."""
    begin()
    from lakehouse_assets.cli.main import main as command  # noqa: PLC0415 - after the beginning

    try:
        command()
    except SystemExit as end:
        if isinstance(end.code, int | None):
            _exit_code.append(end.code or 0)
        raise


def _end() -> None:
    if not _exit_code:  # an error that nobody foresaw: Python tells it, and ends as it does
        return
    try:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    except (OSError, ValueError, AttributeError):  # closed, or a full disk: Python's own end tells it
        return
    os._exit(_exit_code[-1])
