"""What a request asks for, by its parameters, and what is said of one that cannot be answered. Not here: HTTP."""

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence

from lakehouse_assets.serving.rows import Key, Served
from lakehouse_assets.serving.source import Asked, Source

DEFAULT_LIMIT, LARGEST_LIMIT = 1_000, 10_000
RESERVED = ("from", "to", "limit", "after")
"""Parameters that are no filters."""
_DATE, _PLACE = re.compile(r"\d{4}-\d{2}-\d{2}"), re.compile(r"\d{4}-\d{2}-\d{2}/.*", re.DOTALL)
_SHOWN = 20


class QuestionError(Exception):
    """A request cannot be answered; the message says why, and what can be asked."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def parameters(given: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return parameters by name. Raises `QuestionError` where one is there twice."""
    found: dict[str, str] = {}
    for name, value in given:
        if name in found:
            msg = f"the parameter {name!r} is there twice; ask once for each value"
            raise QuestionError(msg)
        found[name] = value
    return found


def about_keys(given: Mapping[str, str]) -> tuple[str, int]:
    """Return after which key a list of keys begins, and how many it has at most. Raises `QuestionError`."""
    if odd := next((name for name in given if name not in {"limit", "after"}), None):
        msg = f"the parameter {odd!r} is none of a list of keys; it takes limit and after"
        raise QuestionError(msg)
    return given.get("after", ""), _limit(given)


def about_rows(source: Source, table: Served, name: str, given: Mapping[str, str]) -> tuple[Asked, Sequence[Key]]:
    """Return which rows a request asks for, and the keys that they can have.

    Raises:
        QuestionError: Nothing has this name, or a parameter cannot be understood.
    """
    first, last = (_date(given, which) for which in ("from", "to"))
    if first and last and first > last:
        msg = f"from={first} is later than to={last}; exchange them"
        raise QuestionError(msg)
    after = given.get("after", "")
    if after and not _PLACE.fullmatch(after):
        msg = f"after={after!r} is no place in an answer; write what the answer before it has as next"
        raise QuestionError(msg)
    asked = Asked(name, _limit(given), first, last, after, {n: v for n, v in given.items() if n not in RESERVED})
    keys = source.keys(table, name)
    if not keys:
        known = sorted({key.name for key in source.keys(table)})
        more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
        msg = f"there is no {table.serving.key[0]} {name!r}; there are: {', '.join(known[:_SHOWN]) or 'none'}{more}"
        raise QuestionError(msg, 404)
    parts = {part for key in keys for part in key.parts} - {table.serving.key[0]}
    if odd := next((part for part in asked.filters if part not in parts), None):
        msg = f"no row of {name!r} has {odd!r}; the parameters are {', '.join([*RESERVED, *sorted(parts)])}"
        raise QuestionError(msg)
    return asked, [key for key in keys if key.has(asked.filters)]


def _limit(given: Mapping[str, str]) -> int:
    text = given.get("limit", str(DEFAULT_LIMIT))
    if not re.fullmatch(r"[0-9]{1,6}", text) or not 1 <= int(text) <= LARGEST_LIMIT:
        msg = f"limit={text!r} is no number from 1 to {LARGEST_LIMIT}"
        raise QuestionError(msg)
    return int(text)


def _date(given: Mapping[str, str], which: str) -> str:
    text = given.get(which, "")
    if which in given and not _is_date(text):
        msg = f"{which}={text!r} is no date; write it as 2011-12-09"
        raise QuestionError(msg)
    return text


def _is_date(text: str) -> bool:
    try:
        return bool(_DATE.fullmatch(text) and dt.date.fromisoformat(text))
    except ValueError:
        return False
