"""What many tests begin with, made once for all workers of a test session. Not here: servers; each has its own.

Tests read it, or change a copy: another worker may read or copy it at the same time.
"""

import hashlib
import pickle
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from filelock import FileLock

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Once:
    """Has things made once, each in a folder of its own below one that all workers see."""

    shared: Path

    def __call__(self, make: Callable[Concatenate[Path, P], T], *inputs: P.args, **named: P.kwargs) -> T:
        """Return what a function of a module returns for a new folder and some paths: paths, too, or values.

        The first worker that asks has it made, the others wait. What it returned is written last, and says where all
        lies: the folder of a worker that died before is never looked at.
        """
        asked = repr((make.__module__, inputs, named))
        name = f"{make.__name__.strip('_')}-{hashlib.sha256(asked.encode()).hexdigest()[:8]}"
        done = self.shared / f"{name}.pickle"
        with FileLock(self.shared / f"{name}.lock"):
            if not done.exists():
                made = make(Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.shared)), *inputs, **named)
                written = self.shared / f"{name}.part"
                written.write_bytes(pickle.dumps(made))
                written.rename(done)
        return pickle.loads(done.read_bytes())  # type: ignore[no-any-return]  # noqa: S301 - it is our own
