"""Folders of this machine for temporary files, none of which outlives its process for good: they hold records.

Each has a file that its process keeps locked. A folder whose lock is free is of a process that was killed, and the next
one that needs such a folder removes it. Not here: what is put aside in them.
"""

import fcntl
import os
import shutil
import tempfile
import weakref
from pathlib import Path

_PREFIX, _LOCK = "lakehouse-", "lock"


class TemporaryFolder:
    """A new folder, which goes when nobody refers to this any more.

    Attributes:
        path: Where it is.
    """

    def __init__(self) -> None:
        remove_abandoned()
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        weakref.finalize(self, _remove_own, self.path, _locked(self.path))


def remove_abandoned() -> None:
    """Remove the folders of processes that were killed, of any lake. Those of other users stay."""
    for lock in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{_LOCK}"):
        try:
            with lock.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(lock.parent)
        except OSError:
            continue  # its process lives, or another one removes it now


def _locked(folder: Path) -> int:
    """Lock a folder as long as this process lives; return the open file."""
    # It has its name only when it is locked: nobody can find it free before that.
    unnamed = folder / f"{_LOCK}.new"
    descriptor = os.open(unnamed, os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    unnamed.rename(folder / _LOCK)
    return descriptor


def _remove_own(folder: Path, lock: int) -> None:
    _remove(folder)
    os.close(lock)


def _remove(folder: Path) -> None:
    """Remove a folder, its lock last: what a kill leaves of it is found again."""
    for item in list(folder.iterdir()) if folder.exists() else []:
        if item.is_dir() and not item.is_symlink():
            shutil.rmtree(item, ignore_errors=True)
        elif item.name != _LOCK:
            item.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
