"""Rows that may be more than memory holds: frames with the same columns, in memory or put aside in files.

The files go when nobody refers to their rows any more. Not here: what the rows are.
"""

import io
import itertools
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Literal

import polars as pl

from lakehouse_assets.storage.temporary import TemporaryFolder

# What Polars calls lz4 is LZ4_RAW, which engines with a Parquet reader of Hadoop's kind, such as Athena, may not know.
STORED_AS: Literal["snappy"] = "snappy"


class Folder:
    """A folder for rows that are put aside."""

    def __init__(self) -> None:
        self._numbers = itertools.count()

    @cached_property
    def _temporary(self) -> TemporaryFolder:
        return TemporaryFolder()

    def new_file(self) -> Path:
        """Return the address of a file that is not there yet."""
        return self._temporary.path / f"{next(self._numbers):06}.parquet"


class Rows:
    """Frames, one after the other. Those that are put aside are read when their turn comes, one at a time.

    Args:
        frames: The first ones.
        folder: Where frames are put aside; None to keep them in memory.
    """

    def __init__(self, *frames: pl.DataFrame, folder: Folder | None = None) -> None:
        self.folder = folder
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
        if self.folder is None or not frame.height:
            self._frames.append(frame)
            return
        path = self.folder.new_file()
        frame.write_parquet(path, compression="lz4", statistics=False)
        self._frames.append(path)

    def as_parquet(self, columns: list[str]) -> bytes | Path:
        """Return some columns of all rows as a Parquet file: its bytes, or where it lies if rows are put aside."""
        if self.folder is None:
            buffer = io.BytesIO()
            frame = self.frame()
            frame = frame if frame.columns == columns else frame.select(columns)
            frame.write_parquet(buffer, compression=STORED_AS)
            return buffer.getvalue()
        path = self.folder.new_file()
        files = [frame for frame in self._frames if isinstance(frame, Path)]
        pl.scan_parquet(files, glob=False).select(columns).sink_parquet(path, compression=STORED_AS)
        return path

    def frame(self) -> pl.DataFrame:
        """Return all rows in memory."""
        frames = list(self)
        return frames[0] if len(frames) == 1 else pl.concat(frames)
