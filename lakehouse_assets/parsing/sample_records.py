"""The records at the beginning of a file, as they would be read of the whole one."""

import polars as pl

from lakehouse_assets.contracts.declare import Csv, Excel, Format, Json
from lakehouse_assets.parsing import json_path
from lakehouse_assets.parsing.archives import Rejection, is_workbook
from lakehouse_assets.parsing.encoding_inference import decoded
from lakehouse_assets.parsing.excel_text import read_excel, sheet_names
from lakehouse_assets.parsing.format_inference import is_data, written
from lakehouse_assets.parsing.json_text import read_beginning_of_array
from lakehouse_assets.parsing.parse import is_parquet, read, read_text
from lakehouse_assets.parsing.records import Raw
from lakehouse_assets.parsing.sample import MOST_ROWS, Head
from lakehouse_assets.parsing.text_encoding import utf8

_TRIES = 50


def format_of(head: Head, encoding: str | None, limit: int) -> tuple[Format | None, tuple[str, ...]]:
    """Return the format to declare for files like one, and what a person is to know of it. Raises `Rejection`."""
    if is_workbook(head.data):
        return _sheet(head, limit)
    text = None if is_parquet(head.data) else decoded(head.data, encoding, is_cut=head.is_cut)
    if text is None:
        return None, ()
    found = written(text, encoding, is_cut=head.is_cut)
    return found.form, found.notes


def records_of(head: Head, form: Format | None, limit: int) -> pl.DataFrame:
    """Return records at the beginning of a file, those of good shape.

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
        return frame
    sound = problems.head(MOST_ROWS).is_null()
    if 2 * sound.sum() < sound.len():
        msg = f"most of its records have another shape: {problems.drop_nulls()[0]}."
        raise Rejection(msg)
    return frame.filter(sound)


def _of_cut_text(head: Head, form: Format | None) -> Raw:
    text = decoded(head.data, form.encoding if form else None, is_cut=True)
    if text is None:
        text = utf8(head.data).decode()  # says what is wrong with it
    if isinstance(form, Json) and form.records is not None:
        try:
            return read_beginning_of_array(text[json_path.start_of(text, form.records) :])
        except (ValueError, IndexError, RecursionError):
            msg = f"it has no records at {form.records!r}."
            raise Rejection(msg) from None
    if text.lstrip().startswith("["):
        return read_beginning_of_array(text.lstrip())
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


def _sheet(head: Head, limit: int) -> tuple[Format, tuple[str, ...]]:
    """Return the first sheet with records, and which other ones there are."""
    names = sheet_names(head.data, limit)
    for name in names:
        frame = read_excel(head.data, Excel(name, ("x",)), [], limit, 1).frame
        if frame.height:
            break
    else:
        name = names[0]
    form = Excel(sheet=name)
    others = [other for other in names if other != name]
    notes = (f"The workbook has other sheets: {', '.join(map(repr, others[:8]))}.",) * bool(others)
    try:
        frame = read_excel(head.data, form, [], limit, 100).frame
        rows = [frame.columns, *([value or "" for value in row] for row in frame.rows())]
    except Rejection:
        return form, notes
    if frame.height and is_data(rows):
        form = Excel(sheet=name, header=tuple(f"column_{at}" for at in range(1, frame.width + 1)))
        notes += ("The first row looks like data, so it is taken as a record: name the columns in `header`.",)
    return form, notes


def is_text(head: Head) -> bool:
    """Return whether a file is text of some kind, so that it has an encoding."""
    return not is_workbook(head.data) and not is_parquet(head.data)
