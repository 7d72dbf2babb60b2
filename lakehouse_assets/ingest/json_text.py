"""JSON as a frame of strings: an array of objects, or one object a line. Nested values stay JSON text."""

import json
from typing import Any

import polars as pl

from lakehouse_assets.ingest.unpack import Rejection

type_name = {list: "an array", str: "a string", int: "a number", float: "a number", bool: "a truth value"}


def read_json(text: bytes) -> pl.DataFrame:
    """Read UTF-8 text that begins with `[` or `{`.

    Returns:
        One string column per field that any record has, in order of appearance, with `_problem` and `_extra` for
        the records that are no objects. Numbers keep the digits that they were written with.
    """
    stripped = text.strip()
    if stripped.startswith(b"["):
        try:
            records = _loads(stripped.decode())
        except (ValueError, RecursionError) as error:
            msg = f"the JSON array cannot be read ({_reason(error)}); land it again, whole."
            raise Rejection(msg) from None
        return _frame([(record, None) for record in records])
    lines = [line for line in stripped.decode().splitlines() if line.strip()]
    records = [_line(line) for line in lines]
    if len(records) > 1 and all(problem for _, problem in records):
        try:
            return _frame([(_loads(stripped.decode()), None)])
        except (ValueError, RecursionError) as error:
            msg = f"it is neither JSON lines nor one JSON object ({_reason(error)}); land it again, whole."
            raise Rejection(msg) from None
    return _frame(records)


def _line(line: str) -> tuple[Any, str | None]:
    try:
        return _loads(line), None
    except (ValueError, RecursionError) as error:
        return line, f"the line is not JSON ({_reason(error)})"


def _loads(text: str) -> Any:  # noqa: ANN401 - JSON
    return json.loads(text, parse_float=_number, parse_int=_number, parse_constant=_number)


class _Digits(str):
    """A number as it was written: text, but not a JSON string when it is nested."""

    __slots__ = ()


def _number(digits: str) -> str:
    # JSON has one kind of number: 6 and 6.0 are the same one.
    return _Digits(digits.removesuffix(".0"))


def _frame(records: list[tuple[Any, str | None]]) -> pl.DataFrame:
    names = dict.fromkeys(name for record, _ in records if isinstance(record, dict) for name in record)
    rows: dict[str, list[str | None]] = {name: [] for name in names if name not in {"_problem", "_extra"}}
    problems: list[str | None] = []
    extras: list[str | None] = []
    for record, problem in records:
        fields = record if isinstance(record, dict) else {}
        for name, values in rows.items():
            values.append(_text(fields.get(name)))
        if problem is None and not isinstance(record, dict):
            problem = f"the record is {type_name.get(type(record), 'null')}, not a JSON object"  # noqa: PLW2901
        problems.append(problem)
        extras.append(None if isinstance(record, dict) else _text(record))
    schema = dict.fromkeys([*rows, "_problem", "_extra"], pl.String())
    return pl.DataFrame({**rows, "_problem": problems, "_extra": extras}, schema=schema)


def _text(value: Any) -> str | None:  # noqa: ANN401 - JSON
    match value:
        case None | str():
            return value if value is None else str(value)
        case bool():
            return "true" if value else "false"
        case _:
            return _dumps(value)


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
