"""What the steps of a run print, kept in files for the UI and shown where it would have gone, by a thread.

Dagster's own way has a `tail` show each file and a Python watch each `tail`: four processes for each run of some steps,
which are a tenth of the CPU of a small run. Not here: what is logged, which is an event.

Configured in the `dagster.yaml` that `instance.prepare_home` writes. It imports Dagster's internals: capturing has no
public interface.
"""

import os
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from io import UnsupportedOperation
from pathlib import Path
from threading import Event, Thread
from typing import IO, Any

from dagster._core.execution.compute_logs import redirect_to_file
from dagster._core.storage.compute_log_manager import CapturedLogContext
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager

_LOOKED_AT_EVERY_S = 0.1
_PORTION = 1 << 20


class CapturedOutput(LocalComputeLogManager):
    """The original, without processes of its own."""

    @classmethod
    def from_config_value(
        cls,
        inst_data: Any,  # noqa: ANN401 - as the original
        config_value: Any,  # noqa: ANN401 - as the original
    ) -> "CapturedOutput":
        return cls(inst_data=inst_data, **config_value)  # the original makes its own class

    @contextmanager
    def capture_logs(self, log_key: Sequence[str]) -> Generator[CapturedLogContext, None, None]:
        with ExitStack() as captured:
            for stream, extension in ((sys.stdout, "out"), (sys.stderr, "err")):
                captured.enter_context(_captured(stream, Path(self.get_captured_local_path(log_key, extension))))
            yield CapturedLogContext(log_key)
        Path(self.get_captured_local_path(log_key, "complete")).touch()  # so the UI knows that nothing more comes


@contextmanager
def _captured(stream: IO[str], path: Path) -> Iterator[None]:
    """Have what is printed go to a file, also by libraries and processes that are started, and show it meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    try:
        shown = os.dup(stream.fileno())
    except (AttributeError, UnsupportedOperation):  # no file of the system, as in a notebook: it is shown only
        yield
        return
    ended = Event()
    showing = Thread(target=_show, args=(path, path.stat().st_size, shown, ended), daemon=True)
    showing.start()
    try:
        with redirect_to_file(stream, str(path)):
            yield
    finally:
        ended.set()
        showing.join()
        os.close(shown)


def _show(path: Path, known: int, shown: int, ended: Event) -> None:
    """Copy what is added to a file to where it would have gone, until it has ended.

    Args:
        known: Bytes that were in the file before.
        shown: Number of the open file of the system, often the terminal.
    """
    with path.open("rb", buffering=0) as file, suppress(OSError):  # nobody may be reading there any more
        file.seek(known)
        is_last = False
        while not is_last:
            is_last = ended.wait(_LOOKED_AT_EVERY_S)
            while data := memoryview(file.read(_PORTION)):
                while data:
                    data = data[os.write(shown, data) :]
