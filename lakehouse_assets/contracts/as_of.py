"""Joins as of the time of a row: which versions of a keyed feed's rows a model by date uses, read from its SQL.

Here: the shape that is understood, and what the query reads of the versions. Not here: the versions themselves.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, traverse_scope

from lakehouse_assets.contracts.feed import Feed
from lakehouse_assets.contracts.model import Model
from lakehouse_assets.contracts.source import ContractError
from lakehouse_assets.contracts.table import Table
from lakehouse_assets.contracts.views import parsed

_FROM, _TO = "valid_from", "valid_to"
_OPERATORS: dict[type[exp.Expr], tuple[str, str]] = {
    exp.EQ: ("=", "="), exp.GTE: (">=", "<="), exp.LTE: ("<=", ">="), exp.LT: ("<", ">"), exp.GT: (">", "<")
}  # fmt: skip
"""Each comparison as it is written, and with its sides exchanged."""


@dataclass(frozen=True)
class AsOf:
    """A join in which each row of a table by date has at most one version of a key: the one that held at its time.

    Attributes:
        history: SQL name of the history.
        facts: SQL name of the table by date.
        keys: For each column of the key: the column of `facts`, and that of the history.
        at: The column of `facts` with the time.
        reads: The columns of the history that the query reads, without those that only decide which version holds.
    """

    history: str
    facts: str
    keys: tuple[tuple[str, str], ...]
    at: str
    reads: tuple[str, ...]


class _UnclearError(Exception):
    """The query uses a history in another way."""

    def __init__(self, why: str) -> None:
        super().__init__(why)


def joins_of(model: Model, feeds: Mapping[str, Feed], tables: Mapping[str, Table]) -> tuple[AsOf, ...]:
    """Return the joins as of a time of a model by date; none for a history that it also reads in another way.

    Args:
        feeds: The keyed feeds, by the SQL name of their history.
        tables: All tables that the model reads, by SQL name.

    Raises:
        ContractError: It says ASOF JOIN of a history, and not in the way that is understood.
    """
    if model.date is None or model.sql is None or not feeds.keys() & set(model.upstream):
        return ()
    schema: dict[str, object] = {}
    for table in tables.values():
        schema.setdefault(table.layer, {})[table.name] = dict.fromkeys(table.columns, "text")  # type: ignore[index]
    try:
        tree = qualify(parsed(model.query).copy(), schema=schema, dialect="duckdb", validate_qualify_columns=False)
    except SqlglotError as error:
        if any(join.method == "ASOF" for join in parsed(model.query).find_all(exp.Join)):
            raise _refused(model, f"its columns cannot be told apart ({' '.join(str(error).split())})") from None
        return ()  # compiling it says what is wrong with it
    found, whole = list[AsOf](), set[str]()
    for scope, alias, name in _uses(tree, feeds):
        join = next((join for join in scope.expression.args.get("joins") or [] if join.alias_or_name == alias), None)
        try:
            found.append(_understood(scope, alias, join, feeds[name], tables))
            if personal := [column for column in found[-1].reads if tables[name].columns[column].personal]:
                raise _personal(model, name, personal[0])
        except _UnclearError as error:
            if join is not None and join.method == "ASOF":
                raise _refused(model, str(error)) from None
            whole.add(name)
    return tuple(dict.fromkeys(join for join in found if join.history not in whole))


def _refused(model: Model, why: str) -> ContractError:
    msg = (
        f"model {model.name!r}: {model.code} has an ASOF JOIN of a history, and {why}. Write it as `FROM <table by "
        "date> AS s ASOF LEFT JOIN <history> AS h ON s.<key> = h.<key> AND s.<time> >= h.valid_from`, with plain "
        "columns of the same types."
    )
    return ContractError(msg)


def _personal(model: Model, name: str, column: str) -> ContractError:
    msg = (
        f"model {model.name!r}: {model.code} reads {name}.{column}, which is personal data and is kept out of gold; "
        "use it in the ON of the join only."
    )
    return ContractError(msg)


def _uses(tree: exp.Expr, feeds: Mapping[str, Feed]) -> Iterator[tuple[Scope, str, str]]:
    """Yield each place where a query reads a history: the scope, the alias, and the SQL name."""
    for scope in traverse_scope(tree):
        for alias, source in scope.sources.items():
            if isinstance(source, exp.Table) and (name := f"{source.db}.{source.name}") in feeds:
                yield scope, alias, name


def _understood(scope: Scope, alias: str, join: exp.Join | None, feed: Feed, tables: Mapping[str, Table]) -> AsOf:
    """Return what a join says. Raises `_UnclearError`."""
    if feed.history is None or join is None or not isinstance(join.this, exp.Table) or join.this.args.get("pivots"):
        raise _UnclearError("the history is not the joined table itself")
    if join.side not in {"", "LEFT"} or join.kind not in {"", "INNER", "OUTER"} or not join.args.get("on"):
        raise _UnclearError("it is no inner or left join with ON")
    found = _Conditions(join, alias, feed)
    facts = {column.table for column in (*found.keys.values(), *found.times)}
    source = scope.sources.get(next(iter(facts))) if len(facts) == 1 else None
    table = tables.get(f"{source.db}.{source.name}") if isinstance(source, exp.Table) else None
    if table is None or not table.partitioning.is_by_date or table.layer == "bronze":
        raise _UnclearError("key and time are not columns of one table by date")
    pairs, time = tuple((found.keys[name].name, name) for name in feed.key), found.times[0].name
    for mine, theirs in (*pairs, (time, _FROM)):
        if mine not in table.columns or table.columns[mine].dtype != feed.history.columns[theirs].dtype:
            msg = f"{table.full_name}.{mine} is not of the type of {feed.history.full_name}.{theirs}"
            raise _UnclearError(msg)
    reads = _reads(scope, alias, feed.history, found.used)
    return AsOf(feed.history.full_name, table.full_name, pairs, time, reads)


class _Conditions:
    """What the ON of a join compares: the key's columns, and the time. Raises `_UnclearError` if it is not these.

    Attributes:
        used: The columns, by identity, that only decide which version holds.
    """

    def __init__(self, join: exp.Join, alias: str, feed: Feed) -> None:
        self.keys, self.times, self.used = dict[str, exp.Column](), list[exp.Column](), set[int]()
        is_asof, ends = join.method == "ASOF", list[exp.Column]()
        on = join.args["on"]
        for condition in on.flatten() if isinstance(on, exp.And) else [on]:
            match _compared(condition.unnest(), alias):
                case ("=", str(column), other) if column in feed.key:
                    self.keys[column] = other
                case (">=", str(column), other) if column == _FROM:
                    self.times.append(other)
                case ("<", str(column), other) if column == _TO and not is_asof:
                    ends.append(other)
                case _ if is_asof:
                    raise _UnclearError("it compares more than the key and the time")
                case _:
                    continue  # it decides nothing but whether the version that holds is used
            self.used |= {id(column) for column in condition.find_all(exp.Column)}
        until = [] if is_asof else self.times
        if set(self.keys) != set(feed.key) or len(self.times) != 1 or ends != until:
            msg = f"it does not compare the whole key ({', '.join(feed.key)}) and one time"
            raise _UnclearError(msg)


def _reads(scope: Scope, alias: str, history: Table, used: set[int]) -> tuple[str, ...]:
    found = set()
    stars = (
        star for star in scope.expression.find_all(exp.Star, exp.Columns) if not isinstance(star.parent, exp.Count)
    )
    if next(stars, None) is not None:
        raise _UnclearError("the query reads whole rows")
    for column in scope.expression.find_all(exp.Column):
        if column.name == alias and not column.table:
            raise _UnclearError("the query reads whole rows")
        if column.table == alias and id(column) not in used and column.name in history.columns:
            found.add(column.name)
    return tuple(sorted(found))


def _compared(condition: exp.Expr, alias: str) -> tuple[str, str, exp.Column] | None:
    """Return a comparison of a column of the history with one of another table: operator, column, other column.

    The operator is as if the other column stood on its left. `t < valid_to OR valid_to IS NULL` is a comparison, too.
    """
    if isinstance(condition, exp.Or):
        sides = [condition.this.unnest(), condition.expression.unnest()]
        open_ended = [one for one in sides if isinstance(one, exp.Is) and isinstance(one.expression, exp.Null)]
        rest = [one for one in sides if one not in open_ended]
        found = _compared(rest[0], alias) if len(rest) == 1 else None
        is_same = found is not None and open_ended[0].this == exp.column(found[1], alias, quoted=True)
        return found if found is not None and found[0] == "<" and is_same else None
    straight, swapped = _OPERATORS.get(type(condition), ("", ""))
    left, right = condition.args.get("this"), condition.args.get("expression")
    if not straight or not isinstance(left, exp.Column) or not isinstance(right, exp.Column):
        return None
    if (left.table == alias) is (right.table == alias):
        return None
    return (straight, right.name, left) if right.table == alias else (swapped, left.name, right)
