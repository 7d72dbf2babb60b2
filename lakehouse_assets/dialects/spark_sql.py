"""DuckDB's SQL in Spark's: one query in, one out, with the same rows to the last digit, or a refusal.

Here: SELECT, joins, unions, WITH. Not here: what stands in them, and who runs it.
"""

from collections.abc import Mapping

import polars as pl
from sqlglot import exp
from sqlglot.errors import SqlglotError

from lakehouse_assets.dialects import (
    spark_aggregates,
    spark_arithmetic,
    spark_expressions,
    spark_functions,
    spark_letters,
    spark_nested,
)
from lakehouse_assets.dialects.plain_sql import plain
from lakehouse_assets.dialects.spark_aggregates import ordered
from lakehouse_assets.dialects.spark_casts import converted
from lakehouse_assets.dialects.spark_expressions import Expressions, known, refused
from lakehouse_assets.dialects.spark_projections import type_of_value, value_of
from lakehouse_assets.dialects.spark_types import (
    Columns,
    NotInSparkError,
    Type,
    columns_of,
    quoted,
)

_MODULES = (spark_expressions, spark_arithmetic, spark_functions, spark_nested, spark_letters, spark_aggregates)
_RULES = {kind: rule for module in _MODULES for kind, rule in module.RULES.items()}
_JOINS = {
    ("", ""): "JOIN",
    ("", "INNER"): "JOIN",
    ("LEFT", ""): "LEFT JOIN",
    ("LEFT", "OUTER"): "LEFT JOIN",
    ("RIGHT", ""): "RIGHT JOIN",
    ("RIGHT", "OUTER"): "RIGHT JOIN",
    ("FULL", ""): "FULL JOIN",
    ("FULL", "OUTER"): "FULL JOIN",
    ("", "SEMI"): "LEFT SEMI JOIN",
    ("", "ANTI"): "LEFT ANTI JOIN",
}
_SETS = {exp.Union: "UNION", exp.Except: "EXCEPT", exp.Intersect: "INTERSECT"}
_OF_SELECT = (
    "expressions",
    "from_",
    "joins",
    "where",
    "group",
    "having",
    "order",
    "limit",
    "offset",
    "distinct",
    "with_",
)


def view_name(table: str) -> str:
    """Return the name of the temporary view in which Spark finds a table of the lake: those have no layers."""
    return table.replace(".", "__")


def spark_sql(query: str, tables: Mapping[str, Mapping[str, pl.DataType]]) -> str:
    """Return a query of DuckDB in Spark's SQL (Spark 4, ANSI, session zone UTC), over one view per table: `view_name`.

    Args:
        query: In DuckDB's dialect.
        tables: The columns of each table that it reads, by SQL name.

    Raises:
        NotInSparkError: It has something that Spark does not have, or that would mean something else there.
    """
    types = {name: columns_of(columns) for name, columns in tables.items()}
    try:
        tree = plain(query, tables)
    except SqlglotError as error:
        raise NotInSparkError("the query", " ".join(str(error).split())) from None
    return _Query(types, {}).text(tree)[0]


