"""Progress of the work in this process, reported to a listener. Not here: showing it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_LISTENER: ContextVar[Callable[[str, int], None] | None] = ContextVar("progress_listener", default=None)


def advance(table: str, steps: int) -> None:
    """Say that some steps of a table's work are done: objects for landing, partitions for the others."""
    if (listener := _LISTENER.get()) is not None:
        listener(table, steps)


@contextmanager
def listening(listener: Callable[[str, int], None]) -> Iterator[None]:
    """Have a listener called while the block runs."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)
