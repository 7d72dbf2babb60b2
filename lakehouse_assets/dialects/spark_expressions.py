"""Expressions of DuckDB in Spark's SQL, each with the type that it has in DuckDB. Not here: functions, whole queries.

What is not named here, or in the modules of functions, is refused: a construct is translated because somebody knows
what it means in both engines, and a test has compared them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlglot import exp

from lakehouse_assets.dialects.spark_arguments import unknown_argument
from lakehouse_assets.dialects.spark_casts import converted
from lakehouse_assets.dialects.spark_types import (
    NotInSparkError,
    Sources,
    Type,
    column_type,
    quoted,
    type_of,
)

_COMPARED = {exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">=", exp.NullSafeEQ: "<=>"}
_ORDERED = (
    "boolean",
    "float",
    "double",
    "varchar",
    "date",
    "timestamp",
    "timestamp with time zone",
    "decimal",
    "hugeint",
)
_ESCAPES = str.maketrans({"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0"})


class Expressions:
    """The expressions of one SELECT.

    Args:
        sources: The columns of its tables.
        query: Gives a query within an expression in Spark's SQL, and the types of its columns.
        rules: How each kind of expression is translated.
    """

    def __init__(self, sources: Sources, query: Callable[[exp.Query], tuple[str, list[Type]]], rules: "Rules") -> None:
        self.sources, self.query, self.rules = sources, query, rules

    def type(self, node: exp.Expr) -> Type:
        """Return the type that a value has in DuckDB."""
        return type_of(node, self.sources, lambda query: self.query(query)[1][0])

    def common(self, nodes: Sequence[exp.Expr]) -> Type:
        """Return the type in which DuckDB compares some values, which has to have an order."""
        found = self.type(exp.Coalesce(this=nodes[0].copy(), expressions=[node.copy() for node in nodes[1:]]))
        if found.is_integer or found.is_null or found.id in _ORDERED:
            return found
        raise refused(nodes[0], f"values of the type {found.name} are compared in another way")

    def as_type(self, node: exp.Expr, wanted: Type) -> str:
        """Return a value in another type."""
        return converted(node, self.text(node), self.type(node), wanted)

    def text(self, node: exp.Expr) -> str:
        """Return an expression in Spark's SQL. Raises `NotInSparkError`."""
        known(node)
        if rule := self.rules.get(type(node)):
            return rule(self, node)
        raise refused(node, "it is not translated")

    def literal(self, node: exp.Literal) -> str:
        if node.is_string:
            return string(node.name)
        found = self.type(node)
        return node.name if found.id == "integer" else f"CAST('{node.name}' AS {found.in_spark})"

    def column(self, node: exp.Column) -> str:
        column_type(node, self.sources)
        return f"{quoted(node.table)}.{quoted(node.name)}"

    def comparison(self, node: exp.Binary) -> str:
        common = self.common([node.this, node.expression])
        a, b = self.as_type(node.this, common), self.as_type(node.expression, common)
        if isinstance(node, exp.NullSafeNEQ):
            return f"(NOT {a} <=> {b})"
        return f"({a} {_COMPARED[type(node)]} {b})"

    def between(self, node: exp.Between) -> str:
        low, high = (
            self.text(exp.GTE(this=node.this.copy(), expression=node.args["low"].copy())),
            self.text(exp.LTE(this=node.this.copy(), expression=node.args["high"].copy())),
        )
        return f"({low} AND {high})"

    def within(self, node: exp.In) -> str:
        if (query := node.args.get("query")) is not None:
            text, types = self.query(query.unnest())
            if [self.type(node.this)] != types:
                raise refused(node, "its two sides are of different types; cast one of them")
            return f"({self.text(node.this)} IN ({text}))"
        if not node.expressions:
            raise refused(node, "only a list of values or a query is translated")
        common = self.common([node.this, *node.expressions])
        values = ", ".join(self.as_type(value, common) for value in node.expressions)
        return f"({self.as_type(node.this, common)} IN ({values}))"

    def case(self, node: exp.Case | exp.If) -> str:
        wanted = self.type(node)
        if isinstance(node, exp.If):
            branches, last = [node], node.args.get("false")
        else:
            branches, last = node.args["ifs"], node.args.get("default")
        whens = []
        for branch in branches:
            test = branch.this
            if isinstance(node, exp.Case) and node.this is not None:
                test = exp.EQ(this=node.this.copy(), expression=test.copy())
            whens.append(f"WHEN {self.condition(test)} THEN {self.as_type(branch.args['true'], wanted)}")
        otherwise = f" ELSE {self.as_type(last, wanted)}" if last is not None else ""
        return f"CASE {' '.join(whens)}{otherwise} END"

    def condition(self, node: exp.Expr) -> str:
        """Return something that is true or false. A number is none."""
        if self.type(node).id not in {"boolean", "null"} and not self.type(node).is_null:
            raise refused(node, "a condition has to be true or false; compare it with something")
        return self.text(node)

    def connected(self, node: exp.Connector) -> str:
        word = "AND" if isinstance(node, exp.And) else "OR"
        return f"({self.condition(node.this)} {word} {self.condition(node.expression)})"

    def of_one_type(self, node: exp.Func) -> str:
        parts = [node.this, *node.expressions]
        wanted = self.type(node)
        if not isinstance(node, exp.Coalesce):
            self.common(parts)
        name = type(node).__name__.upper()
        texts = [self.as_type(part, wanted) for part in parts]
        return f"{name}({', '.join(texts)})" if len(texts) > 1 else texts[0]

    def nullif(self, node: exp.Nullif) -> str:
        test = self.comparison(exp.EQ(this=node.this.copy(), expression=node.expression.copy()))
        return f"CASE WHEN {test} THEN NULL ELSE {self.text(node.this)} END"

    def cast(self, node: exp.Cast) -> str:
        if isinstance(node, exp.TryCast):
            raise refused(node, "the engines differ in what they cannot read; cast in the contract of the feed")
        return self.as_type(node.this, self.type(node))

    def subquery(self, node: exp.Subquery) -> str:
        return f"({self.query(node.this)[0]})"

    def exists(self, node: exp.Exists) -> str:
        return f"EXISTS ({self.query(node.this.unnest())[0]})"


