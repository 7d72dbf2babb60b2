"""One value of a SELECT in Spark's SQL: an expression, or the elements of a list, each in a row of its own."""

from sqlglot import exp

from lakehouse_assets.dialects.spark_expressions import Expressions, refused
from lakehouse_assets.dialects.spark_types import Type


def type_of_value(value: exp.Expr, expressions: Expressions) -> Type:
    """Return the type that a value has in DuckDB. Raises `NotInSparkError`."""
    if not isinstance(value, exp.Unnest | exp.Explode):
        return expressions.type(value)
    found = expressions.type(_unnested(value))
    if found.id != "list":
        raise refused(value, "only a list is translated")
    return found.parts["child"]


def value_of(select: exp.Select, value: exp.Expr, expressions: Expressions) -> str:
    """Return a value of a SELECT in Spark's SQL. Raises `NotInSparkError`."""
    if not isinstance(value, exp.Unnest | exp.Explode):
        return expressions.text(value)
    many = [one for one in select.expressions if isinstance(one.unalias(), exp.Unnest | exp.Explode)]
    if len(many) > 1 or any(select.args.get(name) for name in ("group", "distinct", "having", "order", "limit")):
        raise refused(value, "write one unnest of a SELECT, which does nothing else; group and sort outside of it")
    return f"EXPLODE({expressions.text(_unnested(value))})"


def _unnested(node: exp.Unnest | exp.Explode) -> exp.Expr:
    found: exp.Expr = node.expressions[0] if isinstance(node, exp.Unnest) else node.this
    return found
