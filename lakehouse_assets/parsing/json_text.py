"""JSON as a frame of strings: an array of objects, or one object a line. Nested values stay JSON text.

Records are read one by one into columns: as Python objects, millions of small ones take fifty times their text.
"""

import json
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import lru_cache
from itertools import islice
from typing import Any

import polars as pl

from lakehouse_assets.parsing.archives import Rejection
from lakehouse_assets.parsing.records import Raw

_PLAIN_DIGITS = 40
_CELLS_AT_ONCE = 2**18
_NO_FIELDS: dict[str, Any] = {}
_SPACE, _SEPARATOR = re.compile(r"[ \t\n\r]*"), re.compile(r"[ \t\n\r]*([,\]])[ \t\n\r]*")


def read_json(text: bytes) -> Raw:
    """Read UTF-8 text that begins with `[` or `{`.

    The fields come in order of appearance; numbers keep the digits that they were written with.
    """
    whole = text.strip().decode()
    if whole.startswith("["):
        return raw_of((element, None) for element, _ in array(whole))
    lines = list(islice(_lines(whole), 2))
    if len(lines) > 1 and read_line(lines[0])[1] is not None:
        try:
            return raw_of([(_DECODER.decode(whole), None)])
        except (ValueError, RecursionError) as error:
            if all(problem for _, problem in map(read_line, _lines(whole))):
                msg = f"it is neither JSON lines nor one JSON object ({_reason(error)}); land it again, whole."
                raise Rejection(msg) from None
    return raw_of(map(read_line, _lines(whole)))


def array(text: str) -> Iterator[tuple[Any, int]]:
    """Yield the elements of a JSON array, and where each ends. Raises `Rejection` where the text stops being one."""
    try:
        yield from _elements(text)
    except (ValueError, RecursionError) as error:
        msg = f"the JSON array cannot be read ({_reason(error)}); land it again, whole."
        raise Rejection(msg) from None


def _elements(text: str) -> Iterator[tuple[Any, int]]:
    """Yield the elements of a JSON array, and where each ends. Raises `ValueError` where the text stops being one."""
    at = _end(_SPACE, text, 1)
    if text[at : at + 1] == "]":
        at += 1
    else:
        following = ","
        while following == ",":
            element, at = _DECODER.raw_decode(text, at)
            yield element, at
            separator = _SEPARATOR.match(text, at)
            if separator is None:
                msg = "Expecting ',' delimiter"
                raise json.JSONDecodeError(msg, text, _end(_SPACE, text, at))
            following, at = separator[1], separator.end()
    if (at := _end(_SPACE, text, at)) < len(text):
        msg = "Extra data"
        raise json.JSONDecodeError(msg, text, at)


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


def _lines(text: str) -> Iterator[str]:
    """Yield the lines that are not blank, one by one."""
    at = 0
    while at < len(text):
        # Only a line feed ends a line: JSON strings may hold every other separator that Python knows.
        end = text.find("\n", at)
        line = text[at : end if end >= 0 else len(text)]
        if line.strip():
            yield line
        at += len(line) + 1


def read_line(line: str) -> tuple[Any, str | None]:
    """Return the record on a line, or its text and what is wrong with it."""
    try:
        return _DECODER.decode(line), None
    except (ValueError, RecursionError) as error:
        return line, f"the line is not JSON ({_reason(error)})"


class _Twice(dict[str, Any]):
    """An object that says a name twice: the last one wins, but not silently."""

    __slots__ = ()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else _Twice(found)


class _Digits(str):
    """A number as it was written: text, but not a JSON string when it is nested."""

    __slots__ = ()


@lru_cache(maxsize=4_096)
def _number(digits: str) -> str:
    # JSON has one kind of number: 6, 6.0 and 6e0 are the same one. An exponent that makes pages of zeros stays one.
    _, _, exponent = digits.lower().partition("e")
    if exponent and len(exponent) < len(str(_PLAIN_DIGITS)) + 2 and abs(int(exponent)) <= _PLAIN_DIGITS:
        digits = format(Decimal(digits), "f")
    return _Digits(digits.removesuffix(".0"))


