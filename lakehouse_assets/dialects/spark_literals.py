"""Arguments that have to be written in the query, as values. Not here: literals as parts of expressions."""

from decimal import Decimal

from sqlglot import exp

from lakehouse_assets.dialects.spark_expressions import refused


def written(node: exp.Expr | None, call: exp.Expr) -> str:
    """Return a text that stands in the query."""
    if isinstance(node, exp.Literal) and node.is_string:
        return str(node.name)
    raise refused(call, "this argument has to be written in the query")


def number(node: exp.Expr | None, call: exp.Expr, least: int = 0) -> int:
    """Return a whole number that stands in the query."""
    if isinstance(node, exp.Literal) and not node.is_string and node.name.isdigit() and int(node.name) >= least:
        return int(node.name)
    raise refused(call, f"its number has to be written in the query, and be {least} or more")


def is_half(node: exp.Expr) -> bool:
    """Return whether 0.5 stands in the query."""
    return isinstance(node, exp.Literal) and not node.is_string and Decimal(node.name) == Decimal("0.5")


def share(node: exp.Expr, call: exp.Expr) -> str:
    """Return a share of a whole that stands in the query, as a decimal."""
    if isinstance(node, exp.Literal) and not node.is_string and "e" not in node.name.lower():
        digits = Decimal(node.name)
        scale = max(-int(digits.as_tuple().exponent), 0)
        if 0 <= digits <= 1 and scale <= 9:  # noqa: PLR2004 - what a product with a count has room for
            return f"CAST('{digits}' AS DECIMAL(10, {scale}))"
    raise refused(call, "its shares have to be written in the query, each from 0 to 1")
