"""Functions of many rows: aggregates, with and without a window. Not here: those of one row, and quantiles."""

from collections.abc import Callable

from sqlglot import exp

from lakehouse_assets.dialects.spark_expressions import Expressions, Rules, known, refused
from lakehouse_assets.dialects.spark_quantiles import middle, quantile
from lakehouse_assets.dialects.spark_types import Type

_RANKED = {
    exp.RowNumber: "ROW_NUMBER",
    exp.Rank: "RANK",
    exp.DenseRank: "DENSE_RANK",
    exp.Lag: "LAG",
    exp.Lead: "LEAD",
    exp.FirstValue: "FIRST_VALUE",
    exp.LastValue: "LAST_VALUE",
}


def _sum(expressions: Expressions, node: exp.Sum) -> str:
    distinct, value = _distinct(node)
    found, wanted = expressions.type(value), expressions.type(node)
    if found.decimal is None:
        raise refused(node, "the order in which floats are added up decides the last digits; declare a decimal")
    return f"SUM({distinct}CAST({expressions.text(value)} AS {wanted.in_spark}))"


def _average(_: Expressions, node: exp.Avg) -> str:
    why = "DuckDB computes its last digits in more than one way, by what else a query has; write sum(x) / count(x)"
    raise refused(node, why)


def _count(expressions: Expressions, node: exp.Count) -> str:
    if isinstance(node.this, exp.Star) or node.this is None:
        return "COUNT(*)"
    distinct, value = _distinct(node)
    return f"COUNT({distinct}{expressions.text(value)})"


def _extreme(expressions: Expressions, node: exp.Min | exp.Max | exp.AnyValue) -> str:
    _, value = _distinct(node)
    expressions.common([value])
    return f"{'MAX' if isinstance(node, exp.Max) else 'MIN'}({expressions.text(value)})"


def _logical(expressions: Expressions, node: exp.LogicalAnd | exp.LogicalOr) -> str:
    name = "BOOL_AND" if isinstance(node, exp.LogicalAnd) else "BOOL_OR"
    return f"{name}({expressions.condition(node.this)})"


def _distinct(node: exp.AggFunc) -> tuple[str, exp.Expr]:
    if not isinstance(node.this, exp.Distinct):
        return "", node.this
    if len(node.this.expressions) != 1 or node.this.args.get("on"):
        raise refused(node, "only DISTINCT of one value is translated")
    return "DISTINCT ", node.this.expressions[0]


_SIMPLE: dict[type[exp.Expr], Callable[[Expressions, exp.Expr], str]] = {
    exp.Sum: _sum,  # type: ignore[dict-item]
    exp.Avg: _average,  # type: ignore[dict-item]
    exp.Count: _count,  # type: ignore[dict-item]
    exp.Min: _extreme,  # type: ignore[dict-item]
    exp.Max: _extreme,  # type: ignore[dict-item]
    exp.AnyValue: _extreme,  # type: ignore[dict-item]
    exp.LogicalAnd: _logical,  # type: ignore[dict-item]
    exp.LogicalOr: _logical,  # type: ignore[dict-item]
}


def _aggregate(expressions: Expressions, node: exp.Expr) -> str:
    return _filtered(expressions, node, None)


def _filter(expressions: Expressions, node: exp.Filter) -> str:
    return _filtered(expressions, node.this, expressions.condition(node.expression.this))


def _filtered(expressions: Expressions, node: exp.Expr, condition: str | None) -> str:
    if isinstance(node, exp.IgnoreNulls) and isinstance(node.this, exp.AnyValue):
        node = node.this
    known(node)
    if isinstance(node, exp.ArgMax | exp.ArgMin):
        return _at_extreme(expressions, node, condition)
    if isinstance(node, exp.PercentileDisc | exp.Quantile):
        return quantile(expressions, node, _where(condition))
    if isinstance(node, exp.Median | exp.PercentileCont):
        return middle(expressions, node, _where(condition))
    if type(node) not in _SIMPLE:
        raise refused(node, "it is not translated")
    return _SIMPLE[type(node)](expressions, node) + _where(condition)


def _where(*conditions: str | None) -> str:
    given = [condition for condition in conditions if condition is not None]
    return f" FILTER (WHERE {' AND '.join(given)})" if given else ""


def _at_extreme(expressions: Expressions, node: exp.ArgMax | exp.ArgMin, condition: str | None) -> str:
    value, name = expressions.text(node.this), "MAX_BY" if isinstance(node, exp.ArgMax) else "MIN_BY"
    by, there = node.expression, [condition, f"{value} IS NOT NULL"]
    if isinstance(by, exp.Tuple):  # NULL is larger than all other values to DuckDB
        fields = []
        for at, part in enumerate(by.expressions):
            expressions.common([part])
            fields += [f"'n{at}', {expressions.text(part)} IS NULL", f"'v{at}', {expressions.text(part)}"]
        key = f"NAMED_STRUCT({', '.join(fields)})"
    else:
        expressions.common([by])
        key = expressions.text(by)
        there.append(f"{key} IS NOT NULL")
    return f"{name}({value}, {key}){_where(*there)}"


