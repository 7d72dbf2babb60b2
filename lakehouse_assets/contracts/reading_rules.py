"""The rules that a record breaks when it cannot be read as its contract says. Not here: the contract's own rules."""

from collections.abc import Mapping
from typing import Protocol

import dataframely as dy
import polars as pl

from lakehouse_assets.contracts import semantics
from lakehouse_assets.contracts.reference_rules import Reference
from lakehouse_assets.contracts.rules import SHAPE, Rule, type_name
from lakehouse_assets.contracts.source import Source


class Declared(semantics.Declared, Protocol):
    """What is read here of a feed."""

    @property
    def columns(self) -> Mapping[str, dy.Column]: ...

    @property
    def sources(self) -> Mapping[str, Source]: ...

    @property
    def range_rule(self) -> str: ...

    @property
    def awaited(self) -> Mapping[str, Reference]: ...


def reading_rules(feed: Declared) -> dict[str, Rule]:
    """Return the rules of reading a record, by id. They carry no expression: casting the record evaluates them."""
    reading = {SHAPE: "the record has the shape of its object (as many fields as headers)"}
    for name, origin in feed.sources.items():
        dtype = feed.columns[name].dtype
        if not isinstance(dtype, pl.String):
            reading[f"{name}_readable"] = f"`{name}` can be read as {type_name(dtype)}"
        if len(origin.formats) > 1:
            reading[f"{name}_unambiguous"] = f"`{name}` is read alike by all of its formats that can read it"
        if isinstance(dtype, pl.Decimal) and not origin.rounded:
            reading[f"{name}_scale"] = f"`{name}` has at most {dtype.scale} decimals"
    if feed.business_date:
        reading[feed.range_rule] = f"`{feed.business_date}` lies between the first business date and today"
    if once := semantics.once_rule(feed):
        reading[once] = semantics.once_text(feed)
    reading |= {rule: reference.rule_text for rule, reference in feed.awaited.items()}
    return {rule_id: Rule(rule_id, text, pl.lit(value=True)) for rule_id, text in reading.items()}
