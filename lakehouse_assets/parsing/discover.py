"""Schema discovery: from an undeclared file to the draft of a contract module, which a person then completes."""

import keyword
import re
import unicodedata
from pathlib import Path

import dataframely as dy
import polars as pl

from lakehouse_assets.parsing.archives import Rejection, unpack
from lakehouse_assets.parsing.casting import instants
from lakehouse_assets.parsing.parse import read
from lakehouse_assets.settings import settings

_INTEGER = r"^[+-]?(0|[1-9][0-9]{0,17})$"
_NUMBER = r"^[+-]?(0|[1-9][0-9]*)?\.?[0-9]+$"
_PERSONAL = re.compile(r"customer|e_?mail|phone|first_?name|last_?name|birth|passport|iban", re.IGNORECASE)
_IMPORTED = {"Contract", "Feed", "dy", "source"}
_TAKEN = {name for name in dir(dy.Schema) if not name.startswith("__")} | {"dt", "year", "month", "day"} | _IMPORTED
_MAX_SCALE = 10
_MAX_DIGITS = 38


def draft(file: Path, name: str | None, limit: int) -> str:
    """Return the text of a module that declares a feed for the records of a file.

    Args:
        file: CSV, JSON or Parquet, possibly gzip or in a zip, of which the first member counts.
        name: The feed's name; derived from the file's if None.
        limit: The most bytes that the file may have when decompressed.

    Raises:
        FileNotFoundError: There is no such file.
        Rejection: The file cannot be read as records.
    """
    if not file.is_file():
        msg = f"{file}: no such file. Nothing was discovered."
        raise FileNotFoundError(msg)
    first = next(unpack(file.name, file.read_bytes(), limit))
    if first.rejection:
        msg = f"{first.key}: {first.rejection}"
        raise Rejection(msg)
    frame = read(first.data, [], limit).frame
    fields = frame.columns
    if not fields or not frame.height:
        msg = f"{first.key}: it holds no records to learn from."
        raise Rejection(msg)
    feed = snake_case(name or file.name.split(".", 1)[0])
    lines, dated = [], None
    columns: set[str] = set()
    for field in fields:
        column = snake_case(field)
        while column in columns:
            column += "_"
        columns.add(column)
        kind, nullable = _kind(frame[field])
        if kind.startswith(("dy.Datetime", "dy.Date(")) and not nullable:
            dated = dated or column
        lines.append(_column(column, field, kind, nullable))
    return _module(feed, first.key, frame.height, lines, dated)


def snake_case(name: str) -> str:
    """Return a name as a Python identifier and SQL column: lower case, words joined by underscores."""
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name.strip()))
    plain = unicodedata.normalize("NFKD", words).encode("ascii", "ignore").decode().lower()
    found = re.sub(r"[^a-z0-9]+", "_", plain).strip("_") or "field"
    found = f"n{found}" if found[0].isdigit() else found
    return f"{found}_" if keyword.iskeyword(found) or found in _TAKEN else found


def _kind(values: pl.Series) -> tuple[str, bool]:
    """Return the constructor of the narrowest type that every value fits, and whether some are missing."""
    text = values.str.strip_chars()
    present = text.filter(text.is_not_null() & (text != ""))
    nullable = present.len() < values.len()
    options = f"nullable={nullable}"
    if not present.len():
        return f"dy.String({options}", True
    if present.str.contains(_INTEGER).all():
        return f"dy.Int64({options}", nullable
    if present.str.contains(_NUMBER).all():
        scale = int(present.str.extract(r"\.([0-9]*)$").str.len_bytes().fill_null(0).max() or 0)  # type: ignore[arg-type]
        digits = int(present.str.extract(r"^[+-]?([0-9]*)").str.len_bytes().max() or 0)  # type: ignore[arg-type]
        fits = scale <= _MAX_SCALE and digits + scale <= _MAX_DIGITS
        if fits and not present.str.contains(r"^[+-]?0[0-9]").any():
            return f"dy.Decimal({min(max(18, digits) + scale, _MAX_DIGITS)}, {scale}, {options}", nullable
    if present.str.to_lowercase().is_in(["true", "false"]).all():
        return f"dy.Bool({options}", nullable
    if present.str.contains(r"^\d{4}-\d{2}-\d{2}").all():
        if present.str.strptime(pl.Date, "%Y-%m-%d", strict=False).null_count() == 0:
            return f"dy.Date({options}", nullable
        if instants(present, (), "UTC")[0].null_count() == 0:
            return f'dy.Datetime(time_zone="UTC", {options}', nullable
    return f"dy.String({options}", nullable


def _column(column: str, field: str, kind: str, nullable: bool) -> str:  # noqa: FBT001 - part of the kind
    # The lake has names of its own in bronze: such a field goes by another name there.
    own = field.strip().startswith("_") or field.strip() in {"dt", "rules"}
    named = [f"{column}_field", field.strip()] if own else [field.strip()] * (field.strip() != column)
    arguments = [*map(_quoted, named), *["personal=True"] * bool(_PERSONAL.search(field))]
    metadata = f", metadata=source({', '.join(arguments)})" if arguments else ""
    meaning = f"{field}, as landed{'; may be missing' if nullable else ''}."
    return f"""    {column} = {kind}, description={_quoted(meaning)}{metadata})"""


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _module(feed: str, key: str, rows: int, lines: list[str], dated: str | None) -> str:
    title = "".join(word.capitalize() for word in feed.split("_"))
    title += "Record" * (title in _IMPORTED)
    what = "the column whose day partitions the feed; None for a snapshot"
    dates = (
        f'    business_date="{dated}",  # {what}\n    time_zone="UTC",\n'
        if dated
        else f"    business_date=None,  # {what}\n"
    )
    body = "\n".join(lines)
    imported = "Contract, Feed, source" if "metadata=source(" in body else "Contract, Feed"
    return f'''"""The {feed} feed: say what its records are, who sends them and when."""

# Drafted from {rows:,} records of {key}. Correct types and descriptions, add rules, then put this file into
# {settings().definitions.replace(".", "/")}/silver/{feed}.py: nothing else has to be told about it.

import dataframely as dy

from lakehouse_assets.contracts.declare import {imported}


class {title}(Contract):
    """One record of {feed}."""

{body}


FEED = Feed(
    name="{feed}",
    contract={title},
    description="Say in a sentence what these records are.",
    owner="team:data-platform",
{dates}    gate=0.95,
)'''
