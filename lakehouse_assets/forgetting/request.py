"""Whom to forget: checks the request, makes the decision that stands for it, and takes the value out of texts.

Not here: what is done about the request.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import ContractError, Feed
from lakehouse_assets.decisions import kinds
from lakehouse_assets.decisions.kinds import DecisionError, Erase
from lakehouse_assets.decisions.recorded import Decisions
from lakehouse_assets.erasure.matching import LONG, MARK, canonical, identity, key_of
from lakehouse_assets.erasure.protocol import Erasures, unfinished
from lakehouse_assets.maintenance import retired


@dataclass(frozen=True)
class Request:
    """Whom to forget.

    Attributes:
        decision: The standing decision; an earlier one if the person was asked for before.
        erasures: All erasures of the feed, this one included.
        redact: Takes the value out of a text for people.
        is_new: The decision is not recorded yet.
        is_unfinished: An earlier `forget` for the person was interrupted.
        is_short: The value is so short that it may stand in names of files by chance.
    """

    decision: Erase
    erasures: Erasures
    redact: Callable[[str], str]
    is_new: bool
    is_unfinished: bool
    is_short: bool

    def holds(self, text: str) -> bool:
        """Return whether a text holds the value; a short one only if it is the whole text: it is in many by chance."""
        clean = self.redact(text)
        return clean.strip() == MARK if self.is_short else clean != text


def ask(
    lake: Lake,
    feed: Feed,
    person: str,
    why: str,
    who: str | None = None,
    *,
    any_column: bool = False,
    hypothetical: bool = False,
) -> Request:
    """Return whom to forget, without recording it.

    Args:
        person: KEY=VALUE: a personal column of the contract, and the person's value in it, written in any way that the
            contract normalises to the same value.
        any_column: Take a column that is not declared as personal, too.
        hypothetical: Nothing may be written, not even the lake's key.

    Raises:
        ContractError: The column does not identify a person.
        DecisionError: There is no value, or some declared tables cannot be loaded.
    """
    if lake.registry.broken:
        msg = f"Nothing was erased: tables that cannot be loaded would keep the person. {lake.registry.broken[0]}"
        raise DecisionError(msg)
    if gone := retired.find(lake):
        commands = ", ".join(f"`lakehouse drop {one.name}{' --landing' * one.is_feed}`" for one in gone)
        msg = (
            f"Nothing was erased: no module declares {'; '.join(map(str, gone))}. The person may be there, and "
            f"nobody knows by which column. Remove them first ({commands}), or declare them again."
        )
        raise DecisionError(msg)
    column, sign, value = person.partition("=")
    if not sign:
        msg = f"{person!r} is not of the form KEY=VALUE, such as customer_id=17850. Nothing was erased."
        raise DecisionError(msg)
    _check(feed, column, any_column=any_column)
    normal = canonical(feed, column, pl.Series([value]))[0]
    if normal is None:
        msg = f"{column} has no value, and a blank one identifies nobody. Nothing was erased."
        raise DecisionError(msg)
    key, taken = key_of(lake.store, hypothetical=hypothetical), Decisions.load(lake.store, feed.name)
    about, redact = identity(feed, key, column, value), redactor(feed, column, normal)
    before = next((d for d in taken.active_of(Erase) if d.digest == about["digest"]), None)
    if before is None:
        as_typed = re.compile(rf"(?<!\w){re.escape(value.strip())}(?!\w)")
        why, who = redact(as_typed.sub(MARK, why)), None if who is None else redact(who)
        decision = kinds.new(Erase, feed.name, why, who, **about)
        taken = Decisions((*taken.taken, decision))
    return Request(
        before or decision,
        Erasures.load(lake, feed, taken, key),
        redact,
        is_new=before is None,
        is_unfinished=before in unfinished(lake, feed, taken),
        is_short=len(normal) < LONG,
    )


def _check(feed: Feed, column: str, *, any_column: bool) -> None:
    """Raise `ContractError` unless a column identifies a person: personal, and of text or whole numbers."""
    types = feed.contract.columns()
    usable = [n for n in feed.sources if isinstance(types[n].dtype, pl.String) or types[n].dtype.is_integer()]
    allowed = usable if any_column else [name for name in usable if feed.sources[name].personal]
    if column not in allowed:
        named = f"those that do are: {', '.join(allowed)}" if allowed else "no column is declared as personal"
        more = "; add --any-column to erase every record that has the value" if column in usable else ""
        msg = f"{column!r} of {feed.name} does not identify a person ({named}). Nothing was erased{more}."
        raise ContractError(msg)


def redactor(feed: Feed, column: str, value: str) -> Callable[[str], str]:
    """Return what takes a value out of a text for people, where it is a word of its own.

    Args:
        value: In its normalised form; words that normalise to it go, too.
    """
    # Digits and letters to F may be a part of a time or of an id: then not after a colon or a hyphen either.
    is_odd = re.fullmatch("[0-9a-fA-F]*", value) is not None
    before, after = (r"(?<![\w.:+-])0*", r"(?![\w+-]|[.:]\w)") if is_odd else (r"(?<![\w.])", r"(?!\w)")
    word = re.compile(rf"{before}{re.escape(value)}(\.0+)?{after}", re.IGNORECASE)

    def replaced(match: re.Match[str]) -> str:
        return MARK if canonical(feed, column, pl.Series([match.group()]))[0] == value else match.group()

    return lambda text: word.sub(replaced, text)
