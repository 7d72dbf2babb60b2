"""What a request asks for, by its parameters, and what is said of one that cannot be answered. Not here: HTTP."""

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence

from lakehouse_assets.serving.rows import RESERVED, Key, Served
from lakehouse_assets.serving.source import Asked, Source

DEFAULT_LIMIT, LARGEST_LIMIT = 1_000, 10_000
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
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
    after = given.get("after", "")
    if after and "/" not in after:
        raise _no_place(after)
    return after, _limit(given)


def about_rows(source: Source, table: Served, name: str, given: Mapping[str, str]) -> tuple[Asked, Sequence[Key]]:
    """Return which rows a request asks for, and the keys that they can have.

    Raises:
        QuestionError: Nothing has this name, or a parameter cannot be understood.
    """
    first, last = (_date(given, which) for which in ("from", "to"))
    if first and last and first > last:
        msg = f"from={first} is later than to={last}; exchange them"
        raise QuestionError(msg)
    after, own = given.get("after", ""), table.serving.key[0]
    if own in given:
        msg = f"{own} is not asked for by a parameter: it stands in the address, /{table.path}/{{{own}}}"
        raise QuestionError(msg)
    asked = Asked(name, _limit(given), first, last, after, {n: v for n, v in given.items() if n not in RESERVED})
    keys = source.keys(table, name)
    if not keys:
        known = sorted({key.name for key in source.keys(table)})
        more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
        msg = f"there is no {own} {name!r}; there are: {', '.join(known[:_SHOWN]) or 'none'}{more}"
        raise QuestionError(msg, 404)
    parts = {part for key in keys for part in key.parts} - {own}
    if odd := next((part for part in asked.filters if part not in parts), None):
        msg = f"no row of {name!r} has {odd!r}; the parameters are {', '.join([*RESERVED, *sorted(parts)])}"
        raise QuestionError(msg)
    chosen = [key for key in keys if key.has(asked.filters)]
    date, slash, rest = after.partition("/")
    is_between = _is_date(date) and (first or date) <= date <= (last or date)
    # DynamoDB refuses to begin outside of what is asked for. Without any key there is no page to follow.
    if after and not (slash and is_between and (not chosen or rest in {key.rest for key in chosen})):
        raise _no_place(after)
    return asked, chosen


def _no_place(after: str) -> QuestionError:
    return QuestionError(f"after={after!r} is no place in this answer; write what the answer before it has as next")


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
