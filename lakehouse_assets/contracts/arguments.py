"""Checks of the plain arguments that declarations have: owner, classes, dates, numbers. Not here: columns, rules."""

import datetime as dt
import re
import reprlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import get_args, get_origin, get_type_hints

import dataframely as dy

from lakehouse_assets.contracts.source import ContractError

_OWNER = re.compile(r"team:.+|[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}")
_EXAMPLES = {"bool": "True", "int": "10", "str": '"..."'}


@dataclass(frozen=True)
class _Check:
    """What an argument has to be, what is said of one that is not, and what to write in its place."""

    holds: Callable[[object], bool]
    why: str
    fix: Callable[[object], str]


def check_arguments(declared: str, declaration: object) -> None:
    """Check the arguments of a feed or a model: those in `CHECKS` by what these say, others by their class.

    Args:
        declared: What is declared, for the message: `feed 'sales'`.

    Raises:
        ContractError: One cannot work; the message says what to write.
    """
    for name, classes in _classes(type(declaration)).items():
        if name not in CHECKS and not isinstance(value := getattr(declaration, name), classes):
            known = [each.__name__ for each in classes if each is not NoneType]
            example = _EXAMPLES.get(known[0], f"{known[0]}(...)")
            msg = f"{declared}: {name}={reprlib.repr(value)} is no {' or '.join(known)}; write {name}={example}."
            raise ContractError(msg)
    for name, check in CHECKS.items():
        if hasattr(declaration, name) and not check.holds(value := getattr(declaration, name)):
            msg = f"{declared}: {name}={reprlib.repr(value)} {check.why}; write {name}={check.fix(value)}."
            raise ContractError(msg)


def _classes(declaration: type) -> Mapping[str, tuple[type, ...]]:
    """Return the classes of those arguments of which Python can tell them."""
    found = {}
    for name, hint in get_type_hints(declaration).items():
        classes = get_args(hint) if isinstance(hint, UnionType) else (hint,)
        if all(isinstance(each, type) and get_origin(each) is None for each in classes):
            found[name] = (*classes, int) if float in classes else classes
    return found


def _is_date(value: object) -> bool:
    return isinstance(value, dt.date) and not isinstance(value, dt.datetime)


def _meant(value: object) -> str:
    """Return the date that somebody wrote as text, as code; else an example."""
    try:
        date = dt.date.fromisoformat(str(value)[:10])
    except ValueError:
        date = dt.date(2011, 6, 1)
    return f"dt.date({date.year}, {date.month}, {date.day})"


_WEEKDAYS = tuple(f"{dt.date(2026, 1, day):%A}" for day in range(5, 12))


def _is_delay(value: object) -> bool:
    return isinstance(value, dt.timedelta) and value > dt.timedelta(0) and not value % dt.timedelta(minutes=1)


def _is_schema(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, dy.Schema)


_SCHEMA = _Check(_is_schema, "is no class that derives from Contract or dy.Schema", lambda _: "NameOfTheClass")
_TEXT = _Check(lambda value: isinstance(value, str), "is no text", lambda _: '"..."')
CHECKS: Mapping[str, _Check] = {
    "name": _TEXT,
    "description": _TEXT,
    "contract": _SCHEMA,
    "schema": _SCHEMA,
    "owner": _Check(
        lambda value: isinstance(value, str) and bool(_OWNER.fullmatch(value)),
        "is neither a team nor an e-mail address",
        lambda _: '"team:sales"',
    ),
    "revision": _Check(lambda value: type(value) is int and value >= 1, "is no number from 1", lambda _: "2"),
    "start_date": _Check(_is_date, "is no date", _meant),
    "daily_close": _Check(
        lambda value: value is None or (isinstance(value, dt.time) and value.tzinfo is None),
        "is no time of day in the feed's time zone",
        lambda _: "dt.time(6, 30)",
    ),
    "rest_days": _Check(
        lambda value: isinstance(value, tuple) and set(value) < set(_WEEKDAYS),
        "is no tuple of some days of the week",
        lambda _: '("Saturday", "Sunday")',
    ),
    "fresh_within": _Check(
        lambda value: value is None or _is_delay(value),
        "is no time above 0 in whole minutes",
        lambda _: "dt.timedelta(hours=8)",
    ),
    "engine": _Check(
        lambda value: value in {None, "duckdb", "spark"},
        "is neither of the engines duckdb and spark",
        lambda _: '"spark"',
    ),
    "sql": _Check(
        lambda value: value is None or isinstance(value, Path),
        "is no path of a file with one query",
        lambda _: 'Path(__file__).with_name("query.sql"), or leave it out for the file of the model\'s name',
    ),
    "gate": _Check(
        lambda value: isinstance(value, int | float) and 0 <= value <= 1, "is no share from 0 to 1", lambda _: "0.95"
    ),
}
