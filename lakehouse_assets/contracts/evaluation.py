"""Evaluating the expressions of a declaration over rows of many partitions, as if each partition stood alone.

Here: which expressions look at other rows, at which of them, and the evaluation. Not here: which expressions there are,
and what follows from their values.
"""

import json
from collections.abc import Mapping
from functools import lru_cache

import polars as pl

_ROW = "_row"
_REPEATS = {"IsDuplicated", "IsUnique", "IsFirstDistinct", "IsLastDistinct"}


def evaluated(rows: pl.DataFrame, expressions: Mapping[str, pl.Expr], partition: str | None) -> pl.DataFrame:
    """Return a column per expression, in the order of the rows. An aggregate is repeated for each row of its partition.

    Args:
        rows: Rows of any number of partitions; those of one partition stand in the order that counts.
        expressions: By the name of their column; they may hold windows of their own.
        partition: The column that names a row's partition; None if all rows are of one.
    """
    # By alias, as a keyword of Polars may not be any name: a column may be called `self`.
    alone = [
        (expression if partition is None or is_row_wise(expression) else expression.over(partition)).alias(name)
        for name, expression in expressions.items()
    ]
    # As many values as rows, also where every expression is a constant or an aggregate.
    return rows.select(pl.int_range(pl.len()).alias(_ROW), *alone).drop(_ROW)


def is_row_wise(expression: pl.Expr) -> bool:
    """Return whether the value for a row follows from that row alone; False when in doubt."""
    try:
        return _is_text_row_wise(expression.meta.serialize(format="json"))
    except pl.exceptions.PolarsError:
        return False


def group_of(expression: pl.Expr) -> frozenset[str] | None:
    """Return columns such that the value for a row follows from the rows that have the row's values in all of them.

    None where the row alone says it; no column where any row may matter, and when in doubt.
    """
    try:
        return _group_of(json.loads(expression.meta.serialize(format="json")))
    except pl.exceptions.PolarsError:
        return frozenset()


@lru_cache(maxsize=1024)
def _is_text_row_wise(text: str) -> bool:
    # Each batch asks about the same few rules, and parsing one takes longer than evaluating it on a small batch.
    return _is_row_wise(json.loads(text))


def _is_row_wise(node: object) -> bool:
    inputs = _inputs(node)
    return inputs is not None and all(map(_is_row_wise, inputs))


def _group_of(node: object) -> frozenset[str] | None:
    match node:
        case {"Over": {"partition_by": list(keys), "mapping": "GroupsToRows"}}:
            return _columns(keys)
        case {"Function": {"input": [{"Function": {"input": keys, "function": "AsStruct"}}], "function": function}}:
            return _columns(keys) if _is_about_repeats(function) else frozenset()
        case {"Function": {"input": [{"Column": _} as key], "function": function}} if _is_about_repeats(function):
            return _columns([key])
    inputs = _inputs(node)
    if inputs is None:
        return frozenset()
    found = [group for each in inputs if (group := _group_of(each)) is not None]
    return frozenset.intersection(*found) if found else None


def _columns(keys: list[object]) -> frozenset[str]:
    # Rows that agree in all keys agree in those of them that are plain columns.
    return frozenset(key["Column"] for key in keys if isinstance(key, dict) and "Column" in key)


def _is_about_repeats(function: object) -> bool:
    return isinstance(function, dict) and function.get("Boolean") in _REPEATS


def _inputs(node: object) -> list[object] | None:
    """Return what a row-wise operation is made of; None for any other operation."""
    # Polars knows it of its own functions. Of whole expressions it says what holds for the outermost node only.
    match node:
        case {"Column": _}:
            return []
        case {"Literal": value}:
            return None if isinstance(value, dict) and "Series" in value else []
        case {"BinaryExpr": {"left": left, "right": right}}:
            return [left, right]
        case {"Ternary": {"predicate": predicate, "truthy": truthy, "falsy": falsy}}:
            return [predicate, truthy, falsy]
        case {"Cast": {"expr": inner}} | {"Alias": [inner, _]}:
            return [inner]
        case {"Function": {"input": list(inputs)}} if _is_elementwise(node):
            return inputs
        case _:
            return None


def _is_elementwise(function: object) -> bool:
    meta = pl.Expr.deserialize(json.dumps(function).encode(), format="json").meta
    return meta.is_row_separable() and meta.is_length_preserving() and not meta.is_scalar()