class _Query:
    """A query and what it may read.

    Args:
        tables: The columns of the stored tables by SQL name.
        named: The columns of the queries of a WITH, by name.
    """

    def __init__(self, tables: Mapping[str, Columns], named: Mapping[str, Columns]) -> None:
        self.tables, self.named = tables, named

    def text(self, node: exp.Expr) -> tuple[str, Columns]:
        """Return a query in Spark's SQL, and the columns that it returns."""
        within, named, parts = node.args.get("with_"), dict(self.named), []
        if within is not None:
            if within.args.get("recursive"):
                raise refused(within, "a recursive query is not translated")
            for one in within.expressions:
                text, columns = _Query(self.tables, named).text(one.this)
                named[one.alias] = columns
                parts.append(f"{quoted(one.alias)} AS (\n{text}\n)")
        query = _Query(self.tables, named)
        match node:
            case exp.Select():
                text, columns = query.select(node)
            case exp.SetOperation():
                text, columns = query.united(node)
            case exp.Subquery():
                text, columns = query.text(node.this)
            case _:
                raise refused(node, "it is not translated")
        return (f"WITH {', '.join(parts)}\n{text}" if parts else text), columns

    def select(self, node: exp.Select, wanted: Columns | None = None) -> tuple[str, Columns]:
        """Return one SELECT, with its columns in other types if these are wanted."""
        if odd := next((name for name, value in node.args.items() if value and name not in _OF_SELECT), None):
            raise refused(node, f"its {odd} is not translated")
        sources: dict[str, Columns] = {}
        tables = []
        if (start := node.args.get("from_")) is not None:
            tables.append("FROM " + self.table(start.this, sources))
        expressions = Expressions(sources, self._inner, _RULES)
        tables += [self.join(join, sources, expressions) for join in node.args.get("joins") or []]
        shown, columns = self._projections(node, expressions, wanted)
        text = f"SELECT{' DISTINCT' if node.args.get('distinct') else ''} {', '.join(shown)}\n" + "\n".join(tables)
        if where := node.args.get("where"):
            text += f"\nWHERE {expressions.condition(where.this)}"
        if group := node.args.get("group"):
            if odd := next((name for name, value in group.args.items() if value and name != "expressions"), None):
                raise refused(group, f"{odd} is not translated")
            text += f"\nGROUP BY {', '.join(expressions.text(key) for key in group.expressions)}"
        if having := node.args.get("having"):
            text += f"\nHAVING {expressions.condition(having.this)}"
        return text + self._end(node, expressions, columns), columns

    def _projections(
        self, node: exp.Select, expressions: Expressions, wanted: Columns | None
    ) -> tuple[list[str], Columns]:
        shown, columns = [], {}
        for at, one in enumerate(node.expressions):
            value, name = one.unalias(), one.alias_or_name
            if name in columns:
                raise refused(one, f"two columns have the name {name}; give one of them another")
            kind = type_of_value(value, expressions)
            text = value_of(node, value, expressions)
            if wanted is not None:
                into = list(wanted.values())[at]
                text, kind = converted(value, text, kind, into), into
            shown.append(f"{text} AS {quoted(name)}")
            columns[name] = kind
        return shown, columns

    def table(self, node: exp.Expr, sources: dict[str, Columns]) -> str:
        """Return a table of a FROM, whose columns are then known."""
        alias = quoted(node.alias_or_name)
        match node:
            case exp.Table():
                known(node)
                if node.db:
                    sources[node.alias_or_name] = self.tables[f"{node.db}.{node.name}"]
                    return f"{quoted(view_name(f'{node.db}.{node.name}'))} AS {alias}"
                if node.name not in self.named:
                    raise refused(node, "it is neither a table of the lake nor a query of a WITH")
                sources[node.alias_or_name] = self.named[node.name]
                return f"{quoted(node.name)} AS {alias}"
            case exp.Subquery() if node.alias:
                text, sources[node.alias] = self.text(node.this)
                return f"(\n{text}\n) AS {alias}"
        raise refused(node, "only tables and queries are read")

    def join(self, node: exp.Join, sources: dict[str, Columns], expressions: Expressions) -> str:
        """Return one JOIN."""
        before = dict(sources)
        text = self.table(node.this, sources)
        if node.kind == "CROSS" or not (node.args.get("on") or node.side or node.kind or node.method):
            return f"CROSS JOIN {text}"
        kind = _JOINS.get((node.side, node.kind))
        if kind is None or node.method or not node.args.get("on"):
            raise refused(node, "this join is not translated; write ON")
        condition = expressions.condition(node.args["on"])
        if node.kind in {"SEMI", "ANTI"}:
            sources.clear()
            sources.update(before)
        return f"{kind} {text} ON {condition}"

    def united(self, node: exp.SetOperation) -> tuple[str, Columns]:
        """Return a union, or what is like it: each side in the types of the whole."""
        if node.args.get("by_name") or node.args.get("side") or node.args.get("on"):
            raise refused(node, "BY NAME is not translated")
        sides = list(self._sides(node))
        found = [list(self.text(one)[1].items()) for one in sides]
        names = [name for name, _ in found[0]]
        wanted = {}
        for at, name in enumerate(names):
            columns = [{"x": one[at][1]} for one in found]
            wanted[name] = self._united_type(columns)
        texts = [self._converted(one, wanted) for one in sides]
        word = f"{_SETS[type(node)]}{'' if node.args.get('distinct') else ' ALL'}"
        text = f"\n{word}\n".join(texts)
        return text + self._end(node, Expressions({}, self._inner, _RULES), wanted), wanted

    def _sides(self, node: exp.SetOperation) -> list[exp.Expr]:
        left = node.left
        is_chain = isinstance(left, exp.Union) and isinstance(node, exp.Union) and not left.args.get("order")
        if isinstance(left, exp.Union) and is_chain and left.args.get("distinct") == node.args.get("distinct"):
            return [*self._sides(left), node.right]
        return [left, node.right]

    def _united_type(self, columns: list[dict[str, Type]]) -> Type:
        sources = {f"s{at}": one for at, one in enumerate(columns)}
        first, *rest = (exp.column("x", name) for name in sources)
        return Expressions(sources, self._inner, _RULES).type(exp.Coalesce(this=first, expressions=rest))

    def _converted(self, node: exp.Expr, wanted: Columns) -> str:
        if isinstance(node, exp.Select) and not node.args.get("with_") and not node.args.get("distinct"):
            text, _ = self.select(node, wanted)
            return text
        text, columns = self.text(node)
        shown = [
            f"{converted(exp.column(name), quoted(name), have, want)} AS {quoted(into)}"
            for (name, have), (into, want) in zip(columns.items(), wanted.items(), strict=True)
        ]
        return f"SELECT {', '.join(shown)} FROM (\n{text}\n) AS `_side`"  # noqa: S608 - names are quoted

    def _end(self, node: exp.Query, expressions: Expressions, columns: Columns) -> str:
        """Return ORDER BY, LIMIT and OFFSET."""
        text = ""
        if order := node.args.get("order"):
            own = Expressions({**expressions.sources, "": columns}, self._inner, _RULES)
            text += f"\nORDER BY {', '.join(ordered(own, one) for one in order.expressions)}".replace("``.", "")
        for name in ("limit", "offset"):
            if (end := node.args.get(name)) is not None:
                known(end)
                if not isinstance(end.expression, exp.Literal):
                    raise refused(end, "only a number is translated")
                text += f"\n{name.upper()} {end.expression.name}"
        return text

    def _inner(self, node: exp.Query) -> tuple[str, list[Type]]:
        text, columns = self.text(node)
        return text, list(columns.values())
