"""JSON as a frame of strings: an array of objects, or one object a line. Nested values stay JSON text."""

import json
from decimal import Decimal
from typing import Any

import polars as pl

from lakehouse_assets.ingest.raw import Raw
from lakehouse_assets.ingest.unpack import Rejection

_PLAIN_DIGITS = 40


def read_json(text: bytes) -> Raw:
    """Read UTF-8 text that begins with `[` or `{`.

    The fields come in order of appearance; numbers keep the digits that they were written with.
    """
    stripped = text.strip()
    if stripped.startswith(b"["):
        try:
            records = _loads(stripped.decode())
        except (ValueError, RecursionError) as error:
            msg = f"the JSON array cannot be read ({_reason(error)}); land it again, whole."
            raise Rejection(msg) from None
        return _raw([(record, None) for record in records])
    # Only a line feed ends a line: JSON strings may hold every other separator that Python knows.
    lines = [line for line in stripped.decode().split("\n") if line.strip()]
    parsed = [_line(line) for line in lines]
    if len(parsed) > 1 and parsed[0][1] is not None:
        try:
            return _raw([(_loads(stripped.decode()), None)])
        except (ValueError, RecursionError) as error:
            if all(problem for _, problem in parsed):
                msg = f"it is neither JSON lines nor one JSON object ({_reason(error)}); land it again, whole."
                raise Rejection(msg) from None
    return _raw(parsed)


def _line(line: str) -> tuple[Any, str | None]:
    try:
        return _loads(line), None
    except (ValueError, RecursionError) as error:
        return line, f"the line is not JSON ({_reason(error)})"


def _loads(text: str) -> Any:  # noqa: ANN401 - JSON
    return json.loads(text, parse_float=_number, parse_int=_number, parse_constant=_number, object_pairs_hook=_object)


class _Twice(dict[str, Any]):
    """An object that says a name twice: the last one wins, but not silently."""

    __slots__ = ()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else _Twice(found)


class _Digits(str):
    """A number as it was written: text, but not a JSON string when it is nested."""

    __slots__ = ()


def _number(digits: str) -> str:
    # JSON has one kind of number: 6, 6.0 and 6e0 are the same one. An exponent that makes pages of zeros stays one.
    _, _, exponent = digits.lower().partition("e")
    if exponent and len(exponent) < len(str(_PLAIN_DIGITS)) + 2 and abs(int(exponent)) <= _PLAIN_DIGITS:
        digits = format(Decimal(digits), "f")
    return _Digits(digits.removesuffix(".0"))


def _raw(records: list[tuple[Any, str | None]]) -> Raw:
    names = dict.fromkeys(name for record, _ in records if isinstance(record, dict) for name in record)
    rows: dict[str, list[str | None]] = {name: [] for name in names}
    problems: list[str | None] = []
    extras: list[str | None] = []
    for record, problem in records:
        wrong = problem
        fields = record if isinstance(record, dict) else {}
        if wrong is None and isinstance(record, _Twice):
            wrong = "the record has a field twice"
        if wrong is None and not isinstance(record, dict):
            wrong = f"the record is {_kind(record)}, not a JSON object"
        for name, values in rows.items():
            text, odd = _text(fields.get(name))
            values.append(text)
            wrong = wrong or odd
        problems.append(wrong)
        extras.append(None if isinstance(record, dict) else _text(record)[0])
    # A name that is no Unicode text is shown escaped, like a value.
    frame = pl.DataFrame(list(rows.values()), schema=[(_unicode(name)[0], pl.String()) for name in rows], orient="col")
    return Raw(frame, pl.Series("problem", problems, pl.String), pl.Series("extra", extras, pl.String))


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


def _text(value: Any) -> tuple[str | None, str | None]:  # noqa: ANN401 - JSON
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
            return str(value)
        case dict():
            return "{" + ", ".join(f"{json.dumps(k, ensure_ascii=False)}: {_dumps(v)}" for k, v in value.items()) + "}"
        case list():
            return "[" + ", ".join(_dumps(item) for item in value) + "]"
        case _:
            return json.dumps(value, ensure_ascii=False)


def _reason(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)