_DECODER = json.JSONDecoder(parse_float=_number, parse_int=_number, parse_constant=_number, object_pairs_hook=_object)


def value_of(text: str) -> Any:  # noqa: ANN401 - JSON
    """Return the value of JSON text, its numbers as they were written. Raises `ValueError`, `RecursionError`."""
    return _DECODER.decode(text)


class _Column:
    """The texts of one field: the latest ones, and before them those that Polars keeps."""

    def __init__(self, missing: int) -> None:
        """Begin a column whose field was in none of the first records."""
        self._stored = [pl.repeat(None, missing, dtype=pl.String, eager=True)]
        self.texts: list[str | None] = []

    def store(self) -> None:
        """Give the latest texts to Polars. One that repeats all the way, as a problem does, is kept once."""
        first = self.texts[0] if self.texts else None
        if self.texts.count(first) == len(self.texts):
            same = pl.Series([first], dtype=pl.String).gather(
                pl.repeat(0, len(self.texts), dtype=pl.UInt32, eager=True)
            )
            self._stored.append(same)
        else:
            self._stored.append(pl.Series(self.texts, dtype=pl.String))
        self.texts.clear()

    def series(self) -> pl.Series:
        """Return all texts."""
        self.store()
        return pl.concat(self._stored, rechunk=False)


def raw_of(records: Iterable[tuple[Any, str | None]]) -> Raw:
    """Return records that were read, each with what is wrong with it; the fields in order of appearance."""
    columns: dict[str, _Column] = {}
    problems, extras = _Column(0), _Column(0)
    stored = waiting = 0
    for record, problem in records:
        fields, wrong, extra = record, problem, None
        if isinstance(record, dict):
            if isinstance(record, _Twice):
                wrong = "the record has a field twice"
            for name in record:
                if name not in columns:
                    columns[name] = _Column(stored + waiting)
        else:
            wrong = wrong or f"the record is {_kind(record)}, not a JSON object"
            fields, extra = _NO_FIELDS, text_of(record)[0]
        for name, column in columns.items():
            text, odd = text_of(fields.get(name))
            column.texts.append(text)
            wrong = wrong or odd
        problems.texts.append(wrong)
        extras.texts.append(extra)
        waiting += 1
        if waiting * (len(columns) + 2) >= _CELLS_AT_ONCE:
            for column in (*columns.values(), problems, extras):
                column.store()
            stored, waiting = stored + waiting, 0
    # A name that is no Unicode text is shown escaped, like a value.
    names = [(_unicode(name)[0], pl.String()) for name in columns]
    frame = pl.DataFrame([column.series() for column in columns.values()], schema=names, orient="col")
    return Raw(frame, problems.series().alias("problem"), extras.series().alias("extra"))


def _kind(value: Any) -> str:  # noqa: ANN401 - JSON
    match value:
        case _Digits():
            return "a number"
        case str():
            return "a string"
        case bool():
            return "a truth value"
        case list():
            return "an array"
        case _:
            return "null"


def text_of(value: Any) -> tuple[str | None, str | None]:  # noqa: ANN401 - JSON
    """Return a value as text, and what is wrong with it."""
    match value:
        case None:
            return None, None
        case str():
            return _unicode(value)
        case bool():
            return ("true" if value else "false"), None
        case _:
            try:
                return _unicode(_dumps(value))
            except RecursionError:
                return None, "a value is nested too deeply"


def _unicode(text: str) -> tuple[str, str | None]:
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("ascii", "backslashreplace").decode(), "a value is no Unicode text"
    return str(text), None


def _dumps(value: Any) -> str:  # noqa: ANN401 - JSON
    match value:
        case _Digits():
            return value
        case dict():
            return "{" + ", ".join(f"{json.dumps(k, ensure_ascii=False)}: {_dumps(v)}" for k, v in value.items()) + "}"
        case list():
            return "[" + ", ".join(_dumps(item) for item in value) + "]"
        case _:
            return json.dumps(value, ensure_ascii=False)


def _reason(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)
