"""Rows that may be more than memory holds: frames with the same columns, in memory or put aside in files.

The files lie in a folder of this machine for temporary files, and go when nobody refers to their rows any more. Not
here: what the rows are.
"""

import itertools
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path

import polars as pl


class Folder:
    """A folder for rows that are put aside."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="lakehouse-"))
        self._numbers = itertools.count()
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)

    def new_file(self) -> Path:
        """Return the address of a file that is not there yet."""
        return self.path / f"{next(self._numbers):06}.parquet"


class Rows:
    """Frames, one after the other. Those that are put aside are read when their turn comes, one at a time.

    Args:
        frames: The first ones.
        folder: Where frames are put aside; None to keep them in memory.
    """

    def __init__(self, *frames: pl.DataFrame, folder: Folder | None = None) -> None:
        self._folder = folder
        self._frames: list[pl.DataFrame | Path] = []
        self.height = 0
        for frame in frames:
            self.add(frame)

    def __iter__(self) -> Iterator[pl.DataFrame]:
        for frame in self._frames:
            yield frame if isinstance(frame, pl.DataFrame) else pl.read_parquet(frame)

    def add(self, frame: pl.DataFrame) -> None:
        """Add some rows after the others."""
        self.height += frame.height
        if not frame.height and self._frames:
            return
        if self._folder is None or not frame.height:
            self._frames.append(frame)
            return
        path = self._folder.new_file()
        frame.write_parquet(path, compression="lz4", statistics=False)
        self._frames.append(path)

    def frame(self) -> pl.DataFrame:
        """Return all rows in memory."""
        return pl.concat(self)
