"""Delimited text as a frame of strings: fast when every record has its fields, record by record when not."""

import csv
import io
import re
import sys
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import polars as pl

from lakehouse_assets.contracts.declare import Csv
from lakehouse_assets.parsing import header_names
from lakehouse_assets.parsing.archives import Rejection
from lakehouse_assets.parsing.records import Raw

_SEPARATORS = (",", ";", "\t", "|")
_NEVER = "\x01"
_BARE_RETURN = re.compile(r"\r(?!\n)")
_STAND_IN = "\ue00d"  # of Unicode's private use area
_AS_FOUND = Csv()
_LONGEST_HEADER = 2**16
_NO_RECORD: tuple[list[str], str, str] = ([], "", "there is none")


class Dialect(NamedTuple):
    """The characters between fields and around them; no `quote` is an empty one."""

    separator: str
    quote: str

    @property
    def is_plain(self) -> bool:
        """Whether Polars can read it, which knows one-byte characters only."""
        return self.separator.isascii() and self.quote.isascii()


def read_csv(text: bytes, known: list[str], form: Csv = _AS_FOUND) -> Raw:
    """Read delimited text; blank lines are no records.

    Args:
        text: UTF-8 without byte order mark; lines end in LF, CR LF or CR.
        known: Header names that the contract knows: the separator is the one that finds most of them.
        form: What is declared of it.
    """
    text, header, dialect = opened(text, known, form)
    if len(set(header)) == len(header) and len(header) > 1 and dialect.is_plain:
        frame = read_even(text, header, dialect)
        if frame is not None:
            return Raw(frame, is_plain=text.isascii() and b"\0" not in text)
    return _slow(text, header, dialect, known)


def opened(text: bytes, known: list[str], form: Csv = _AS_FOUND) -> tuple[bytes, list[str], Dialect]:
    """Return text whose lines end in line feeds and whose first one is a header; the header's names; the dialect.

    Where the names are declared, a line that stands for the header is put before the text.
    """
    text = line_feeds(text)
    line = text[: text.find(b"\n")] if b"\n" in text else text
    first = _BARE_RETURN.sub(_STAND_IN, line.rstrip(b"\r").decode())

    def fields(separator: str) -> list[str]:
        dialect = Dialect(separator, form.quote)
        found = _header_of_lines(text, dialect) or next(_rows([first], dialect), [])
        return [name.replace(_STAND_IN, "\r").strip() for name in found]

    if form.header is not None:
        width = len(form.header)
        separator = form.delimiter or min(_SEPARATORS, key=lambda each: abs(len(fields(each)) - width))
        stand_in = separator.join("x" * width).encode()
        return stand_in + b"\n" + text, [name.strip() for name in form.header], Dialect(separator, form.quote)
    if form.delimiter:
        return text, fields(form.delimiter), Dialect(form.delimiter, form.quote)
    names = set(known)
    # Without a known name, the separator that finds most fields: schema discovery knows none.
    best = max(_SEPARATORS, key=lambda separator: (len(names & set(fields(separator))), len(fields(separator))))
    return text, fields(best), Dialect(best, form.quote)


def _header_of_lines(text: bytes, dialect: Dialect) -> list[str] | None:
    """Return the fields of a header some name of which goes on in the next line, in quotes; None for any other."""
    quote = dialect.quote.encode()
    if not quote or not text[: text.find(b"\n") + 1].count(quote) % 2:
        return None
    whole = len(text) <= _LONGEST_HEADER
    beginning = text if whole else text[: text.rfind(b"\n", 0, _LONGEST_HEADER) + 1]
    records = (found for found in records_of(beginning, dialect) if found[0] or found[2])
    (header, _, problem), (record, _, _) = next(records, _NO_RECORD), next(records, _NO_RECORD)
    # A quote that is open by mistake would make records a part of a name.
    return header if problem is None and len(header) == len(record) > 1 else None


