"""The identities of a feed's declaration: when one changes, records are computed again, or landed objects read anew.

An argument that was added later is a part of them only where it is declared: feeds without it stay as they were.
"""

from collections.abc import Mapping
from typing import Protocol

import polars as pl

from lakehouse_assets.contracts import keys, reference_rules, semantics
from lakehouse_assets.contracts.drift import DriftPolicy, Policy
from lakehouse_assets.contracts.evaluation import is_row_wise
from lakehouse_assets.contracts.file_format import Format
from lakehouse_assets.contracts.keys import Key, bucketing
from lakehouse_assets.contracts.rules import rules_of
from lakehouse_assets.contracts.source import Source, meaning, rule_texts, steps, version


class Declared(semantics.Declared, keys.Declared, reference_rules.Declared, Protocol):
    """What is read here of a feed."""

    @property
    def sources(self) -> Mapping[str, Source]: ...

    @property
    def derivations(self) -> Mapping[str, pl.Expr]: ...

    @property
    def gate(self) -> float: ...

    @property
    def drift(self) -> DriftPolicy: ...

    @property
    def format(self) -> Format | None: ...

    @property
    def keyed(self) -> Key | None: ...

    def missing_policy(self, name: str) -> Policy | None: ...

    def retyped_policy(self, name: str) -> Policy: ...


def of_contract(feed: Declared) -> str:
    """Return the identity of the contract's meaning: it changes when a replay could give another candidate."""
    columns = {name: str(column.dtype) for name, column in feed.contract.columns().items()}
    sources = {
        name: [o.headers, steps(o), o.formats, o.on_missing, o.on_retyped, *o.typing]
        for name, o in feed.sources.items()
    }
    derivations = {name: meaning(expression) for name, expression in feed.derivations.items()}
    rules = rule_texts(feed.contract)
    parts: list[object] = [columns, sources, derivations, rules, feed.business_date, feed.time_zone, feed.gate]
    parts += [feed.drift, *_declared_format(feed)]
    if added := semantics.declared(feed) | reference_rules.declared(feed):
        parts.append(added)
    if feed.keyed is not None:
        parts += keys.identity(feed.keyed)
    # What looks at other rows was once evaluated over whatever was published together: it is computed again.
    expressions = [*feed.derivations.values(), *(rule.expression for rule in rules_of(feed.contract))]
    return version(parts if all(map(is_row_wise, expressions)) else [*parts, "each partition alone"])


def of_reading(feed: Declared) -> str:
    """Return the identity of how landed objects are read into bronze: when it changes, they are read anew.

    Types, formats and normalisation are part of it only where bronze depends on them: for the business date, and
    where a retyped column is dropped or refused.
    """
    columns = {}
    period = [] if feed.partition_by == "day" else [feed.partition_by]
    zones = [feed.time_zone] if feed.naive_zone == feed.time_zone else [feed.time_zone, feed.naive_zone]
    for name, origin in feed.sources.items():
        retyped = feed.retyped_policy(name)
        is_typed = retyped in {Policy.DISCARD_COLUMN, Policy.FREEZE}
        dtype = str(feed.contract.columns()[name].dtype)
        type_read = [dtype, steps(origin), origin.formats, *zones, *origin.typing]
        columns[origin.headers[0]] = [
            origin.headers,
            feed.missing_policy(name),
            [retyped, type_read] if is_typed else None,
            [*type_read, *period] if name == feed.business_date else None,
        ]
    read = version([columns, feed.drift.new, *_declared_format(feed)])
    return read if feed.keyed is None else f"{read}.{bucketing(feed)}"


def of_values(feed: Declared) -> dict[str, str]:
    """Return the identity of how each source column's text is brought to the form in which values are compared."""
    columns = feed.contract.columns()
    return {
        name: version([steps(origin), str(columns[name].dtype), *origin.typing])
        for name, origin in feed.sources.items()
    }


def _declared_format(feed: Declared) -> list[str]:
    return [] if feed.format is None else [repr(feed.format)]
