"""What a feed declares about values that reference another feed: which declarations make no sense, and their rules.

Not here: the other feed, which need not be known yet (`references`), and looking at values.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

from lakehouse_assets.contracts.source import Contract

References = tuple[tuple[str, str], ...]
"""Columns whose values are those of a column of a feed: `(("product_id", "products.product_id"),)`."""

OnMissing = Literal["warn", "quarantine"]
"""What becomes of a record whose value has no counterpart: it is published with a warning, or waits in quarantine."""

_PAIR = 2


class Declared(Protocol):
    """What is read here of a feed."""

    @property
    def name(self) -> str: ...

    @property
    def contract(self) -> type[Contract]: ...

    @property
    def sources(self) -> Iterable[str]: ...

    @property
    def references(self) -> References: ...

    @property
    def on_missing_reference(self) -> OnMissing: ...


@dataclass(frozen=True)
class Reference:
    """A column whose values are those of a column of another feed, or of the same one."""

    column: str
    feed: str
    target: str

    @property
    def name(self) -> str:
        """Name of the check that warns: `product_id_referenced`."""
        return f"{self.column}_referenced"

    @property
    def text(self) -> str:
        """What the check asks, in words."""
        return f"each `{self.column}` of the run's dates is a `{self.target}` of silver.{self.feed}"

    @property
    def rule(self) -> str:
        """Id of the rule of records that wait for their counterpart: `product_id_in_products`."""
        return f"{self.column}_in_{self.feed}"

    @property
    def rule_text(self) -> str:
        """What the rule asks, in words."""
        return f"`{self.column}` is a `{self.target}` of silver.{self.feed}; until it is one, the record waits"


def references(feed: Declared) -> list[Reference]:
    """Return the references that a feed declares."""
    return [Reference(column, *target.split(".", 1)) for column, target in feed.references]


def awaited(feed: Declared) -> dict[str, Reference]:
    """Return the references for whose counterpart a record waits in quarantine, by the id of their rule."""
    return {one.rule: one for one in references(feed)} if feed.on_missing_reference == "quarantine" else {}


def declared(feed: Declared) -> dict[str, object]:
    """Return what of the references a feed's candidate follows from, for its version; nothing where they only warn."""
    return {"awaited": feed.references} if feed.on_missing_reference == "quarantine" else {}


def refusal(feed: Declared) -> str | None:
    """Return what in the references of a feed makes no sense, and what to change; None when all of it makes sense."""
    names = [one[0] for one in feed.references if isinstance(one, tuple)]
    for one in feed.references:
        if not (isinstance(one, tuple) and len(one) == _PAIR and re.fullmatch(r"[a-z][a-z0-9_]*\.\w+", one[1])):
            return (
                f"references={feed.references!r} is not a tuple of pairs, each of a column and what it references; "
                'write it as in references=(("product_id", "products.product_id"),).'
            )
        if one[0] not in feed.contract.columns() or names.count(one[0]) > 1:
            what = "is referenced twice" if names.count(one[0]) > 1 else "is no column of its contract"
            return f"references={feed.references!r}: {one[0]!r} {what}; correct it."
    if feed.on_missing_reference not in {"warn", "quarantine"}:
        return f'on_missing_reference={feed.on_missing_reference!r} says nothing; it is "warn" or "quarantine".'
    if not awaited(feed):
        return None if feed.references or feed.on_missing_reference == "warn" else _WITHOUT_REFERENCES
    if own := next((one for one in references(feed) if one.feed == feed.name), None):
        return (
            f"its {own.column!r} references the feed itself, so no record could be the first one that is published; "
            'leave the reference out, or say on_missing_reference="warn".'
        )
    if odd := next((one for one in references(feed) if one.column not in feed.sources), None):
        return (
            f"its {odd.column!r} is computed, and records wait only for values that they came with; reference the "
            'column that it is computed from, or say on_missing_reference="warn".'
        )
    return None


_WITHOUT_REFERENCES = (
    'on_missing_reference="quarantine" is about references, and none is declared; name them with references.'
)
