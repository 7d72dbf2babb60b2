"""Large JSON, a window of records at a time, so that memory is bounded by the text and a window.

Which fields there are is known at the end only, so the records of each window are put aside before. Objects one after
the other are decoded window by window, an array as a whole. All else raises `NotInWindowsError`. Not here: reading a
record.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import polars as pl

from lakehouse_assets.parsing.json_path import span
from lakehouse_assets.parsing.json_records import Found, Record, array, begins_well, objects, read_line
from lakehouse_assets.parsing.json_text import raw_of
from lakehouse_assets.parsing.records import Raw
from lakehouse_assets.parsing.windows import NULS, NotInWindowsError, begin_of, is_utf8
from lakehouse_assets.storage.temporary import TemporaryFolder

_SPACE = re.compile(rb"\s*")
_TAIL = 2**16
_Records = Iterator[Record]


class JsonWindows:
    """The records of JSON text, which can be read several times: each window has all fields of the object.

    Args:
        data: Text as it landed.
        path: Where the records are, as declared; None for an array, or one record after the other.
        size: Bytes of a window.

    Raises:
        NotInWindowsError: It is not UTF-8, or neither an array nor records on lines.
        Rejection: The array cannot be read.
    """

    def __init__(self, data: bytes, path: str | None, size: int) -> None:
        self.names = dict[str, int]()
        self._folder, self._files = TemporaryFolder(), list[Path]()
        for raw in _windows(data, path, size):
            self._put_aside(raw)
        if not self.names:
            raise NotInWindowsError

    def __iter__(self) -> Iterator[Raw]:
        for file in self._files:
            frame = pl.read_parquet(file)
            lacking = [str(at) for at in self.names.values() if str(at) not in frame.columns]
            frame = frame.with_columns(pl.lit(None, pl.String).alias(column) for column in lacking)
            records = frame.select(pl.col(str(at)).alias(name) for name, at in self.names.items())
            yield Raw(records, frame["problem"], frame["extra"])

    def _put_aside(self, raw: Raw) -> None:
        # By number: a field may have any name, also one of the two that stand beside the fields here.
        numbers = [str(self.names.setdefault(name, len(self.names))) for name in raw.frame.columns]
        columns = [values.alias(number) for values, number in zip(raw.frame, numbers, strict=True)]
        beside = [pl.lit(raw.problems).alias("problem"), pl.lit(raw.extras).alias("extra")]
        self._files.append(self._folder.path / f"{len(self._files):06}.parquet")
        frame = pl.select(*beside).with_columns(columns)
        frame.write_parquet(self._files[-1], compression="lz4", statistics=False)


def _windows(data: bytes, path: str | None, size: int) -> Iterator[Raw]:
    tail = data[-_TAIL:]
    stop = len(data) - len(tail) + len(tail.rstrip())
    begin = begin_of(data)
    if (space := _SPACE.match(data, begin)) is not None:
        begin = space.end()
    if not tail.strip() or data.count(b"\0") * NULS > len(data) or not is_utf8(data, size):
        raise NotInWindowsError
    if path is None and data[begin : begin + 1] == b"{":
        return map(raw_of, _lines(data, begin, stop, size))
    if path is None:
        text = str(memoryview(data)[begin:stop], "utf-8")
    else:
        text = str(memoryview(data)[begin_of(data) :], "utf-8")
        start, end = span(text, path)
        text = text[start:end]
    if not text.startswith("["):
        raise NotInWindowsError
    return map(raw_of, _elements(text, size))


def _lines(data: bytes, at: int, stop: int, size: int) -> Iterator[_Records]:
    """Yield the lines of each window as records; the first ones tell whether records end where lines do."""
    is_first, width = True, size
    while at < stop:
        # Only a line feed ends a line: JSON strings may hold every other separator that Python knows.
        until = data.rfind(b"\n", at, at + width) + 1 if at + width < stop else stop
        if until:
            lines = [line for line in data[at:until].decode().split("\n") if line.strip()]
            if is_first and lines and not begins_well(lines[0]):
                raise NotInWindowsError
            yield chain.from_iterable(map(read_line, lines))
            at = until
        else:  # a line that is longer than a window
            text = data[at : at + width].decode(errors="ignore")  # its last character may be cut
            found = objects(text, is_cut=True)
            if (first := next(found, None)) is None:
                width *= 2
                continue
            if is_first and first.problem:
                raise NotInWindowsError
            ends = [first.end]
            yield _records(chain([first], found), ends)
            at += len(text[: ends[-1]].encode())
        is_first, width = False, size


def _records(found: Iterable[Found], ends: list[int]) -> _Records:
    """Yield what was found as records, and keep where the latest one ends."""
    for each in found:
        ends[:] = [each.end]
        yield each.record


def _elements(text: str, size: int) -> Iterator[_Records]:
    """Yield the elements of each window as records, read when they are asked for: as objects they are large."""
    elements, begin = array(text), 0

    def window(element: Any, end: int) -> _Records:  # noqa: ANN401 - JSON
        nonlocal begin
        yield element, None
        while end - begin < size and (following := next(elements, None)) is not None:
            element, end = following
            yield element, None
        begin = end

    while (first := next(elements, None)) is not None:
        yield window(*first)
