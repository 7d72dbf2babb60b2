"""From the beginning of a file to the format that a feed has to declare for it; None where its content says it all.

Not here: encodings (`encoding_inference`), where fields at fixed places begin (`fixed_width_inference`), and what the
values are.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from lakehouse_assets.contracts.declare import Csv, Format, Json
from lakehouse_assets.parsing import json_path
from lakehouse_assets.parsing.csv_text import line_feeds
from lakehouse_assets.parsing.fixed_width_inference import fixed_width

_DELIMITERS = (",", ";", "\t", "|", "^", "~")
_LINES = 400
_REGULAR = 0.8
_ENVELOPES = {"data", "items", "results", "records", "rows", "value", "values", "features", "hits", "entries"}
_NUMBER = re.compile(r"[+-]?[0-9][0-9., ]*([eE][+-]?[0-9]+)?$")
_DATE = re.compile(r"[0-9]{1,4}[-./][0-9A-Za-z]{1,3}[-./][0-9]{1,4}([ T][0-9:. apmAPMZ+-]+)?$")
_YEAR = re.compile(r"(19|20)[0-9]{2}$")


@dataclass(frozen=True)
class Written:
    """How a text is written: the format to declare, and what a person is to know of it."""

    form: Format | None
    notes: tuple[str, ...] = ()


def written(text: str, encoding: str | None, *, is_cut: bool) -> Written:
    """Return how a text is written.

    Args:
        text: The beginning of it, or all.
        encoding: The encoding to declare, if it is one that has to be.
        is_cut: Whether it goes on.
    """
    if text.lstrip()[:1] in {"[", "{"}:
        path = _records_path(text, is_cut=is_cut)
        return Written(Json(records=path, encoding=encoding) if path or encoding else None)
    every = line_feeds(text.encode()).decode().split("\n")[: _LINES + 1]
    lines = [line for line in every if line.strip("\r")]
    if len(lines) > 1 and is_cut:
        lines.pop()
    form = _delimited(lines)
    if form is None:
        at = [at for at, line in enumerate(every) if line.strip("\r")]
        if fixed := fixed_width([line.rstrip("\r") for line in lines], at, encoding):
            return Written(*fixed)
        return Written(Csv(encoding=encoding) if encoding else None)
    delimiter, quote = form
    rows = list(_rows(lines, delimiter, quote))
    header = None
    notes: tuple[str, ...] = ()
    if is_data(rows):
        header = tuple(f"column_{at}" for at in range(1, len(rows[0]) + 1))
        notes = ("The first line looks like data, so it is taken as a record: name the columns in `header`.",)
    declared = Csv(encoding, header, delimiter if delimiter != "," or header else None, quote)
    return Written(None if declared == Csv() else declared, notes)


def _records_path(text: str, *, is_cut: bool) -> str | None:
    """Return the path of the records inside of one JSON object; None for an array, and for lines of objects."""
    start = text.lstrip()
    if start.startswith("["):
        return None
    first, _, rest = start.partition("\n")
    if rest.lstrip().startswith("{") and _is_whole(first):
        return None
    path = json_path.first_array_of_objects(start)
    if path is None:
        return None
    at = json_path.start_of(start, path)
    is_list = is_cut or path.rsplit(".", 1)[-1].lower() in _ENVELOPES
    return path if is_list or len(json_path.elements_at(start, at)) > 1 else None


def _is_whole(line: str) -> bool:
    try:
        json_path.span_of(line)
    except (ValueError, IndexError, RecursionError):
        return False
    return True


def _delimited(lines: list[str]) -> tuple[str, str] | None:
    """Return the delimiter and the quote that give most lines the same number of fields; None if none does."""
    text = "\n".join(lines)
    quotes = ['"']
    if '"' not in text and len(re.findall(r"(?:^|[,;\t|^~])'[^'\n]*'(?=[,;\t|^~]|$)", text, re.MULTILINE)) > 1:
        quotes = ["'"]
    elif '"' in text:
        quotes = ['"', ""]
    best: tuple[float, int] = (0.0, 0)
    found = None
    for quote in quotes:
        for delimiter in _DELIMITERS:
            widths = Counter(len(row) for row in _rows(lines, delimiter, quote))
            width, count = max(widths.items(), key=lambda each: (each[1], each[0]), default=(0, 0))
            share = round(count / max(sum(widths.values()), 1), 1)
            header = len(next(_rows(lines[:1], delimiter, quote), []))
            score = (share if width > 1 or header > 1 else 0.0, max(width, header))
            if score[1] > 1 and score > best and (quote or share >= _REGULAR > best[0]):
                best, found = score, (delimiter, quote)
    return found


def _rows(lines: list[str], delimiter: str, quote: str) -> Iterator[list[str]]:
    reader = csv.reader(
        io.StringIO("\n".join(lines)),
        delimiter=delimiter,
        quotechar=quote or None,
        quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
    )
    try:
        yield from (row for row in islice(reader, _LINES) if row)
    except csv.Error:
        return


def is_data(rows: list[list[str]]) -> bool:
    """Return whether a first row is rather a record than names."""
    first, body = rows[0], rows[1:]
    width = len(first)
    columns = [[row[at].strip() for row in body if len(row) == width] for at in range(width)]
    if not body or not any(columns):
        return False
    kinds = [_kind_of_all(values) for values in columns]
    typed = [at for at, kind in enumerate(kinds) if kind]
    if typed:
        alike = [at for at in typed if _kind(first[at].strip()) == kinds[at]]
        are_rows_named = not first[0].strip() and all(columns[0]) and len(set(columns[0])) == len(columns[0])
        if are_rows_named or (alike and all(_YEAR.match(first[at].strip()) for at in alike) and len(alike) < width):
            return False  # a cross table: names of years or other numbers over its columns
        return 2 * len(alike) >= len(typed)
    again = [first[at].strip() != "" and first[at].strip() in set(values) for at, values in enumerate(columns)]
    return 2 * sum(again) > width


def _kind(value: str) -> str | None:
    return "number" if _NUMBER.match(value) else "date" if _DATE.match(value) else None


def _kind_of_all(values: list[str]) -> str | None:
    """Return what nearly all of some values are."""
    kinds = Counter(_kind(value) for value in values if value)
    kind, count = max(kinds.items(), key=lambda each: each[1], default=(None, 0))
    return kind if count > _REGULAR * sum(kinds.values()) else None
