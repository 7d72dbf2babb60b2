"""Fields inside of fields: `address.city` is the field `city` of the JSON object that the field `address` holds.

A field that has such a name itself goes first. An object has no place in an array: an array stays JSON text, whole.
"""

from collections.abc import Iterable
from typing import Any

import polars as pl

from lakehouse_assets.parsing.json_records import value_of
from lakehouse_assets.parsing.json_text import text_of
from lakehouse_assets.parsing.records import Raw

_Path = tuple[str, ...]
_SAMPLE = 2_000


def with_nested(raw: Raw, wanted: Iterable[str]) -> tuple[Raw, frozenset[str]]:
    """Return an object with a column for each wanted path that some record has, and the columns looked into.

    Args:
        wanted: Names of fields and paths; those without a dot, or that are columns themselves, are left alone.
    """
    names = {name.strip(): name for name in raw.frame.columns}
    paths = dict[str, dict[str, _Path]]()
    for header in wanted:
        if header not in names and (parent := _parent(header, names)) is not None:
            rest = tuple(header.removeprefix(parent).removeprefix(".").split("."))
            paths.setdefault(names[parent], {})[header] = rest
    if not paths:
        return raw, frozenset()
    columns, problem = list[pl.Series](), raw.problems
    for parent, inside in paths.items():
        found, wrong = _looked_into(raw.frame[parent], inside)
        columns += found
        if wrong.null_count() < wrong.len():
            problem = wrong if problem is None else pl.select(pl.coalesce(problem, wrong)).to_series()
    return Raw(raw.frame.with_columns(columns), problem, raw.extras), frozenset(paths)


def paths_in(texts: pl.Series, most: int = 30) -> list[str]:
    """Return the paths to the values in the objects that a field holds; none where they are not alike.

    Args:
        texts: Values of the field.
        most: An object with more names than that is rather a table of its own.
    """
    leaves, inner = dict[_Path, None](), set[_Path]()
    for text in texts.drop_nulls().head(_SAMPLE):
        value, reason = _object(text)
        if reason or not isinstance(value, dict):
            return []
        _collect(value, (texts.name.strip(),), leaves, inner)
        if len(leaves) > most:
            return []
    is_odd = any(not name or name != name.strip() or "." in name for path in leaves for name in path)
    return [] if is_odd or inner & leaves.keys() else [".".join(path) for path in leaves]


def _collect(value: dict[str, Any], at: _Path, leaves: dict[_Path, None], inner: set[_Path]) -> None:
    for name, each in value.items():
        if isinstance(each, dict) and each:
            inner.add((*at, name))
            _collect(each, (*at, name), leaves, inner)
        elif each is not None:
            leaves[(*at, name)] = None


def _parent(header: str, names: Iterable[str]) -> str | None:
    """Return the longest beginning of a path that is the name of a column."""
    known = set(names)
    steps = header.split(".")
    beginnings = (".".join(steps[:count]) for count in range(len(steps) - 1, 0, -1))
    return next((beginning for beginning in beginnings if beginning in known), None)


def _looked_into(texts: pl.Series, paths: dict[str, _Path]) -> tuple[list[pl.Series], pl.Series]:
    """Return the values at some paths, those that some record has, and what is wrong with each record."""
    values: dict[str, list[str | None]] = {header: [] for header in paths}
    problems: list[str | None] = []
    present = set[str]()
    for text in texts:
        whole, reason = _object(text)
        for header, path in paths.items():
            value, is_there, odd = _at(whole, path)
            values[header].append(value)
            reason = reason or odd
            if is_there:
                present.add(header)
        problems.append(None if reason is None else f"in the field {texts.name.strip()}, {reason}")
    found = [pl.Series(header, values[header], pl.String) for header in paths if header in present]
    return found, pl.Series("problem", problems, pl.String)


def _object(text: str | None) -> tuple[Any, str | None]:
    """Return the object that a field's text holds, and what is wrong with it."""
    if text is None or not text.strip():
        return None, None
    try:
        value = value_of(text)
    except (ValueError, RecursionError):
        return None, "there is no JSON object"
    return value, None


def _at(value: Any, path: _Path) -> tuple[str | None, bool, str | None]:  # noqa: ANN401 - JSON
    """Return the text at a path, whether the path is there at all, and what is wrong where it cannot be followed."""
    for name in path:
        if value is None:
            return None, False, None
        if not isinstance(value, dict):
            return None, False, "there is an array or a value where an object is expected"
        if name not in value:
            return None, False, None
        value = value[name]
    text, odd = text_of(value)
    return text, True, odd
