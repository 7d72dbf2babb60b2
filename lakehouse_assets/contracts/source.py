"""Where a contract's columns come from: the metadata that a declaration gives each of them."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import dataframely as dy
import polars as pl

from lakehouse_assets.contracts.drift import Policy
from lakehouse_assets.contracts.rules import rules_of
from lakehouse_assets.contracts.table import Column

# Raised when the code that turns records into candidates changes its meaning: every published date becomes pending.
SEMANTICS = 1

KEY = "lakehouse"


class Contract(dy.Schema):
    """Columns and rules of a feed's records, as a dataframely schema.

    A column is read from the field of its own name, unless its metadata says otherwise, with `source` or `derived`.
    Rules are dataframely rules.
    """


class ContractError(Exception):
    """A declaration that cannot work; the message names the module's object and what to change."""


Normaliser = Callable[[pl.Expr], pl.Expr]


def upper(text: pl.Expr) -> pl.Expr:
    """Upper-case a text."""
    return text.str.to_uppercase()


def drop_point_zero(text: pl.Expr) -> pl.Expr:
    """Drop the `.0` that a spreadsheet or data frame adds to a whole number: `17850.0` is `17850`."""
    return text.str.strip_suffix(".0")


@dataclass(frozen=True)
class Source:
    """Where a contract column is read from: the header names it may have, and how its text is normalised."""

    headers: tuple[str, ...]
    normalise: tuple[Normaliser, ...] = ()
    formats: tuple[str, ...] = ()
    personal: bool = False
    on_missing: Policy | None = None
    on_retyped: Policy | None = None


@dataclass(frozen=True)
class Derived:
    """A contract column computed from the others."""

    expression: pl.Expr


def source(
    *headers: str,
    normalise: tuple[Normaliser, ...] = (),
    formats: tuple[str, ...] = (),
    personal: bool = False,
    on_missing: Policy | None = None,
    on_retyped: Policy | None = None,
) -> dict[str, Any]:
    """Metadata of a column that is read from the feed. A column without metadata is read as with `source()`.

    Args:
        headers: Names that the field may have in the landed records; the first one present in an object counts. By
            default the column's own name.
        normalise: Applied in order after trimming; blank text is null.
        formats: For times without offset and for dates: the chrono formats to try, instead of the ISO ones.
        personal: Personal data, which previews and logs never show.
        on_missing: What happens where the column is missing, if not what the feed's drift policy says.
        on_retyped: What happens where none of its values can be read, if not what the feed's drift policy says.
    """
    return {KEY: Source(headers, normalise, formats, personal, on_missing, on_retyped)}


def origin_of(name: str, column: dy.Column) -> Source | Derived:
    """Return where a contract column comes from."""
    origin: Source | Derived = (column.metadata or {}).get(KEY, Source(()))
    return replace(origin, headers=(name,)) if isinstance(origin, Source) and not origin.headers else origin


def derived(expression: pl.Expr) -> dict[str, Any]:
    """Metadata of a column that is computed from other columns of the contract."""
    return {KEY: Derived(expression)}


def columns_of(schema: type[dy.Schema]) -> dict[str, Column]:
    """Return a schema's columns as a table has them."""
    columns = {}
    for name, column in schema.columns().items():
        columns[name] = Column(
            dtype=column.dtype,
            description=column.description or "",
            nullable=column.nullable,
            personal=_is_personal(schema, name),
        )
    return columns


def _is_personal(schema: type[dy.Schema], name: str) -> bool:
    """Return whether a column is declared as personal data, or computed from one that is."""
    origin = (schema.columns()[name].metadata or {}).get(KEY) if name in schema.columns() else None
    if isinstance(origin, Derived):
        return any(_is_personal(schema, root) for root in origin.expression.meta.root_names() if root != name)
    return isinstance(origin, Source) and origin.personal


def rule_texts(schema: type[dy.Schema]) -> list[str]:
    """Return all of what a schema's rules ask."""
    return [f"{rule.id}: {meaning(rule.expression)}" for rule in rules_of(schema)]


def meaning(expression: pl.Expr) -> str:
    """Return all of an expression, its arguments included: what is printed of it leaves some out."""
    return str(expression.meta.serialize(format="json"))


def steps(origin: Source) -> list[str]:
    """Return all of what a column's normalisation does."""
    return [meaning(step(pl.col(origin.headers[0]))) for step in origin.normalise]


def version(parts: object) -> str:
    """Return the identity of a declaration's meaning."""
    return hashlib.sha256(json.dumps([SEMANTICS, parts], default=str, sort_keys=True).encode()).hexdigest()[:16]
