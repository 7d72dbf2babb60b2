"""Evaluating the expressions of a declaration over rows of many partitions, as if each partition stood alone.

Here: which expressions look at other rows, and the evaluation. Not here: which expressions there are, and what follows
from their values.
"""

import json
from collections.abc import Mapping

import polars as pl

_ROW = "_row"


def evaluated(rows: pl.DataFrame, expressions: Mapping[str, pl.Expr], partition: str | None) -> pl.DataFrame:
    """Return a column per expression, in the order of the rows. An aggregate is repeated for each row of its partition.

    Args:
        rows: Rows of any number of partitions; those of one partition stand in the order that counts.
        expressions: By the name of their column; they may hold windows of their own.
        partition: The column that names a row's partition; None if all rows are of one.
    """
    alone = {
        name: expression if partition is None or is_row_wise(expression) else expression.over(partition)
        for name, expression in expressions.items()
    }
    # As many values as rows, also where every expression is a constant or an aggregate.
    return rows.select(pl.int_range(pl.len()).alias(_ROW), **alone).drop(_ROW)


def is_row_wise(expression: pl.Expr) -> bool:
    """Return whether the value for a row follows from that row alone; False when in doubt."""
    try:
        return _is_row_wise(json.loads(expression.meta.serialize(format="json")))
    except pl.exceptions.PolarsError:
        return False


def _is_row_wise(node: object) -> bool:
    # Polars knows it of its own functions. Of whole expressions it says what holds for the outermost node only.
    match node:
        case {"Column": _}:
            return True
        case {"Literal": value}:
            return not (isinstance(value, dict) and "Series" in value)
        case {"BinaryExpr": {"left": left, "right": right}}:
            inputs = [left, right]
        case {"Ternary": {"predicate": predicate, "truthy": truthy, "falsy": falsy}}:
            inputs = [predicate, truthy, falsy]
        case {"Cast": {"expr": inner}} | {"Alias": [inner, _]}:
            inputs = [inner]
        case {"Function": {"input": inputs}} if _is_elementwise(node):
            pass
        case _:
            return False
    return all(map(_is_row_wise, inputs))


def _is_elementwise(function: object) -> bool:
    meta = pl.Expr.deserialize(json.dumps(function).encode(), format="json").meta
    return meta.is_row_separable() and meta.is_length_preserving() and not meta.is_scalar()
