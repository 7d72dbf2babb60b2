"""Large delimited text, a window of whole records at a time, so that memory is bounded by the window.

A window is read only where the text provably reads the same as a whole. All else raises `NotInWindowsError`: whoever
asked then reads the text whole. Not here: reading delimited text.
"""

from collections.abc import Iterator

import polars as pl

from lakehouse_assets.contracts.declare import Csv
from lakehouse_assets.parsing.csv_text import Dialect, opened, read_even

_BOM = b"\xef\xbb\xbf"
_NULS = 4  # more than one byte in four


class NotInWindowsError(Exception):
    """The text has to be read as a whole."""


def read_in_windows(data: bytes, known: list[str], form: Csv, size: int) -> Iterator[pl.DataFrame]:
    """Yield the records of delimited text as frames of strings, one column per field.

    Args:
        data: Text as it landed.
        known: Header names that the contract knows.
        form: What is declared of it.
        size: Bytes of a window.

    Raises:
        NotInWindowsError: It is not all UTF-8, or some record has not the fields of the header.
    """
    begin = len(_BOM) if data.startswith(_BOM) else 0
    while data[begin : begin + 1] in {b"\r", b"\n"}:
        begin += 1
    end = data.find(b"\n", begin, begin + size) + 1
    first = data[begin:end]
    if not end or b"\r" in first.rstrip(b"\r\n") or form.encoding is not None:
        raise NotInWindowsError
    try:
        text, header, dialect = opened(first, known, form)
    except UnicodeDecodeError:
        raise NotInWindowsError from None
    title = text[: text.find(b"\n") + 1]
    if _is_inside(title, dialect) or len(set(header)) < len(header) or len(header) == 1 or not dialect.is_plain:
        raise NotInWindowsError
    at = begin if form.header is not None else end
    while at < len(data):
        until = _end_of_record(data, at, size, dialect)
        window = data[at:until]
        frame = read_even(title + window, header, dialect) if _is_text(window) else None
        if frame is None:
            raise NotInWindowsError
        yield frame
        at = until


def _end_of_record(data: bytes, at: int, size: int, dialect: Dialect) -> int:
    """Return where the last record ends that lies in a window: behind a line feed that is in no quotes."""
    if at + size >= len(data):
        return len(data)
    until = data.rfind(b"\n", at, at + size) + 1
    is_inside = bool(until) and _is_inside(data[at:until], dialect)
    while is_inside:
        before = data.rfind(b"\n", at, until - 1) + 1
        is_inside = bool(before) and _is_inside(data[before:until], dialect) != is_inside
        until = before
    if not until:
        raise NotInWindowsError
    return until


def _is_inside(text: bytes, dialect: Dialect) -> bool:
    """Return whether quotes are open at the end of some text."""
    return bool(dialect.quote) and text.count(dialect.quote.encode()) % 2 == 1


def _is_text(data: bytes) -> bool:
    """Return whether bytes are UTF-8, and few of them are NUL."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return data.count(b"\0") * _NULS <= len(data)
