"""Delimited text as a frame of strings: fast when every record has its fields, record by record when not."""

import csv
import io
import re
import sys
from collections.abc import Iterator

import polars as pl

from lakehouse_assets.ingest.raw import Raw
from lakehouse_assets.ingest.unpack import Rejection

_SEPARATORS = (",", ";", "\t", "|")
_NEVER = "\x01"
_BARE_RETURN = re.compile(r"\r(?!\n)")
_STAND_IN = "\ue00d"  # of Unicode's private use area


def read_csv(text: bytes, known: list[str]) -> Raw:
    """Read delimited text with a header line; blank lines are no records.

    Args:
        text: UTF-8 without byte order mark; lines end in LF, CR LF or CR.
        known: Header names that the contract knows: the separator is the one that finds most of them.
    """
    if b"\n" not in text and b"\r" in text:
        text = text.replace(b"\r", b"\n")
    text = text.lstrip(b"\r\n")
    header, separator = _header(text, known)
    if len(set(header)) == len(header) and len(header) > 1:
        frame = _fast(text, header, separator)
        if frame is not None:
            return Raw(frame)
    return _slow(text, header, separator)


def _header(text: bytes, known: list[str]) -> tuple[list[str], str]:
    line = text[: text.find(b"\n")] if b"\n" in text else text
    first = line.rstrip(b"\r").decode()
    names = set(known)

    def fields(separator: str) -> list[str]:
        return [name.strip() for name in next(_rows([first], separator), [])]

    # Without a known name, the separator that finds most fields: schema discovery knows none.
    best = max(_SEPARATORS, key=lambda separator: (len(names & set(fields(separator))), len(fields(separator))))
    return fields(best), best


def _rows(lines: "list[str] | io.StringIO", separator: str, *, strict: bool = False) -> Iterator[list[str]]:
    csv.field_size_limit(sys.maxsize)
    return csv.reader(lines, delimiter=separator, strict=strict)


def _fast(text: bytes, header: list[str], separator: str) -> pl.DataFrame | None:
    """Return the frame if every record provably has as many fields as the header, else None."""
    try:
        frame = pl.read_csv(
            text, has_header=False, skip_rows=1, new_columns=header, infer_schema=False, separator=separator
        )
    except pl.exceptions.PolarsError:
        return None
    if frame.width != len(header):
        return None
    inside, is_quoted = 0, b'"' in text
    if is_quoted:
        counts = frame.select(pl.all().str.count_matches(separator, literal=True).sum()).row(0)
        inside = sum(int(count or 0) for count in counts)
    if text.count(separator.encode()) != (frame.height + 1) * (len(header) - 1) + inside:
        return None
    # The total is right, but a short record may make up for a long one. A short one lacks its last field.
    if not frame[header[-1]].null_count():
        return frame
    return None if is_quoted or not _is_even(text, len(header) - 1, separator) else frame


def _is_even(text: bytes, separators: int, separator: str) -> bool:
    """Return whether every line that is not blank has so many separators."""
    lines = pl.read_csv(
        text, has_header=False, separator=_NEVER, quote_char=None, new_columns=["line"], infer_schema=False
    )["line"]
    return bool((lines.str.count_matches(separator, literal=True) == separators).all())


def _slow(text: bytes, header: list[str], separator: str) -> Raw:
    records: list[list[str]] = []
    # Lines end at line feeds here, so a bare carriage return is part of a value: Python's reader must not see it.
    plain = _BARE_RETURN.sub(_STAND_IN, text.decode())
    try:
        records.extend(_rows(io.StringIO(plain, newline=""), separator, strict=True))
    except csv.Error as error:
        if "unexpected end of data" in str(error):
            msg = f"a quote that opens after record {max(len(records) - 1, 0):,} is never closed; land it again, whole."
            raise Rejection(msg) from None
        records = list(_rows(io.StringIO(plain, newline=""), separator))
    body = [[value.replace(_STAND_IN, "\r") for value in record] for record in records[1:] if record]
    if len(set(header)) != len(header):
        twice = next(name for name in header if header.count(name) > 1)
        msg = f"the column {twice!r} stands there twice; give each column a name of its own and land it again."
        raise Rejection(msg)
    width = len(header)
    columns: dict[str, list[str | None]] = {
        name: [(record[at] or None) if at < len(record) else None for record in body] for at, name in enumerate(header)
    }
    problems = [None if len(record) == width else f"{len(record)} fields, {width} expected" for record in body]
    extras = [None if len(record) <= width else separator.join(record[width:]) for record in body]
    return Raw(
        pl.DataFrame(columns, schema=dict.fromkeys(header, pl.String())),
        pl.Series("problem", problems, pl.String),
        pl.Series("extra", extras, pl.String),
    )
