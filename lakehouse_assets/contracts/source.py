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
    decimal: str = "."
    thousands: str | None = None
    rounded: bool = False
    missing: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        name = f"source({self.headers[0] if self.headers else ''!r})"
        if self.decimal not in {".", ","}:
            msg = f"{name}: decimal={self.decimal!r} must be '.' or ','; correct it."
            raise ContractError(msg)
        if self.thousands is not None and (
            len(self.thousands) != 1 or self.thousands.isalnum() or self.thousands in {self.decimal, "+", "-"}
        ):
            msg = (
                f"{name}: thousands={self.thousands!r} must be one character, no letter or digit, and another one than "
                f"decimal={self.decimal!r}; correct it."
            )
            raise ContractError(msg)
        if self.headers and not self.headers[0].strip():
            msg = f'{name}: bronze needs a name for a field that has none, such as source("unnamed", ""); add one.'
            raise ContractError(msg)
        if isinstance(self.missing, str) or any(not text or text != text.strip() for text in self.missing):
            msg = (
                f"{name}: missing={self.missing!r} must be a tuple of texts that are not blank, without space around "
                'them, such as missing=("NA",); correct it.'
            )
            raise ContractError(msg)

    def check(self, dtype: pl.DataType, where: str) -> None:
        """Raise `ContractError` for an option that the column's type does not have."""
        if self.rounded and not isinstance(dtype, pl.Decimal):
            msg = f"{where}: rounded=True is for decimals, not for {dtype}; leave it out, or make it dy.Decimal."
            raise ContractError(msg)
        if (self.decimal != "." or self.thousands) and not dtype.is_numeric():
            msg = f"{where}: decimal and thousands are for numbers, not for {dtype}; leave them out."
            raise ContractError(msg)

    @property
    def typing(self) -> list[str]:
        """What is declared of how text becomes a value, beside the formats and steps; empty by default.

        Several formats are part of it: a value that two of them read differently is refused.
        """
        number = (self.decimal, self.thousands, self.rounded)
        said = [repr(number)] * (number != (".", None, False)) + ["unambiguous"] * (len(self.formats) > 1)
        return said + [f"missing {sorted(self.missing)}"] * bool(self.missing)


@dataclass(frozen=True)
class Derived:
    """A contract column computed from the others."""

    expression: pl.Expr


def source(  # noqa: PLR0913 - one argument per thing that can be said of a field
    *headers: str,
    normalise: tuple[Normaliser, ...] = (),
    formats: tuple[str, ...] = (),
    personal: bool = False,
    on_missing: Policy | None = None,
    on_retyped: Policy | None = None,
    decimal: str = ".",
    thousands: str | None = None,
    rounded: bool = False,
    missing: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Metadata of a column that is read from the feed. A column without metadata is read as with `source()`.

    Args:
        headers: Names that the field may have in the landed records; the first one present in an object counts. By
            default the column's own name. `address.city` is the field `city` inside of `address`, where no field has
            that name itself. A column without a name is `""`, behind the name that it has in bronze.
        normalise: Applied in order after trimming, to text that is not missing; blank text is null.
        formats: For times without offset and for dates: the chrono formats, instead of the ISO ones. A value that two
            of them read differently is refused.
        personal: Personal data, which previews and logs never show.
        on_missing: What happens where the column is missing, if not what the feed's drift policy says.
        on_retyped: What happens where none of its values can be read, if not what the feed's drift policy says.
        decimal: The character before a number's decimals, `.` or `,`.
        thousands: The character between groups of three digits, where there is one; numbers without it are taken, too.
        rounded: For decimals: round a number with more decimals than the type has, such as `2.5500000000000003` or
            `1.776357e-15`, instead of refusing it.
        missing: Texts that say that there is no value, such as `NA` or `NULL`, exactly so written; blank text always
            does.

    Raises:
        ContractError: `decimal` or `thousands` is no such character, or `missing` no such texts.
    """
    number = (decimal, thousands, rounded)
    return {KEY: Source(headers, normalise, formats, personal, on_missing, on_retyped, *number, missing)}


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
