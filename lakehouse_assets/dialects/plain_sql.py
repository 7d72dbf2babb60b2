"""A query of DuckDB without what only DuckDB has, still in DuckDB's dialect: the same rows, told at greater length.

Stars, USING, aliases within a SELECT, GROUP BY ALL, QUALIFY, ASOF JOIN. Not here: other dialects.
"""

from collections.abc import Callable, Iterable, Mapping

from sqlglot import exp, parse_one
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import traverse_scope
from sqlglot.transforms import eliminate_qualify

from lakehouse_assets.dialects.spark_types import NotInSparkError

_UNTIL = "_until"


def plain(query: str, tables: Mapping[str, Iterable[str]]) -> exp.Query:
    """Return a query in which each column says its table.

    Args:
        query: In DuckDB's dialect.
        tables: The columns of each table that it reads, by SQL name.

    Raises:
        NotInSparkError: It names what is not there, or has something that cannot be told in another way.
    """
    tree = _without_qualify(_parsed(query))
    schema: dict[str, dict[str, dict[str, str]]] = {}
    for name, columns in tables.items():
        layer, _, table = name.partition(".")
        schema.setdefault(layer, {})[table] = dict.fromkeys(columns, "text")
    found = qualify(tree, schema=dict(schema), dialect="duckdb", validate_qualify_columns=False)
    for scope in list(traverse_scope(found)):
        if isinstance(scope.expression, exp.Select):
            _spelled_out(scope.expression)
    for union in list(found.find_all(exp.SetOperation)):
        _named_alike(union)
    for join in list(found.find_all(exp.Join)):
        if join.method == "ASOF":
            _without_asof(join)
    return found.assert_is(exp.Query)


def _parsed(query: str) -> exp.Query:
    tree = parse_one(query, dialect="duckdb")
    if not isinstance(tree, exp.Query):
        raise NotInSparkError(tree.sql(dialect="duckdb"), "it is no query")
    for node in list(tree.find_all(exp.ToMap)):
        if isinstance(node.this, exp.Struct) and not node.this.expressions:
            node.replace(exp.Anonymous(this="map"))  # an empty map, which is not written as it was read
    for join in tree.find_all(exp.Join):
        if join.method == "NATURAL":
            raise NotInSparkError(join.sql(dialect="duckdb"), "name the columns with USING")
    return tree


def _without_qualify(tree: exp.Query) -> exp.Query:
    whole = exp.Paren(this=tree)  # so that the outermost SELECT can be exchanged, too
    for select in list(whole.find_all(exp.Select)):
        if (distinct := select.args.get("distinct")) and distinct.args.get("on"):
            raise NotInSparkError("DISTINCT ON", "write QUALIFY row_number() OVER (PARTITION BY ... ORDER BY ...) = 1")
        _exchange(select, eliminate_qualify)
    found: exp.Query = whole.this.copy()
    return found


def _exchange(select: exp.Select, transform: Callable[[exp.Expr], exp.Expr]) -> None:
    """Put what a transformation makes of a SELECT in its place; the new one may have the old one within."""
    parent, key, index = select.parent, select.arg_key, select.index
    made = transform(select)
    if made is not select and parent is not None and key is not None:
        parent.set(key, made, index)


def _spelled_out(select: exp.Select) -> None:
    """Write out ALL."""
    group, order = select.args.get("group"), select.args.get("order")
    if group is not None and group.args.get("all"):
        keys = [one.unalias().copy() for one in select.expressions if not _is_aggregated(one)]
        select.set("group", exp.Group(expressions=keys) if keys else None)
    if order is not None and [one.this.name.upper() for one in order.expressions] == ["ALL"]:
        first = order.expressions[0]
        columns = [exp.to_identifier(name, quoted=True) for name in select.named_selects]
        order.set("expressions", [exp.Ordered(**{**first.args, "this": exp.Column(this=name)}) for name in columns])


def _named_alike(union: exp.SetOperation) -> None:
    """Give the columns on the right the names of those on the left, as the union has them."""
    right = union.right
    if isinstance(right, exp.Select) and len(right.expressions) == len(union.left.named_selects):
        named = zip(right.expressions, union.left.named_selects, strict=True)
        right.set("expressions", [exp.alias_(one.unalias(), name, quoted=True) for one, name in named])


def _is_aggregated(node: exp.Expr) -> bool:
    return any(found.find_ancestor(exp.Window, exp.Subquery) is None for found in node.find_all(exp.AggFunc))


def _without_asof(join: exp.Join) -> None:
    """Give each row on the right the time of the next one, so that one at most holds for a row on the left."""
    right, on = join.this, join.args.get("on")
    name = right.alias_or_name
    keys, times = list[exp.Column](), list[tuple[exp.Column, exp.Column]]()
    for part in on.flatten() if isinstance(on, exp.And) else [on]:
        match part.unnest() if isinstance(part, exp.Expr) else part:
            case exp.EQ(args={"this": exp.Column() as one, "expression": exp.Column() as other}):
                keys.append(other if other.table == name else one)
            case exp.GTE(args={"this": exp.Column() as one, "expression": exp.Column() as other}):
                times.append((one, other))
            case exp.LTE(args={"this": exp.Column() as one, "expression": exp.Column() as other}):
                times.append((other, one))
            case _:
                raise NotInSparkError(join.sql(dialect="duckdb"), "its ON compares more than columns")
    if len(times) != 1 or times[0][1].table != name or not isinstance(right, exp.Table) or on is None:
        why = "it is translated for a table, and one `time >= column`"
        raise NotInSparkError(join.sql(dialect="duckdb"), why)
    [(mine, theirs)] = times
    following = exp.Window(
        this=exp.Lead(this=theirs.copy()),
        partition_by=[key.copy() for key in keys],
        order=exp.Order(expressions=[exp.Ordered(this=theirs.copy(), nulls_first=False)]),
    )
    read = [exp.alias_(one.copy(), one.name, quoted=True) for one in _columns_of(join, name)]
    source = exp.select(*read, exp.alias_(following, _UNTIL, quoted=True)).from_(right.copy())
    source = source.where(theirs.copy().is_(exp.null()).not_())
    until = exp.column(_UNTIL, name, quoted=True)
    open_ended = exp.or_(exp.LT(this=mine.copy(), expression=until), until.copy().is_(exp.null()))
    join.set("this", source.subquery(exp.to_identifier(name, quoted=True)))
    join.set("method", None)
    join.set("on", exp.and_(on, open_ended))


def _columns_of(join: exp.Join, table: str) -> list[exp.Column]:
    """Return the columns of a joined table that its SELECT reads."""
    select = join.find_ancestor(exp.Select)
    columns = select.find_all(exp.Column) if select is not None else []
    found = {column.name: column for column in columns if column.table == table}
    return [found[name] for name in sorted(found)]
