"""Quantiles and the median, of all the values of a group in order. Not here: other aggregates."""

from decimal import Decimal

from sqlglot import exp

from lakehouse_assets.dialects.spark_casts import as_double
from lakehouse_assets.dialects.spark_expressions import Expressions, refused
from lakehouse_assets.dialects.spark_literals import is_half, share
from lakehouse_assets.dialects.spark_types import Type

_OF_64_BITS = 18


def quantile(expressions: Expressions, node: exp.PercentileDisc | exp.Quantile, where: str) -> str:
    """Return one of the values, or one for each share of a list.

    Args:
        where: The filter behind each call.
    """
    found, value = expressions.type(node), expressions.text(node.this)
    expressions.common([node.this])
    asked = node.args["quantile"] if isinstance(node, exp.Quantile) else node.expression
    many = isinstance(asked, exp.Array)
    parts = [share(part, node) for part in (asked.expressions if many else [asked])]
    rows, count = _rows(value, where)
    values = [f"GET({rows}, GREATEST(CAST(CEIL({count} * {part}) AS INT) - 1, 0))" for part in parts]
    if not many:
        return values[0]
    return f"CASE WHEN {count} > 0 THEN CAST(ARRAY({', '.join(values)}) AS {found.in_spark}) END"


def middle(expressions: Expressions, node: exp.Median | exp.PercentileCont, where: str) -> str:
    """Return the value in the middle, or what DuckDB computes of the two that are there.

    Args:
        where: The filter behind each call.
    """
    if isinstance(node, exp.PercentileCont) and not is_half(node.expression):
        why = "DuckDB computes what is between two values in a way that Spark has not; write quantile_disc"
        raise refused(node, f"{why}, or the share 0.5")
    kind, wanted = expressions.type(node.this), expressions.type(node)
    precision, _ = kind.decimal or (0, 0)
    if wanted.id != "double" and (kind.id != "decimal" or precision > _OF_64_BITS):
        why = "only the middle of integers and of decimals of 18 digits is translated"
        raise refused(node, f"{why}; cast to DECIMAL(18, ...), or write quantile_disc(x, 0.5)")
    if kind.decimal is None:
        raise refused(node, "floats have no exact middle; declare a decimal, or write quantile_disc(x, 0.5)")
    rows, count = _rows(expressions.text(node.this), where)
    low, high = (f"GET({rows}, CAST({at} DIV 2 AS INT))" for at in (f"({count} - 1)", count))
    if wanted.id == "double":
        between = f"{as_double(low, kind)} * 0.5D + {as_double(high, kind)} * 0.5D"
    else:
        between = _between(low, high, kind)
    return f"CASE WHEN {count} % 2 = 1 THEN {_one(low, kind, wanted)} WHEN {count} > 0 THEN {between} END"


def _one(value: str, kind: Type, wanted: Type) -> str:
    return as_double(value, kind) if wanted.id == "double" else value


def _between(low: str, high: str, kind: Type) -> str:
    """Return the middle of two decimals: their digits are computed as doubles, and cut off."""
    precision, scale = kind.decimal or (_OF_64_BITS, 0)
    tens = f"CAST('{10**scale}' AS DECIMAL({scale + 1}, 0))"
    unit = f"CAST('{Decimal(1).scaleb(-scale):f}' AS DECIMAL({scale + 1}, {scale}))"
    first, last = (f"CAST(CAST({one} * {tens} AS DECIMAL({precision}, 0)) AS DOUBLE)" for one in (low, high))
    digits = f"CAST({first} + ({last} - {first}) * 0.5D AS BIGINT)"
    return f"CAST(CAST({digits} AS DECIMAL(19, 0)) * {unit} AS {kind.in_spark})"


def _rows(value: str, where: str) -> tuple[str, str]:
    """Return the values in order, and how many they are."""
    return f"ARRAY_SORT(COLLECT_LIST({value}){where})", f"COUNT({value}){where}"
