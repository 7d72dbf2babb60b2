"""Whom to forget: checks the request, and makes the decision that stands for it. Not here: what is done about it."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import ContractError, Feed
from lakehouse_assets.decisions import kinds
from lakehouse_assets.decisions.kinds import DecisionError, Erase
from lakehouse_assets.decisions.recorded import Decisions
from lakehouse_assets.erasure import evidence
from lakehouse_assets.erasure.evidence import Erasures
from lakehouse_assets.erasure.matching import BLANK, canonical, plain, redactor
from lakehouse_assets.forgetting.decisions import released

_LONG = 5


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

    feed: Feed
    decision: Erase
    erasures: Erasures
    redact: Callable[[str], str]
    is_new: bool
    is_unfinished: bool
    is_short: bool

    def holds(self, text: str) -> bool:
        """Return whether a text holds the value; a short one only if it is the whole text: it is in many by chance."""
        clean = self.redact(text)
        return clean.strip() == f"({BLANK})" if self.is_short else clean != text


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
    column, sign, value = person.partition("=")
    if not sign:
        msg = f"{person!r} is not of the form KEY=VALUE, such as customer_id=17850. Nothing was erased."
        raise DecisionError(msg)
    _check(feed, column, any_column=any_column)
    normal = canonical(feed, column, pl.Series([value]))[0]
    if normal is None:
        msg = f"{column} has no value, and a blank one identifies nobody. Nothing was erased."
        raise DecisionError(msg)
    redact = redactor(feed, column, normal)
    as_typed = re.compile(rf"(?<!\w){re.escape(value.strip())}(?!\w)")
    key = evidence.key_of(lake.store, hypothetical=hypothetical)
    taken = Decisions.load(lake.store, feed.name)
    digest = evidence.digest(key, feed.name, column, normal)
    before = next((d for d in taken.active_of(Erase) if d.digest == digest), None)
    decision = before or kinds.new(
        Erase, feed.name, redact(as_typed.sub(f"({BLANK})", why)), None if who is None else redact(who),
        column=column, digest=digest, plain=evidence.digest(key, feed.name, "", plain(pl.Series([value]))[0]),
        header=feed.sources[column].headers[0], normalisation=feed.normalisations[column],
        released=released(lake, feed),
    )  # fmt: skip
    return Request(
        feed,
        decision,
        Erasures.load(lake.store, feed.name, taken if before else Decisions((*taken.taken, decision)), key),
        redact,
        is_new=before is None,
        is_unfinished=before in evidence.unfinished(lake.store, feed.name, taken),
        is_short=len(normal) < _LONG,
    )


def _check(feed: Feed, column: str, *, any_column: bool) -> None:
    """Raise `ContractError` unless a column identifies a person: personal, and of text or whole numbers."""
    types = feed.contract.columns()
    usable = [n for n in feed.sources if isinstance(types[n].dtype, pl.String) or types[n].dtype.is_integer()]
    personal = [name for name in usable if feed.sources[name].personal]
    if column in (usable if any_column else personal):
        return
    if column in usable:
        named = f"personal are {', '.join(personal)}" if personal else "no column of the feed is personal"
        msg = (
            f"{column!r} of {feed.name} is not declared as personal, so a value of it identifies nobody ({named}). "
            "Nothing was erased; add --any-column to erase every record that has the value."
        )
    else:
        named = ", ".join(usable if any_column else personal) or "no column is declared as personal"
        msg = (
            f"{column!r} is no column of {feed.name} that identifies a person; those are: {named}. Nothing was erased."
        )
    raise ContractError(msg)
