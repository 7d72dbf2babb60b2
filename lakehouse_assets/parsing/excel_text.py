"""One sheet of an Excel workbook as a frame of strings, each value as the cell holds it, not as it is shown.

A workbook is a zip of XML files; the reader, `python-calamine`, is an optional part of the installation.
"""

import datetime as dt
import io
import zipfile
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

import polars as pl

from lakehouse_assets.contracts.declare import Excel
from lakehouse_assets.parsing import header_names
from lakehouse_assets.parsing.archives import Rejection, is_workbook
from lakehouse_assets.parsing.records import Raw

if TYPE_CHECKING:
    from python_calamine import CalamineWorkbook

_CHUNK_BYTES = 2**20
_CELLS_AT_ONCE = 2**18
_Cell = object


def read_excel(data: bytes, form: Excel, known: list[str], limit: int, rows: int | None = None) -> Raw:
    """Read a sheet; rows without any value are no records.

    Args:
        known: Header names that the contract knows.
        limit: The most bytes that the workbook may have when decompressed.
        rows: How many records to read; None for all.

    Raises:
        Rejection: It is no workbook, cannot be read, has no such sheet, or the reader is not installed.
    """
    book = _book(data, limit)
    sheets = book.sheet_names
    if form.sheet is not None and form.sheet not in sheets:
        named = ", ".join(map(repr, sheets[:8]))
        msg = (
            f"the workbook has no sheet {form.sheet!r}, but {named}; land it as declared, or correct Excel(sheet=...)."
        )
        raise Rejection(msg)
    filled = (cells for cells in _rows(book, form.sheet or sheets[0]) if any(cell is not None for cell in cells))
    if form.header is None:
        header = [name or "" for name in next(filled, [])]
        while header and not header[-1]:
            header.pop()
    else:
        header = [name.strip() for name in form.header]
    if reason := header_names.repeated(header, known):
        raise Rejection(reason)
    return _raw(header, filled if rows is None else islice(filled, rows))


def sheet_names(data: bytes, limit: int) -> list[str]:
    """Return the names of a workbook's sheets. Raises `Rejection`."""
    names: list[str] = _book(data, limit).sheet_names
    return names


def _book(data: bytes, limit: int) -> "CalamineWorkbook":
    if not is_workbook(data):
        msg = "its feed declares Excel, and it is no .xlsx workbook; save it as one, or correct the declaration."
        raise Rejection(msg)
    _refuse_bomb(data, limit)
    try:
        from python_calamine import CalamineError, CalamineWorkbook  # noqa: PLC0415 - an optional dependency
    except ImportError:
        msg = "the reader of Excel files is not installed; install it: pip install 'lakehouse-assets[excel]'."
        raise Rejection(msg) from None
    try:
        book = CalamineWorkbook.from_object(io.BytesIO(data))
    except CalamineError as error:
        msg = f"the workbook cannot be read ({str(error)[:200]}); land it again, whole and without a password."
        raise Rejection(msg) from None
    if not book.sheet_names:
        msg = "the workbook has no sheet; land one that does."
        raise Rejection(msg)
    return book


def _refuse_bomb(data: bytes, limit: int) -> None:
    """Raise `Rejection` for a workbook with more than it may have: the reader itself sets no bound."""
    size = 0
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for info in archive.infolist():
                with archive.open(info) as stream:
                    while size <= limit and (chunk := stream.read(_CHUNK_BYTES)):
                        size += len(chunk)
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, RuntimeError, NotImplementedError) as error:
        msg = f"the workbook cannot be read ({error}); land it again, whole and without a password."
        raise Rejection(msg) from None
    if size > limit:
        msg = (
            f"it has more than {limit:,} bytes when decompressed, and a workbook is read whole; land it in parts or as "
            "CSV, or raise LAKEHOUSE_MAX_SOURCE_BYTES if the machine has the memory."
        )
        raise Rejection(msg)


def _rows(book: "CalamineWorkbook", sheet: str) -> Iterator[list[str | None]]:
    from python_calamine import CalamineError  # noqa: PLC0415 - it is there: it opened the workbook

    try:
        for cells in book.get_sheet_by_name(sheet).iter_rows():
            yield [_text(cell) for cell in cells]
    except CalamineError as error:
        msg = f"the sheet {sheet!r} cannot be read ({str(error)[:200]}); land the workbook again, whole."
        raise Rejection(msg) from None


def _text(cell: _Cell) -> str | None:
    """Return a cell as text: a date as ISO 8601, a number as its shortest decimal, without the `.0` of a whole one."""
    match cell:
        case None | "":
            return None
        case bool():
            return "true" if cell else "false"
        case float():
            return repr(cell).removesuffix(".0")
        case dt.datetime():
            return cell.isoformat(sep=" ")
        case _:
            return str(cell)


def _raw(header: list[str], records: Iterator[list[str | None]]) -> Raw:
    schema = dict.fromkeys(header, pl.String())
    width, frames = len(header), [pl.DataFrame(schema=schema)]
    problems: list[str | None] = []
    extras: list[str | None] = []
    while some := list(islice(records, max(_CELLS_AT_ONCE // max(width, 1), 1))):
        for cells in some:
            too_much = [cell for cell in cells[width:] if cell is not None]
            problems.append("it has values beyond the last column" if too_much else None)
            extras.append("; ".join(too_much) if too_much else None)
        padded = [(cells + [None] * width)[:width] for cells in some]
        frames.append(pl.DataFrame(padded, schema=schema, orient="row"))
    return Raw(pl.concat(frames), pl.Series("problem", problems, pl.String), pl.Series("extra", extras, pl.String))
