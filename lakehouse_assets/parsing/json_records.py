"""From JSON text to its records: the elements of an array, or one object after the other.

Not here: the columns that records become (`json_text`).
"""

import json
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple

from lakehouse_assets.parsing.archives import Rejection

Record = tuple[Any, str | None]
"""A record that was read, or its text, and what is wrong with it."""

_PLAIN_DIGITS = 40
_CHARACTERS_AT_ONCE = 2**16
_LONGEST_WORD = len("-Infinity")
_BETWEEN_OBJECTS = re.compile(r"\}[ \t\n\r]*(?=\{)")
_SPACE, _SEPARATOR = re.compile(r"[ \t\n\r]*"), re.compile(r"[ \t\n\r]*([,\]])[ \t\n\r]*")


class Twice(dict[str, Any]):
    """An object that says a name twice: the last one wins, but not silently."""

    __slots__ = ()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else Twice(found)


class Digits(str):
    """A number as it was written: text, but not a JSON string when it is nested."""

    __slots__ = ()


@lru_cache(maxsize=4_096)
def _number(digits: str) -> str:
    # JSON has one kind of number: 6, 6.0 and 6e0 are the same one. An exponent that makes pages of zeros stays one.
    _, _, exponent = digits.lower().partition("e")
    if exponent and len(exponent) < len(str(_PLAIN_DIGITS)) + 2 and abs(int(exponent)) <= _PLAIN_DIGITS:
        digits = format(Decimal(digits), "f")
    return Digits(digits.removesuffix(".0"))


_DECODER = json.JSONDecoder(parse_float=_number, parse_int=_number, parse_constant=_number, object_pairs_hook=_object)


def value_of(text: str) -> Any:  # noqa: ANN401 - JSON
    """Return the value of JSON text, its numbers as they were written. Raises `ValueError`, `RecursionError`."""
    return _DECODER.decode(text)


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


def lines(text: str) -> Iterator[str]:
    """Yield the lines that are not blank, one by one."""
    at = 0
    while at < len(text):
        # Only a line feed ends a line: JSON strings may hold every other separator that Python knows.
        end = text.find("\n", at)
        line = text[at : end if end >= 0 else len(text)]
        if line.strip():
            yield line
        at += len(line) + 1


def records(text: str) -> Iterator[Record]:
    """Return the records of text that is no array."""
    return chain.from_iterable(map(read_line, lines(text)))


def begins_well(line: str) -> bool:
    """Return whether the first record on a line can be read."""
    return next(iter(read_line(line)))[1] is None


def is_over_several_lines(text: str) -> bool:
    """Return whether text without blank ends that is no array is objects that end on later lines than they begin."""
    return "\n" in text and not begins_well(next(lines(text))) and next(objects(text)).problem is None


def ends_of(line: str) -> list[int]:
    """Return where each record on a line ends, or in text of objects over several lines; none where it is blank."""
    if not line.strip():
        return []
    try:
        _DECODER.decode(line)
    except (ValueError, RecursionError):
        return [found.end for found in objects(line)]
    return [len(line)]


def read_line(line: str) -> Iterable[Record]:
    """Return the records on a line: one, or several objects one after the other, as streams write them."""
    try:
        return ((_DECODER.decode(line), None),)
    except (ValueError, RecursionError):
        return (found.record for found in objects(line))


class Found(NamedTuple):
    """A piece of text between two objects: its value, or its text and what is wrong with it; and where it ends."""

    value: Any
    problem: str | None
    end: int

    @property
    def record(self) -> Record:
        """The same, as a record."""
        return self.value, self.problem and f"the line is not JSON ({self.problem})"


def objects(text: str, *, is_cut: bool = False) -> Iterator[Found]:
    """Yield JSON objects that stand one after the other, with or without space between them.

    What is no object ends where the next one begins behind a brace, so what is wrong with one record leaves the others.

    Args:
        is_cut: More text follows: the last piece, which may go on there, is not yielded.
    """
    at, characters = 0, _CHARACTERS_AT_ONCE
    while at < len(text):
        # Some text at a time: the parser's errors count the lines before them.
        window, end = text[at : at + characters], 0
        for found in _objects(window, is_cut=is_cut or at + characters < len(text)):
            end = found.end
            yield found._replace(end=at + end)
        if not end and at + characters >= len(text):
            return
        characters = _CHARACTERS_AT_ONCE if end else 2 * characters
        at += end


def _objects(text: str, *, is_cut: bool) -> Iterator[Found]:
    at = 0
    while at < len(text):
        try:
            value, end = _DECODER.raw_decode(text, _end(_SPACE, text, at))
            end = _end(_SPACE, text, end)
            if end == len(text) and is_cut:
                return
            if end < len(text) and not (isinstance(value, dict) and text[end] == "{"):
                msg = "Extra data"
                raise json.JSONDecodeError(msg, text, end)
            yield Found(value, None, end)
        except (ValueError, RecursionError) as error:
            place = error.pos if isinstance(error, json.JSONDecodeError) else at
            if is_cut and (place + _LONGEST_WORD >= len(text) or str(error).startswith("Unterminated")):
                return
            following = _BETWEEN_OBJECTS.search(text, place)
            if is_cut and following is None:
                return
            end = following.end() if following else len(text)
            if isinstance(error, json.JSONDecodeError):
                error = json.JSONDecodeError(error.msg, text[at:end], place - at)
            yield Found(text[at:end], _reason(error), end)
        at = end


def _reason(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)
