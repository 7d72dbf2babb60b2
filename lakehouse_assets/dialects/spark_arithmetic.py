"""Sums, products and quotients of DuckDB in Spark's SQL. Not here: functions of numbers."""

from sqlglot import exp

from lakehouse_assets.dialects.spark_expressions import Expressions, Rules, refused
from lakehouse_assets.dialects.spark_types import Type

_SPARK_KEEPS_SCALE = 6
_DIGITS = 38


def _arithmetic(expressions: Expressions, node: exp.Binary) -> str:
    sign = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*"}[type(node)]
    left, right, found = expressions.type(node.this), expressions.type(node.expression), expressions.type(node)
    if "date" in (left.id, right.id):
        return _days(expressions, node, left, right)
    if found.id == "double":
        return f"({expressions.as_type(node.this, found)} {sign} {expressions.as_type(node.expression, found)})"
    if found.decimal is None or left.decimal is None or right.decimal is None:
        raise refused(node, f"{left.name} {sign} {right.name} is not translated")
    # Sail does not notice that integers overflow: a decimal has room for them, and the cast says that they do.
    precision, scale = found.decimal
    size = 20 if found.is_integer else _DIGITS if found.id == "hugeint" else precision
    if isinstance(node, exp.Mul):
        wide = left.decimal[0] + right.decimal[0] + 1 > _DIGITS
        sides = [(one.decimal or (_DIGITS, 0)) for one in (left, right)]
    else:
        wide, sides = size == _DIGITS, [(size, scale)] * 2
    if wide and scale > _SPARK_KEEPS_SCALE:
        raise refused(node, f"of a {found.name} Spark keeps {_SPARK_KEEPS_SCALE} decimals only; cast it before")
    texts = [
        f"CAST({expressions.text(part)} AS DECIMAL({p}, {s}))"
        for part, (p, s) in zip((node.this, node.expression), sides, strict=True)
    ]
    return f"CAST({texts[0]} {sign} {texts[1]} AS {found.in_spark})"


def _days(expressions: Expressions, node: exp.Binary, left: Type, right: Type) -> str:
    a, b = expressions.text(node.this), expressions.text(node.expression)
    if isinstance(node, exp.Sub) and left.id == right.id == "date":
        return f"CAST(DATEDIFF({a}, {b}) AS BIGINT)"
    if isinstance(node, exp.Add) and right.id == "date" and left.is_integer:
        a, b, left, right = b, a, right, left
    if left.id == "date" and right.is_integer and not isinstance(node, exp.Mul):
        return f"DATE_{'ADD' if isinstance(node, exp.Add) else 'SUB'}({a}, CAST({b} AS INT))"
    raise refused(node, f"{left.name} and {right.name} are not added up in the same way; use date_diff, or days")


def _negative(expressions: Expressions, node: exp.Neg) -> str:
    found = expressions.type(node)
    if found.is_integer:
        return _arithmetic(expressions, exp.Sub(this=exp.Literal.number(0), expression=node.this.copy()))
    return f"(- {expressions.text(node.this)})"


def _division(expressions: Expressions, node: exp.Div) -> str:
    left, right = expressions.type(node.this), expressions.type(node.expression)
    if expressions.type(node).id != "double" or any(
        one.decimal is None and one.id != "double" for one in (left, right)
    ):
        raise refused(node, f"{left.name} / {right.name} is not translated; cast both to DOUBLE")
    a, b = (expressions.as_type(part, expressions.type(node)) for part in (node.this, node.expression))
    if isinstance(node.expression, exp.Literal) and float(node.expression.name):
        return f"({a} / {b})"
    zero, none = f"{expressions.text(node.expression)} = 0", f"{expressions.text(node.this)} = 0"
    minus = f"{expressions.text(node.this)} < 0"
    return (  # what Spark refuses is infinite to DuckDB, or no number
        f"CASE WHEN {zero} THEN CASE WHEN {none} THEN CAST('NaN' AS DOUBLE) WHEN {minus} "
        f"THEN CAST('-Infinity' AS DOUBLE) ELSE ABS({a}) * CAST('Infinity' AS DOUBLE) END ELSE {a} / {b} END"
    )


def _whole_division(expressions: Expressions, node: exp.Binary) -> str:
    found = expressions.type(node)
    if not found.is_integer:
        raise refused(node, "it is translated for integers only")
    a, b = (f"CAST({expressions.text(part)} AS BIGINT)" for part in (node.this, node.expression))
    return f"CAST({a} {'%' if isinstance(node, exp.Mod) else 'DIV'} {b} AS {found.in_spark})"


RULES: Rules = {
    **dict.fromkeys([exp.Add, exp.Sub, exp.Mul], _arithmetic),
    exp.Neg: _negative,
    exp.Div: _division,
    **dict.fromkeys([exp.IntDiv, exp.Mod], _whole_division),
}
