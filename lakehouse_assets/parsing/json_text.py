"""JSON as a frame of strings: an array of objects, or one object after the other. Nested values stay JSON text.

Records are read one by one into columns: as Python objects, millions of small ones take fifty times their text.
"""

import json
from collections.abc import Iterable
from typing import Any

import polars as pl

from lakehouse_assets.parsing.archives import Rejection
from lakehouse_assets.parsing.json_records import Digits, Record, Twice, array, is_over_several_lines, objects, records
from lakehouse_assets.parsing.records import Raw

_CELLS_AT_ONCE = 2**18
_FEW = 1_000  # texts: to look for one that repeats would cost more than it saves
_NO_FIELDS: dict[str, Any] = {}


def read_json(text: bytes) -> Raw:
    """Read UTF-8 text that begins with `[` or `{`.

    The fields come in order of appearance; numbers keep the digits that they were written with.
    """
    whole = text.strip().decode()
    if whole.startswith("["):
        return raw_of((element, None) for element, _ in array(whole))
    if is_over_several_lines(whole):
        return raw_of(found.record for found in objects(whole))
    if "\n" in whole and all(problem for _, problem in records(whole)):
        problem = next(objects(whole)).problem
        msg = f"it is neither JSON lines nor one JSON object after the other ({problem}); land it again, whole."
        raise Rejection(msg)
    return raw_of(records(whole))


class _Column:
    """The texts of one field: the latest ones, and before them those that Polars keeps."""

    def __init__(self, missing: int) -> None:
        """Begin a column whose field was in none of the first records."""
        self._stored = [pl.repeat(None, missing, dtype=pl.String, eager=True)] if missing else []
        self.texts: list[str | None] = []

    def store(self) -> None:
        """Give the latest texts to Polars. One that repeats all the way, as a problem does, is kept once."""
        first = self.texts[0] if self.texts else None
        if len(self.texts) > _FEW and self.texts.count(first) == len(self.texts):
            same = pl.Series([first], dtype=pl.String).gather(
                pl.repeat(0, len(self.texts), dtype=pl.UInt32, eager=True)
            )
            self._stored.append(same)
        else:
            self._stored.append(pl.Series(self.texts, dtype=pl.String))
        self.texts.clear()

    def series(self) -> pl.Series:
        """Return all texts."""
        if self.texts or not self._stored:
            self.store()
        return pl.concat(self._stored, rechunk=False) if len(self._stored) > 1 else self._stored[0]


def raw_of(found: Iterable[Record]) -> Raw:
    """Return records that were read, each with what is wrong with it; the fields in order of appearance."""
    columns: dict[str, _Column] = {}
    problems, extras = _Column(0), _Column(0)
    stored = waiting = 0
    for record, problem in found:
        fields, wrong, extra = record, problem, None
        if isinstance(record, dict):
            if isinstance(record, Twice):
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
        case Digits():
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
        case Digits():
            return value
        case dict():
            return "{" + ", ".join(f"{json.dumps(k, ensure_ascii=False)}: {_dumps(v)}" for k, v in value.items()) + "}"
        case list():
            return "[" + ", ".join(_dumps(item) for item in value) + "]"
        case _:
            return json.dumps(value, ensure_ascii=False)
