"""The records at the beginning of a file, as they would be read of the whole one."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import polars as pl

from lakehouse_assets.contracts.declare import Csv, Excel, Format, Json
from lakehouse_assets.contracts.wording import counted
from lakehouse_assets.parsing import foreign_formats, json_path
from lakehouse_assets.parsing.archives import Rejection, is_workbook
from lakehouse_assets.parsing.encoding_inference import decoded, encoding_of
from lakehouse_assets.parsing.excel_text import read_excel, sheet_names
from lakehouse_assets.parsing.format_inference import is_data, written
from lakehouse_assets.parsing.json_records import array
from lakehouse_assets.parsing.json_text import raw_of
from lakehouse_assets.parsing.parse import is_parquet, read, read_text
from lakehouse_assets.parsing.records import Raw
from lakehouse_assets.parsing.sample import MOST_ROWS, Head
from lakehouse_assets.parsing.text_encoding import utf8

_TRIES = 50
_ROWS_OF_SHEET = 100
_SHEETS_SHOWN = 8
_BEGINNING = 2**16
# Text has few control characters, of one kind or two: separators, an end of file. Bytes at random have all of them.
_CONTROLS = [bytes([code]) for code in (*range(9), *range(14, 28), 127)]
_KINDS, _ONE_IN = 4, 100
_HEADER_FIRST = (
    " The first line of a CSV names its columns: take a title or comments above it out of the file. Where no line "
    "does, declare the names: format=Csv(header=...)."
)


def format_of(head: Head, encoding: str | None, limit: int) -> tuple[Format | None, tuple[str, ...]]:
    """Return the format to declare for files like one, and what a person is to know of it. Raises `Rejection`."""
    if is_workbook(head.data):
        return _sheet(head, limit)
    text = None if is_parquet(head.data) else decoded(head.data, encoding, is_cut=head.is_cut)
    if text is None:
        return None, ()
    found = written(text, encoding, is_cut=head.is_cut)
    return found.form, found.notes


def records_of(head: Head, form: Format | None, limit: int) -> tuple[pl.DataFrame, str | None]:
    """Return records at the beginning of a file, those of good shape, and what is to be said of others.

    Args:
        form: The format that is to be declared.
        limit: The most bytes that the file may have when decompressed, where it is read whole.

    Raises:
        Rejection: It cannot be read as records, or most of them have another shape.
    """
    if is_parquet(head.data):
        from lakehouse_assets.parsing.parquet_text import read_beginning  # noqa: PLC0415 - it loads Arrow

        raw = read_beginning(head.data if head.file is None else head.file, MOST_ROWS)
    else:
        raw = _of_cut_text(head, form) if head.is_cut else read(head.data, [], limit, form)
    frame, problems = raw.frame.head(MOST_ROWS), raw.problems
    if problems is None:
        return frame, None
    sound = problems.head(MOST_ROWS).is_null()
    if 2 * sound.sum() < sound.len():
        problem = problems.drop_nulls()[0]
        fix = _HEADER_FIRST if " fields, " in problem else ""
        msg = f"most of its records have another shape: {problem}.{fix}"
        raise Rejection(msg)
    if sound.all():
        return frame, None
    others = counted(sound.len() - int(sound.sum()), "record")
    return frame.filter(sound), f"{others} of another shape, the first: {problems.drop_nulls()[0]}."


def _of_cut_text(head: Head, form: Format | None) -> Raw:
    text = decoded(head.data, form.encoding if form else None, is_cut=True)
    if text is None:
        text = utf8(head.data).decode()  # says what is wrong with it
    if isinstance(form, Json) and form.records is not None:
        try:
            return _beginning_of_array(text[json_path.start_of(text, form.records) :])
        except (ValueError, IndexError, RecursionError):
            msg = f"it has no records at {form.records!r}."
            raise Rejection(msg) from None
    if text.lstrip().startswith("["):
        return _beginning_of_array(text.lstrip())
    plain = None if isinstance(form, Json) else form
    for _ in range(_TRIES):
        text = text[: max(text.rfind("\n"), -1 if "\n" in text else text.rfind("\r"), 0)]
        try:
            return read_text(text.encode(), [], plain)
        except Rejection as rejection:
            # The text may be cut inside of quotes: what ends before them is whole.
            quote = plain.quote if isinstance(plain, Csv) else '"'
            if "never closed" not in str(rejection) or quote not in text:
                raise
            text = text[: text.rfind(quote)]
    msg = "no whole record is at its beginning."
    raise Rejection(msg)


def _beginning_of_array(text: str) -> Raw:
    """Return the records of an array that may be cut anywhere: those that are whole."""

    def whole() -> Iterator[tuple[Any, None]]:
        with suppress(Rejection):
            yield from ((element, None) for element, _ in array(text))

    return raw_of(whole())


def _sheet(head: Head, limit: int) -> tuple[Format, tuple[str, ...]]:
    """Return the first sheet with a table of records, and which other ones there are.

    A sheet with one column is taken only where no other has more: it is rather a cover or notes.
    """
    names = sheet_names(head.data, limit)
    passed: dict[str, str] = {}
    tables: dict[str, pl.DataFrame] = {}
    for name in names:
        try:
            raw = read_excel(head.data, Excel(name), [], limit, _ROWS_OF_SHEET)
        except Rejection as rejection:
            passed[name] = str(rejection).rstrip(".")
            continue
        if why := _why_no_table(raw):
            passed[name] = why
            continue
        tables[name] = raw.frame
        if raw.frame.width > 1:
            break
    if not tables:
        msg = f"none of its sheets has a table of records: {_with_reasons(passed)}."
        raise Rejection(msg)
    taken = next((name for name, frame in tables.items() if frame.width > 1), next(iter(tables)))
    if tables[taken].width > 1:
        passed |= {name: "one column only" for name in tables if name != taken}
    others = [name for name in names if name != taken]
    notes = (f"The workbook has other sheets: {', '.join(map(repr, others[:_SHEETS_SHOWN]))}.",) * bool(others)
    if passed:
        notes += (f"{taken!r} is the first sheet with a table of records. Passed over: {_with_reasons(passed)}.",)
    frame = tables[taken]
    if not is_data([frame.columns, *([value or "" for value in row] for row in frame.rows())]):
        return Excel(sheet=taken), notes
    notes += ("The first row looks like data, so it is taken as a record: name the columns in `header`.",)
    return Excel(sheet=taken, header=tuple(f"column_{at}" for at in range(1, frame.width + 1))), notes


def _why_no_table(raw: Raw) -> str | None:
    """Return why the rows of a sheet are no table of records; None if they are one."""
    if not raw.frame.width:
        return "it is blank"
    if not raw.frame.height:
        return "no record below its first row"
    if raw.problems is not None and 2 * raw.problems.null_count() < raw.problems.len():
        return f"most of its rows have another shape than the first: {raw.problems.drop_nulls()[0]}"
    return None


def _with_reasons(passed: dict[str, str]) -> str:
    shown = ", ".join(f"{name!r} ({why})" for name, why in list(passed.items())[:_SHEETS_SHOWN])
    more = len(passed) - _SHEETS_SHOWN
    return f"{shown} and {more:,} more" if more > 0 else shown


def why_no_text(head: Head) -> str | None:
    """Return why a file can hold no records of a known format; None where it may."""
    if reason := foreign_formats.refusal(head.data):
        return reason
    if not is_text(head) or (encoding_of([head.data]) or "").startswith("utf-"):
        return None
    beginning = head.data[:_BEGINNING]
    found = [count for each in _CONTROLS if (count := beginning.count(each))]
    if len(found) < _KINDS or sum(found) * _ONE_IN < len(beginning):
        return None
    return (
        "it is not text, and none of Parquet, an Excel workbook (.xlsx), gzip and zip. Looked for CSV, JSON and lines "
        "of fixed width, in any encoding; export it as one of these."
    )


def is_text(head: Head) -> bool:
    """Return whether a file is text of some kind, so that it has an encoding."""
    return not is_workbook(head.data) and not is_parquet(head.data)
