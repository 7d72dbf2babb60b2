"""A source object in which some records are blank, so that all other records keep their line number.

The format stays the same (CSV, JSON, Parquet, each possibly in gzip). The result is read again and compared with the
original before it is used. Not here: which records are taken out.
"""

import gzip
import io
import json
from collections.abc import Callable
from typing import Any

import polars as pl

from lakehouse_assets.contracts.declare import Csv, Excel, FixedWidth, Format, Json
from lakehouse_assets.parsing.archives import Rejection, decompressed
from lakehouse_assets.parsing.csv_text import opened, records_of
from lakehouse_assets.parsing.fixed_width import lines_of
from lakehouse_assets.parsing.json_path import span
from lakehouse_assets.parsing.json_records import array, ends_of, is_over_several_lines, read_line
from lakehouse_assets.parsing.parse import is_json, is_parquet, read
from lakehouse_assets.parsing.text_encoding import utf8

_BLANK = " \t\r\n"


def without(
    data: bytes,
    lines: frozenset[int],
    known: list[str],
    limit: int,
    form: Format | None = None,
    redact: Callable[[str], str] = str,
) -> bytes:
    """Return a source object in which some records are blank.

    Args:
        lines: The ordinals of the records, from 1.
        known: Field names that are expected.
        limit: The most bytes that it may have when decompressed.
        form: How it is written, as declared; it stays in the declared encoding.
        redact: What is made of the JSON text beside the records.

    Raises:
        Rejection: It cannot be read, or would not read the same but for these records.
    """
    plain = decompressed(data, limit)
    if isinstance(form, Excel):
        msg = "records cannot be taken out of a workbook; remove it, or land it again without them."
        raise Rejection(msg)
    if is_parquet(plain):
        new = _parquet(plain, lines)
    else:
        encoding = form.encoding if form else None
        new = _text(utf8(plain, encoding), lines, known, form, redact).encode(encoding or "utf-8")
    if plain is not data:
        new = gzip.compress(new, mtime=0)
    before, after = (_said(read(each, known, limit, form).frame) for each in (data, new))
    _compare(before, after, lines)
    return new


def beside(data: bytes, limit: int, form: Format | None) -> str:
    """Return the JSON text before and behind the records of a document: cursors, addresses, counts; else nothing."""
    plain = decompressed(data, limit)
    if not (isinstance(form, Json) and form.records) or is_parquet(plain):
        return ""
    whole = utf8(plain, form.encoding).decode()
    start, end = span(whole, form.records)
    return whole[:start] + whole[end:]


def _text(
    text: bytes, lines: frozenset[int], known: list[str], form: Format | None, redact: Callable[[str], str]
) -> str:
    match form:
        case FixedWidth():
            return _fixed_width(text, form, lines)
        case Json(records=str() as path):
            whole = text.decode()
            start, end = span(whole, path)
            return redact(whole[:start]) + _json(whole[start:end].encode(), lines) + redact(whole[end:])
        case Csv():
            return _csv(text, known, lines, form)
    return _json(text, lines) if is_json(text) else _csv(text, known, lines, Csv())


def _compare(before: pl.DataFrame, after: pl.DataFrame, lines: frozenset[int]) -> None:
    """Raise `Rejection` unless a new object reads as the old one does, but for records that are blank now."""
    gone = pl.int_range(1, before.height + 1, eager=True).is_in(sorted(lines))
    is_same = before.height == after.height
    if is_same:
        # A name that only blank records had may be gone.
        missing = [name for name in before.columns if name not in after.columns]
        rest, blank = before.filter(~gone), after.filter(gone)
        is_same = (
            rest.drop(missing).equals(after.filter(~gone).select(rest.drop(missing).columns))
            and all(rest[name].null_count() == rest.height for name in missing)
            and all(blank[name].null_count() == blank.height for name in blank.columns)
        )
    if not is_same:
        msg = "records cannot be taken out of it one by one; remove it, or land it again without them."
        raise Rejection(msg)


def _said(frame: pl.DataFrame) -> pl.DataFrame:
    """Return values without those that are blank: which of these is empty depends on the records around it."""
    return frame.select(pl.when(pl.all().str.strip_chars() != "").then(pl.all()))


def _csv(text: bytes, known: list[str], lines: frozenset[int], form: Csv) -> str:
    text, header, dialect = opened(text, known, form)
    blank = dialect.separator * (len(header) - 1) or 2 * dialect.quote or " "
    pieces, number = [], 0
    for record, raw, error in records_of(text, dialect):
        is_record = number > 0 and (error is not None or bool(record))
        number += 1 if number == 0 or is_record else 0
        if is_record and number - 1 in lines:
            pieces.append(blank + raw[len(raw.rstrip("\r\n")) :])
        else:
            pieces.append(raw)
    return "".join(pieces[form.header is not None :])  # without the line that only stands for a header


def _fixed_width(text: bytes, form: FixedWidth, lines: frozenset[int]) -> str:
    skipped, rest = lines_of(text, form)
    number, pieces = 0, []
    for line in rest:
        number += line != ""
        pieces.append(" " * len(line) if number in lines else line)
    return "\n".join([*skipped, *pieces])


def _json(text: bytes, lines: frozenset[int]) -> str:
    stripped = text.strip().decode()
    if stripped.startswith("["):
        return _array(stripped, lines)
    # One piece with all of its line ends, or the lines: as the reader does it.
    is_whole = is_over_several_lines(stripped)
    number, rows = 0, []
    for row in [stripped] if is_whole else stripped.split("\n"):
        kept, at = [], 0
        for end in ends_of(row):
            number, piece = number + 1, row[at:end]
            if number in lines:
                value, _ = next(iter(read_line(piece)))
                blank = _no_values(value, indent=0 if is_whole else None)
                piece = blank + piece[len(piece.rstrip(_BLANK)) :]
            kept.append(piece)
            at = end
        rows.append("".join(kept) + row[at:])
    return "\n".join(rows)


def _array(text: str, lines: frozenset[int]) -> str:
    pieces, at = ["["], 1
    for number, (value, end) in enumerate(array(text), 1):
        piece = text[at:end]
        between = piece[: len(piece) - len(piece.lstrip(_BLANK + ","))]
        pieces.append(between + _no_values(value) if number in lines else piece)
        at = end
    return "".join([*pieces, text[at:]])


def _no_values(value: Any, indent: int | None = None) -> str:  # noqa: ANN401 - JSON
    """Return a record with the same names and no values: an object of none may be one of missing columns."""
    return json.dumps(dict.fromkeys(value) if isinstance(value, dict) else {}, indent=indent)


def _parquet(data: bytes, lines: frozenset[int]) -> bytes:
    import pyarrow as pa  # noqa: PLC0415 - it takes a while
    import pyarrow.parquet as pq  # noqa: PLC0415

    table = pq.read_table(pa.BufferReader(data))
    rows = pa.array([None if row + 1 in lines else row for row in range(table.num_rows)], pa.int64())
    # A dictionary would be written whole, with the values that no row has any more.
    plain = [c.cast(c.type.value_type) if pa.types.is_dictionary(c.type) else c for c in table.columns]
    fields = [pa.field(name, column.type) for name, column in zip(table.schema.names, plain, strict=True)]
    blank = pa.Table.from_arrays([column.take(rows) for column in plain], schema=pa.schema(fields))
    buffer = io.BytesIO()
    pq.write_table(blank, buffer)
    return buffer.getvalue()