def _sorted_list(expressions: Expressions, node: exp.ArraySort) -> str:
    """Return the list of an aggregate in order: without one, each engine has its own."""
    inner, condition = node.this, None
    if isinstance(inner, exp.Filter):
        inner, condition = inner.this, expressions.condition(inner.expression.this)
    if not isinstance(inner, exp.ArrayAgg) or (len(node.args) > 1 and _descending(node)):
        raise refused(node, "only list_sort(list(...)), ascending, is translated")
    distinct, value = _distinct(inner)
    if isinstance(value, exp.Order):
        raise refused(node, "its list is sorted twice; leave out one of the two")
    return _collected(expressions, value, distinct, condition)


def _descending(node: exp.ArraySort) -> bool:
    first = node.args.get("nulls_first")
    return bool(node.args.get("expression")) or (first is not None and first.this is not False)


def _ordered_list(expressions: Expressions, node: exp.ArrayAgg | exp.Filter) -> str:
    inner, condition = (node, None) if isinstance(node, exp.ArrayAgg) else (node.this, node.expression.this)
    order = inner.this
    if not isinstance(order, exp.Order) or len(order.expressions) != 1:
        raise refused(node, "each engine has its own order of a list; write list_sort(list(x)), or list(x ORDER BY x)")
    by, value = order.expressions[0], order.this
    distinct, value = _distinct(exp.ArrayAgg(this=value)) if isinstance(value, exp.Distinct) else ("", value)
    if by.this != value or by.args.get("desc") or by.args.get("nulls_first"):
        raise refused(node, "a list is translated in the order of its own values only, ascending, NULLs last")
    return _collected(expressions, value, distinct, None if condition is None else expressions.condition(condition))


def _collected(expressions: Expressions, value: exp.Expr, distinct: str, condition: str | None) -> str:
    found: Type = expressions.type(value)
    expressions.common([value])
    text = expressions.text(value)
    nulls = f"COUNT(*){_where(condition, f'{text} IS NULL')}"
    nulls = f"LEAST({nulls}, 1)" if distinct else nulls
    filled = f"ARRAY_SORT(COLLECT_LIST({distinct}{text}){_where(condition)})"
    rest = f"ARRAY_REPEAT(CAST(NULL AS {found.in_spark}), CAST({nulls} AS INT))"
    return f"CASE WHEN COUNT(*){_where(condition)} > 0 THEN CONCAT({filled}, {rest}) END"


def _window(expressions: Expressions, node: exp.Window) -> str:
    call = node.this
    if isinstance(call, exp.Filter):
        raise refused(node, "Spark has no FILTER with a window; write a CASE in the function")
    known(call)
    if node.args.get("spec") is not None or node.args.get("alias") is not None or isinstance(call, exp.IgnoreNulls):
        raise refused(node, "a frame, a named window, and IGNORE NULLS are not translated")
    parts = [expressions.text(part) for part in node.args.get("partition_by") or []]
    order = node.args.get("order")
    over = f"PARTITION BY {', '.join(parts)} " if parts else ""
    over += f"ORDER BY {', '.join(ordered(expressions, one) for one in order.expressions)}" if order else ""
    if type(call) in _SIMPLE:
        return _SIMPLE[type(call)](expressions, call) + f" OVER ({over})"
    if type(call) not in _RANKED or order is None:
        raise refused(node, "this function is not translated with this window")
    if isinstance(call, exp.Lag | exp.Lead) and (call.args.get("offset") or call.args.get("default")):
        raise refused(node, "lag and lead are translated without an offset and a default")
    value = expressions.text(call.this) if call.this is not None else ""
    return f"CAST({_RANKED[type(call)]}({value}) OVER ({over}) AS {expressions.type(node).in_spark})"


def ordered(expressions: Expressions, node: exp.Ordered) -> str:
    """Return one value of an ORDER BY, and where its NULLs go."""
    known(node)
    if node.this.find(exp.Column) is not None and not isinstance(node.this, exp.Column):
        expressions.common([node.this])
    side = "DESC" if node.args.get("desc") else "ASC"
    return f"{expressions.text(node.this)} {side} NULLS {'FIRST' if node.args.get('nulls_first') else 'LAST'}"


RULES: Rules = {
    **dict.fromkeys([*_SIMPLE, exp.IgnoreNulls, exp.ArgMax, exp.ArgMin], _aggregate),
    **dict.fromkeys([exp.PercentileDisc, exp.Quantile, exp.Median, exp.PercentileCont], _aggregate),
    exp.Filter: lambda e, node: _ordered_list(e, node) if isinstance(node.this, exp.ArrayAgg) else _filter(e, node),
    exp.ArraySort: _sorted_list,
    exp.ArrayAgg: _ordered_list,
    exp.Window: _window,
}
