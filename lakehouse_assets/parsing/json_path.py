"""The records inside of a JSON document: the text of the value at a path, as it is written there.

Not here: reading the records.
"""

import json
import re
from collections.abc import Iterator

from lakehouse_assets.parsing.archives import Rejection

_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)
_STRING = json.JSONDecoder(strict=False)


def span(text: str, path: str) -> tuple[int, int]:
    """Return where the value at a path begins and ends in a JSON document.

    Args:
        path: Names of objects' fields, joined by dots.

    Raises:
        Rejection: There is none, or the text before it is no JSON.
    """
    try:
        at = start_of(text, path)
        return at, _end_of(text, at)
    except (ValueError, IndexError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        msg = f"it has no records at {path!r} ({reason}); land it as declared, or correct Json(records=...)."
        raise Rejection(msg) from None


def records_at(text: bytes, path: str) -> bytes:
    """Return the text of the records at a path. Raises `Rejection` where there are none."""
    whole = text.decode()
    start, end = span(whole, path)
    if whole[start] not in "[{":
        msg = f"what it has at {path!r} is no array of records; land it as declared, or correct Json(records=...)."
        raise Rejection(msg)
    return whole[start:end].encode()


def start_of(text: str, path: str) -> int:
    """Return where the value at a path begins, in a document that may be cut. Raises `ValueError`, `IndexError`."""
    at = _space(text, 0)
    for name in path.split("."):
        at = _value_of(text, at, name)
    return at


def span_of(text: str) -> tuple[int, int]:
    """Return where one JSON value begins and ends. Raises `ValueError`, `IndexError`, `RecursionError`."""
    at = _space(text, 0)
    return at, _end_of(text, at)


def elements_at(text: str, at: int) -> list[object]:
    """Return the elements of an array that begins at a place; those that are whole, where the text is cut."""
    found: list[object] = []
    try:
        at = _space(text, at + 1)
        while text[at] != "]":
            value, at = _DECODER.raw_decode(text, at)
            found.append(value)
            at = _space(text, at)
            at = _space(text, at + 1) if text[at] == "," else at
    except (ValueError, IndexError, RecursionError):
        pass
    return found


def first_array_of_objects(text: str, *, depth: int = 4) -> str | None:
    """Return the path of the first array of objects in a document that may be cut; None where there is none."""
    return _first(text, _space(text, 0), depth, [])


def _first(text: str, at: int, depth: int, names: list[str]) -> str | None:
    try:
        for name, value in _fields(text, at):
            if text[value] == "[" and text[_space(text, value + 1)] == "{" and "." not in name:
                return ".".join([*names, name])
            if text[value] == "{" and depth > 1 and "." not in name:
                found = _first(text, value, depth - 1, [*names, name])
                if found is not None:
                    return found
    except (ValueError, IndexError, RecursionError):
        pass
    return None


def _value_of(text: str, at: int, name: str) -> int:
    """Return where an object's value of a name begins."""
    for found, value in _fields(text, at):
        if found == name:
            return value
    msg = f"no field {name!r}"
    raise ValueError(msg)


def _fields(text: str, at: int) -> Iterator[tuple[str, int]]:
    """Yield the names of an object's fields, and where the value of each begins."""
    if text[at] != "{":
        msg = "no object"
        raise ValueError(msg)
    at = _space(text, at + 1)
    while text[at] != "}":
        name, at = _STRING.raw_decode(text, at)
        at = _space(text, at)
        if text[at] != ":":
            msg = f"no colon at character {at:,}"
            raise ValueError(msg)
        at = _space(text, at + 1)
        yield name, at
        at = _space(text, _end_of(text, at))
        if text[at] == ",":
            at = _space(text, at + 1)


def _end_of(text: str, at: int) -> int:
    """Return where a value ends. The elements of an array are looked at one by one: together they may fill memory."""
    if text[at] != "[":
        return _DECODER.raw_decode(text, at)[1]
    at = _space(text, at + 1)
    while text[at] != "]":
        at = _space(text, _DECODER.raw_decode(text, at)[1])
        if text[at] not in ",]":
            msg = f"no comma at character {at:,}"
            raise ValueError(msg)
        at = _space(text, at + 1) if text[at] == "," else at
    return at + 1


def _space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at
