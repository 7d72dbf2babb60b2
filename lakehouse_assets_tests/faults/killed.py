"""`lakehouse`, killed at a counted point of its storage boundary.

A point lies before or after a call that writes to storage. Every point that is passed is a line of the trace; at the
point of the given number, or at the first of the given words or below them, the process sends itself SIGKILL, so
nothing of it can clean up. Point 0 kills nothing.
"""

import functools
import os
import signal
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import deltalake
from deltalake import DeltaTable
from deltalake.table import TableOptimizer

from lakehouse_assets.cli.main import main
from lakehouse_assets.settings import settings
from lakehouse_assets.storage.stores import LocalStore
from lakehouse_assets_tests.forked import Forked


class Boundary:
    """Counts the points that the process passes, and kills it at one of them."""

    def __init__(self, deadly: int | str, trace: Path) -> None:
        self._deadly, self._trace = deadly, trace
        self._count, self._lock = 0, threading.Lock()

    def watch(self, owner: Any, name: str, label: Callable[..., str], *, before: bool = True) -> None:
        """Put a point before (unless told otherwise) and one after every call of a function."""
        original = getattr(owner, name)

        @functools.wraps(original)
        def watched(*args: Any, **kwargs: Any) -> Any:
            what = label(*args, **kwargs)
            if before:
                self._pass(f"before {what}")
            result = original(*args, **kwargs)
            self._pass(f"after {what}")
            return result

        # A bound class method stays one; a plain function on a class becomes a method again.
        setattr(owner, name, staticmethod(watched) if hasattr(original, "__self__") else watched)

    def _pass(self, label: str) -> None:
        with self._lock:
            self._count += 1
            with self._trace.open("a") as trace:
                trace.write(label + "\n")
            named = isinstance(self._deadly, str) and f"{label}/".startswith(f"{self._deadly}/")
            if named or self._count == self._deadly:
                os.kill(os.getpid(), signal.SIGKILL)


def below_root(address: str) -> str:
    """Return a path of the lake from an address of it."""
    return address.removeprefix("file://").removeprefix(settings().root).strip("/")


def watch(boundary: Boundary) -> None:
    """Put points around everything by which the package writes to storage."""
    # Between the hidden temporary file and its final name lies a state of its own.
    boundary.watch(LocalStore, "_temporary", lambda _, path, __: f"stage {path}", before=False)
    boundary.watch(LocalStore, "create", lambda _, path, __: f"create {path}")
    boundary.watch(LocalStore, "replace", lambda _, path, *__: f"replace {path}")
    boundary.watch(LocalStore, "delete", lambda _, path, *__: f"delete {path}")
    boundary.watch(
        deltalake, "write_deltalake", lambda table, _, *, mode, **__: f"{mode} {below_root(table.table_uri)}"
    )
    boundary.watch(DeltaTable, "create", lambda uri, **_: f"new {below_root(str(uri))}")
    boundary.watch(DeltaTable, "create_checkpoint", lambda table: f"checkpoint {below_root(table.table_uri)}")
    boundary.watch(TableOptimizer, "compact", lambda self, **_: f"compact {below_root(self.table.table_uri)}")


def killed(deadly: int | str, trace: Path) -> None:
    """Be `lakehouse`, and die at a point."""
    watch(Boundary(deadly, trace))
    main()


def run_killed(point: int | str, trace: Path, *arguments: str, env: Mapping[str, str]) -> int:
    """Run `lakehouse`, killed at a point of its boundary; return the exit code."""
    done = Forked(*arguments, env=env, program=functools.partial(killed, point, trace)).finish()
    assert done.returncode in {-signal.SIGKILL, 0, 1}, done.stderr
    return done.returncode
