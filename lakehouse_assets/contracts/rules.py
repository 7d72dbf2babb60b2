"""The rules of a contract, by id: the one place that reads dataframely's list of them.

A rule id is also the name of the asset check and what quarantine shows, so it is made of word characters only.
"""

import re
from dataclasses import dataclass
from functools import cache

import dataframely as dy
import polars as pl

SHAPE = "record_shape"
_SHORT = {"nullability": "required", "dtype": "readable"}


@dataclass(frozen=True)
class Rule:
    """One rule: its id, what it asks in words, and the expression that is true where it holds."""

    id: str
    text: str
    expression: pl.Expr
    column: str | None = None


@cache
def rules_of(schema: type[dy.Schema]) -> tuple[Rule, ...]:
    """Return the row rules that a schema declares, with a null outcome counting as kept."""
    declared = schema._validation_rules(with_cast=False)  # noqa: SLF001 - dataframely 3.1 has no public list
    rules = []
    for name, rule in declared.items():
        column, _, kind = name.partition("|")
        rule_id = f"{column}_{_SHORT.get(kind, kind)}" if kind else name
        text = _text(schema, column, kind) if kind else (rule_doc(schema, name) or name.replace("_", " "))
        rules.append(Rule(re.sub(r"\W", "_", rule_id), text, rule.expr, column if kind else None))
    return tuple(rules)


def rule_doc(schema: type[dy.Schema], name: str) -> str | None:
    """Return the docstring of a rule's method, where dataframely kept it."""
    for base in schema.__mro__:
        factory = base.__dict__.get(name)
        function = getattr(factory, "validation_fn", None)
        if function is not None:
            doc: str | None = function.__doc__
            return doc.strip().splitlines()[0].rstrip(".") if doc else None
    return None


def type_name(dtype: object) -> str:
    """Return what a person calls a type."""
    match dtype:
        case pl.Decimal():
            return "a number"
        case pl.Datetime() | pl.Date():
            return "a date or time"
        case _ if isinstance(dtype, pl.DataType) and dtype.is_integer():
            return "an integer"
        case _:
            return f"{dtype}".lower()


def _text(schema: type[dy.Schema], column: str, kind: str) -> str:
    declared = schema.columns()[column]
    match kind:
        case "nullability":
            return f"`{column}` is present"
        case "regex":
            return f"`{column}` matches `{getattr(declared, 'regex', '')}`"
        case "min":
            return f"`{column}` is at least {getattr(declared, 'min', '')}"
        case "max":
            return f"`{column}` is at most {getattr(declared, 'max', '')}"
        case _:
            return f"`{column}` keeps {kind.replace('_', ' ')}"
