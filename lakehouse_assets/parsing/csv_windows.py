"""Large delimited text, a window of whole records at a time, so that memory is bounded by the window.

A window is read only where the text provably reads the same as a whole. All else raises `NotInWindowsError`: whoever
asked then reads the text whole. Not here: reading delimited text.
"""

from collections.abc import Iterator

import polars as pl

from lakehouse_assets.contracts.declare import Csv
from lakehouse_assets.parsing.csv_text import Dialect, opened, read_even
from lakehouse_assets.parsing.windows import NULS, NotInWindowsError, pieces


def read_in_windows(data: bytes, known: list[str], form: Csv, size: int) -> Iterator[pl.DataFrame]:
    """Yield the records of delimited text as frames of strings, one column per field.

    Args:
        data: Text as it landed.
        known: Header names that the contract knows.
        form: What is declared of it.
        size: Bytes of a window.

    Raises:
        NotInWindowsError: It is not text in its encoding, or some record has not the fields of the header.
    """
    rest = b""
    left = pieces(data, form.encoding, size)
    while not rest and (piece := next(left, None)) is not None:
        rest = piece.lstrip(b"\r\n")
    end = rest.find(b"\n") + 1
    first = rest[:end]
    if not end or b"\r" in first.rstrip(b"\r\n"):
        raise NotInWindowsError
    text, header, dialect = opened(first, known, form)
    title = text[: text.find(b"\n") + 1]
    if _is_inside(title, dialect) or len(set(header)) < len(header) or len(header) == 1 or not dialect.is_plain:
        raise NotInWindowsError
    rest = rest if form.header is not None else rest[end:]
    for window in _windows(rest, left, size, dialect):
        frame = read_even(title + window, header, dialect) if window.count(b"\0") * NULS <= len(window) else None
        if frame is None:
            raise NotInWindowsError
        yield frame


def _windows(rest: bytes, left: Iterator[bytes], size: int, dialect: Dialect) -> Iterator[bytes]:
    """Yield whole records.

    Args:
        rest: The beginning of the text.
        left: What follows.
        size: A record of more bytes is not searched for its end.
    """
    for piece in left:
        until = _end_of_record(rest, dialect)
        if not until and len(rest) > size:
            raise NotInWindowsError
        if until:
            yield rest[:until]
        rest = rest[until:] + piece
    if rest:
        yield rest


def _end_of_record(text: bytes, dialect: Dialect) -> int:
    """Return where the last whole record of some text ends: behind a line feed that is in no quotes; 0 for nowhere."""
    until = text.rfind(b"\n") + 1
    is_inside = bool(until) and _is_inside(text[:until], dialect)
    while is_inside:
        before = text.rfind(b"\n", 0, until - 1) + 1
        is_inside = bool(before) and _is_inside(text[before:until], dialect) != is_inside
        until = before
    return until


def _is_inside(text: bytes, dialect: Dialect) -> bool:
    """Return whether quotes are open at the end of some text."""
    return bool(dialect.quote) and text.count(dialect.quote.encode()) % 2 == 1