def line_feeds(text: bytes) -> bytes:
    """Return text whose lines end in line feeds, and that begins with its first line that is not blank.

    Lines end in CR where a line feed is at the very end only, as after the last of some programs' conversions.
    """
    first = text.find(b"\n")
    if b"\r" in text[: first if first >= 0 else None].rstrip(b"\r") and (first < 0 or not text[first:].strip(b"\r\n")):
        text = text.rstrip(b"\r\n").replace(b"\r", b"\n") + b"\n"
    return text.lstrip(b"\r\n")


def _rows(lines: Iterable[str], dialect: Dialect, *, strict: bool = False) -> Iterator[list[str]]:
    csv.field_size_limit(sys.maxsize)
    return csv.reader(
        lines,
        delimiter=dialect.separator,
        quotechar=dialect.quote or None,
        quoting=csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE,
        strict=strict,
    )


def read_even(text: bytes, header: list[str], dialect: Dialect) -> pl.DataFrame | None:
    """Return the frame if every record provably has as many fields as the header, else None.

    Args:
        text: Begins with a line that is no record.
        header: Different names, at least two.
        dialect: A plain one.
    """
    separator = dialect.separator
    try:
        frame = pl.read_csv(
            text,
            has_header=False,
            skip_rows=1,
            new_columns=header,
            infer_schema=False,
            separator=separator,
            quote_char=dialect.quote or None,
        )
    except pl.exceptions.PolarsError:
        return None
    if frame.width != len(header):
        return None
    inside, is_quoted = 0, bool(dialect.quote) and dialect.quote.encode() in text
    if is_quoted:
        frame = frame.with_columns(pl.when(pl.all() != "").then(pl.all()))  # a quoted empty field is empty, too
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
    if _NEVER.encode() in text:
        return False  # cannot be checked this way: read record by record
    lines = pl.read_csv(
        text, has_header=False, separator=_NEVER, quote_char=None, new_columns=["line"], infer_schema=False
    )["line"]
    return bool((lines.str.count_matches(separator, literal=True) == separators).all())


def _slow(text: bytes, header: list[str], dialect: Dialect, known: list[str]) -> Raw:
    if reason := header_names.repeated(header, known):
        raise Rejection(reason)
    width, columns = len(header), [list[str | None]() for _ in header]
    problems: list[str | None] = []
    extras: list[str | None] = []
    for number, (record, raw, error) in enumerate(records_of(text, dialect)):
        if error is not None and "unexpected end of data" in error:
            msg = f"a quote that opens after record {max(number - 1, 0):,} is never closed; land it again, whole."
            raise Rejection(msg)
        if number == 0 or (error is None and not record):
            continue
        for at, column in enumerate(columns):
            column.append((record[at] or None) if at < len(record) else None)
        if error is not None:
            problems.append(f"a quote stands where none may ({error})")
            extras.append(raw.rstrip("\r\n"))
        else:
            problems.append(None if len(record) == width else f"{len(record)} fields, {width} expected")
            extras.append(dialect.separator.join(record[width:]) if len(record) > width else None)
    return Raw(
        pl.DataFrame(dict(zip(header, columns, strict=True)), schema=dict.fromkeys(header, pl.String())),
        pl.Series("problem", problems, pl.String),
        pl.Series("extra", extras, pl.String),
    )


def records_of(text: bytes, dialect: Dialect) -> Iterator[tuple[list[str], str, str | None]]:
    """Yield the fields of each record, its raw text, and why it cannot be read, if it cannot.

    The first one is the header; one without fields and without a reason is a blank line.
    """
    # Lines end at line feeds here, so a bare carriage return is part of a value: Python's reader must not see it.
    plain = _BARE_RETURN.sub(_STAND_IN, text.decode())
    consumed: list[str] = []

    def lines() -> Iterator[str]:
        for line in io.StringIO(plain, newline="\n"):
            consumed.append(line)
            yield line

    reader = _rows(lines(), dialect, strict=True)
    while True:
        consumed.clear()
        fields: list[str] = []
        problem = None
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            problem = str(error)
        raw = "".join(consumed)
        if _STAND_IN in raw:
            fields, raw = [value.replace(_STAND_IN, "\r") for value in fields], raw.replace(_STAND_IN, "\r")
        yield fields, raw, problem
