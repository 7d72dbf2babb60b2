"""Delimited text as a frame of strings: fast when every record has its fields, record by record when not."""

import csv
import io
import sys
from collections.abc import Iterator

import polars as pl

from lakehouse_assets.ingest.unpack import Rejection

_SEPARATORS = (",", ";", "\t", "|")


def read_csv(text: bytes, known: list[str]) -> pl.DataFrame:
    """Read delimited text with a header line.

    Args:
        text: UTF-8 without byte order mark; lines end in LF, CR LF or CR.
        known: Header names that the contract knows: the separator is the one that finds most of them.

    Returns:
        One string column per header and one row per record that is not a blank line; with `_problem` and `_extra`
        besides when some record has another number of fields than the header.
    """
    if b"\n" not in text and b"\r" in text:
        text = text.replace(b"\r", b"\n")
    text = text.lstrip(b"\r\n")
    header, separator = _header(text, known)
    if len(set(header)) == len(header):
        frame = _fast(text, header, separator)
        if frame is not None:
            return frame
    return _slow(text, header, separator)


def _header(text: bytes, known: list[str]) -> tuple[list[str], str]:
    line = text[: text.find(b"\n")] if b"\n" in text else text
    first = line.rstrip(b"\r").decode()
    names = set(known)

    def fields(separator: str) -> list[str]:
        return [name.strip() for name in next(_rows([first], separator), [])]

    best = max(_SEPARATORS, key=lambda separator: len(names & set(fields(separator))))
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
    except (pl.exceptions.NoDataError, pl.exceptions.ComputeError, pl.exceptions.ShapeError):
        return None
    if frame.width != len(header):
        return None
    inside = 0
    if b'"' in text:
        counts = frame.select(pl.all().str.count_matches(separator, literal=True).sum()).row(0)
        inside = sum(int(count or 0) for count in counts)
    expected = (frame.height + 1) * (len(header) - 1) + inside
    return frame if text.count(separator.encode()) == expected and len(header) > 1 else None


def _slow(text: bytes, header: list[str], separator: str) -> pl.DataFrame:
    records: list[list[str]] = []
    plain = text.decode()
    try:
        records.extend(_rows(io.StringIO(plain, newline=""), separator, strict=True))
    except csv.Error as error:
        if "unexpected end of data" in str(error):
            msg = f"a quote that opens after record {max(len(records) - 1, 0):,} is never closed; land it again, whole."
            raise Rejection(msg) from None
        records = list(_rows(io.StringIO(plain, newline=""), separator))
    body = [record for record in records[1:] if record]
    if len(set(header)) != len(header):
        twice = next(name for name in header if header.count(name) > 1)
        msg = f"the column {twice!r} stands there twice; give each column a name of its own and land it again."
        raise Rejection(msg)
    width = len(header)
    columns: dict[str, list[str | None]] = {
        name: [(record[at] or None) if at < len(record) else None for record in body] for at, name in enumerate(header)
    }
    problems = [None if len(record) == width else f"{len(record)} fields, {width} expected" for record in body]
    extra = [None if len(record) <= width else separator.join(record[width:]) for record in body]
    schema = dict.fromkeys([*header, "_problem", "_extra"], pl.String())
    return pl.DataFrame({**columns, "_problem": problems, "_extra": extra}, schema=schema)