def known(node: exp.Expr) -> None:
    """Refuse an expression with an argument that no rule looks at."""
    if odd := unknown_argument(node):
        raise refused(node, f"its {odd} is not translated")


def refused(node: exp.Expr, why: str) -> NotInSparkError:
    """Return the error that names a construct."""
    return NotInSparkError(node.sql(dialect="duckdb"), why)


def string(text: str) -> str:
    """Return a text as Spark's SQL writes it."""
    return f"'{text.translate(_ESCAPES)}'"


def _is(expressions: Expressions, node: exp.Is) -> str:
    if isinstance(node.expression, exp.Null | exp.Boolean):
        return f"({expressions.text(node.this)} IS {node.expression.sql()})"
    raise refused(node, "it is not translated")


Rules = Mapping[type[exp.Expr], Callable[[Expressions, Any], str]]
"""How each kind of expression is translated."""

RULES: Rules = {
    exp.Literal: Expressions.literal,
    exp.Boolean: lambda _, node: str(node.this).upper(),
    exp.Null: lambda _, node: "NULL",  # noqa: ARG005 - each rule has the node
    exp.Column: Expressions.column,
    exp.Paren: lambda expressions, node: f"({expressions.text(node.this)})",
    **dict.fromkeys([*_COMPARED, exp.NullSafeNEQ], Expressions.comparison),
    exp.Between: Expressions.between,
    exp.In: Expressions.within,
    exp.And: Expressions.connected,
    exp.Or: Expressions.connected,
    exp.Not: lambda expressions, node: f"(NOT {expressions.condition(node.this)})",
    exp.Is: _is,
    exp.Case: Expressions.case,
    exp.If: Expressions.case,
    exp.Coalesce: Expressions.of_one_type,
    exp.Greatest: Expressions.of_one_type,
    exp.Least: Expressions.of_one_type,
    exp.Nullif: Expressions.nullif,
    exp.Cast: Expressions.cast,
    exp.TryCast: Expressions.cast,
    exp.Subquery: Expressions.subquery,
    exp.Exists: Expressions.exists,
}
