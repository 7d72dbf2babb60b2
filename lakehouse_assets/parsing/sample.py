"""The beginnings of some files: bounded in files, bytes and rows, whatever the files' size.

A zip gives its members, a gzip what it holds. Parquet and workbooks can only be read as a whole: large ones are left
out, but for a plain Parquet file. Not here: what the bytes say.
"""

import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

from lakehouse_assets.parsing.archives import files_in, is_workbook
from lakehouse_assets.sources.landing import files_of

MOST_FILES = 24
MOST_ROWS = 50_000
_MOST_BYTES = 32 * 2**20
_MOST_BYTES_EACH = 8 * 2**20
_MOST_BYTES_WHOLE = 64 * 2**20
_WHOLE = (b"PAR1", b"PK\x03\x04")
_GZIP = b"\x1f\x8b"
_T = TypeVar("_T")
_DAMAGED = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError, ValueError)


@dataclass(frozen=True)
class Head:
    """The beginning of one source object.

    Attributes:
        data: Its first bytes, decompressed; all of them unless it `is_cut`.
        file: The file that is the object itself, neither packed nor a member of a zip; None for others.
        problem: Why it cannot be looked at.
    """

    name: str
    data: bytes
    is_cut: bool = False
    file: Path | None = None
    problem: str | None = None


def heads(paths: list[Path]) -> tuple[list[Head], int]:
    """Return the beginnings of some of the files, spread evenly over all of them, and how many files there are.

    Args:
        paths: Files, or folders of files.

    Raises:
        FileNotFoundError: There is no such file or folder, or it holds no file.
    """
    found: list[tuple[str, Path]] = []
    for path in paths:
        if not path.exists():
            msg = f"{path}: no such file. Nothing was discovered."
            raise FileNotFoundError(msg)
        inside = list(files_of(path)) if path.is_file() or any(path.iterdir()) else []
        found += (pair for pair in inside if not pair[0].endswith(".manifest.json"))
    chosen = _spread(found)
    each = min(_MOST_BYTES_EACH, _MOST_BYTES // max(len(chosen), 1))
    return [head for name, file in chosen for head in _heads_of(name, file, each)], len(found)


def _spread(items: list[_T]) -> list[_T]:
    """Return at most `MOST_FILES` of some items, the first and the last one among them."""
    if len(items) <= MOST_FILES:
        return items
    return [items[round(at * (len(items) - 1) / (MOST_FILES - 1))] for at in range(MOST_FILES)]


def _heads_of(name: str, file: Path, most: int) -> Iterator[Head]:
    try:
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                if "xl/workbook.xml" in archive.NameToInfo:
                    yield _whole(name, file)
                    return
                members = _spread(files_in(archive))
                for info in members:
                    yield _member(f"{name}!{info.filename}", archive, info, max(most // len(members), 2**16))
            return
        with file.open("rb") as stream:
            yield _read(name, stream, most, file)
    except _DAMAGED as error:
        yield Head(name, b"", problem=f"it cannot be read ({error})")


def _member(name: str, archive: zipfile.ZipFile, info: zipfile.ZipInfo, most: int) -> Head:
    try:
        with archive.open(info) as stream:
            return _read(name, stream, most)
    except _DAMAGED as error:
        return Head(name, b"", problem=f"it cannot be read ({error})")


def _whole(name: str, file: Path) -> Head:
    if file.stat().st_size > _MOST_BYTES_WHOLE:
        return Head(name, b"", problem=_too_large())
    return Head(name, file.read_bytes())


def _read(name: str, stream: IO[bytes], most: int, file: Path | None = None) -> Head:
    data = stream.read(most + 1)
    if data.startswith(_GZIP):
        rest = gzip.GzipFile(fileobj=_Chained(data, stream))
        return _read(name, io.BufferedReader(rest), most)
    if data.startswith(_WHOLE) and len(data) > most and file is None:
        data += stream.read(_MOST_BYTES_WHOLE)
        if len(data) > _MOST_BYTES_WHOLE:
            return Head(name, b"", problem=_too_large())
        return Head(name, data)
    if data.startswith(b"PK\x03\x04") and not is_workbook(data):
        return Head(name, b"", problem="it is a damaged zip, or one inside of another")
    return Head(name, data[:most], is_cut=len(data) > most, file=file)


class _Chained(io.RawIOBase):
    """Some bytes, and after them the rest of a stream."""

    def __init__(self, first: bytes, rest: IO[bytes]) -> None:
        """Begin with the bytes that were read already."""
        self._first, self._rest = io.BytesIO(first), rest

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._first.read(size) or self._rest.read(size)


def _too_large() -> str:
    return f"a file of its kind can only be looked at whole, and it has more than {_MOST_BYTES_WHOLE:,} bytes"
