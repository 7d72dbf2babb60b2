"""Types of DuckDB's values, asked of DuckDB itself, and the same in Spark. Not here: what is computed with them."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import polars as pl
from sqlglot import exp

if TYPE_CHECKING:
    import duckdb

_INTEGERS = ("tinyint", "smallint", "integer", "bigint")
_PLAIN = {
    "boolean": "BOOLEAN",
    "tinyint": "TINYINT",
    "smallint": "SMALLINT",
    "integer": "INT",
    "bigint": "BIGINT",
    "hugeint": "DECIMAL(38, 0)",
    "float": "FLOAT",
    "double": "DOUBLE",
    "varchar": "STRING",
    "date": "DATE",
    "timestamp": "TIMESTAMP_NTZ",
    "timestamp with time zone": "TIMESTAMP",
}


class NotInSparkError(Exception):
    """A query has something that Spark does not have, or that has another meaning there.

    Attributes:
        construct: What it is, as it stands in the query.
    """

    def __init__(self, construct: str, why: str) -> None:
        super().__init__(f"{construct}: {why}")
        self.construct = construct


class Type:
    """The type of a value in DuckDB."""

    def __init__(self, found: Any) -> None:  # noqa: ANN401 - DuckDB does not say the types of its types
        self._found = found
        self.name = str(found)
        self.id: str = str(found.id).lower()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Type) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    @property
    def is_integer(self) -> bool:
        """Whether it is an integer of 64 bits or less."""
        return self.id in _INTEGERS

    @property
    def is_null(self) -> bool:
        """Whether it is the type of nothing but NULL."""
        return self.id.strip('"') in {"null", "sqlnull"}

    @property
    def decimal(self) -> tuple[int, int] | None:
        """Precision and scale of the decimal that holds all values, exactly; None where there is none."""
        if self.id == "decimal":
            parts = dict(self._found.children)
            return int(parts["precision"]), int(parts["scale"])
        sizes = {"tinyint": 3, "smallint": 5, "integer": 10, "bigint": 19, "hugeint": 38}
        return (sizes[self.id], 0) if self.id in sizes else None

    @property
    def parts(self) -> dict[str, "Type"]:
        """The types inside of a list (`child`), a map (`key`, `value`) or a struct."""
        return {str(name): Type(part) for name, part in self._found.children}

    @property
    def in_spark(self) -> str:
        """The type's name in Spark. Raises `NotInSparkError`."""
        if self.is_null:
            return "VOID"
        match self.id:
            case "decimal":
                precision, scale = self.decimal or (38, 0)
                return f"DECIMAL({precision}, {scale})"
            case "list":
                return f"ARRAY<{self.parts['child'].in_spark}>"
            case "map":
                return f"MAP<{self.parts['key'].in_spark}, {self.parts['value'].in_spark}>"
            case "struct":
                return f"STRUCT<{', '.join(f'{quoted(n)}: {t.in_spark}' for n, t in self.parts.items())}>"
        if self.id not in _PLAIN:
            raise NotInSparkError(self.name, "Spark has no such type; cast it to another one")
        return _PLAIN[self.id]


def quoted(name: str) -> str:
    """Return a name as Spark's SQL writes it."""
    return "`" + name.replace("`", "``") + "`"


Columns = Mapping[str, Type]
Sources = Mapping[str, Columns]
"""The columns of each table of one SELECT, by its alias."""


@cache
def connection() -> "duckdb.DuckDBPyConnection":
    """Return DuckDB, which is asked what it makes of something. It reads no table."""
    import duckdb  # noqa: PLC0415 - only where a model may run on Spark

    found = duckdb.connect(config={"python_enable_replacements": "false"})
    found.sql("SET TimeZone = 'UTC'")
    return found


def columns_of(schema: Mapping[str, pl.DataType]) -> Columns:
    """Return the types that DuckDB gives to the columns of a table of the lake."""
    with connection().cursor() as asked:
        asked.register("columns", pl.DataFrame(schema=dict(schema)))
        found = asked.sql("FROM columns")
        return dict(zip(schema, map(Type, found.types), strict=True))


def type_of(node: exp.Expr, sources: Sources, query: Callable[[exp.Query], Type]) -> Type:
    """Return the type of an expression: DuckDB is asked for that of the same one over columns of nothing.

    Args:
        query: Gives the type of the one value of a query within the expression.

    Raises:
        NotInSparkError: DuckDB does not know it.
    """
    tree = exp.Paren(this=node.copy())
    for inner in list(tree.find_all(exp.Subquery, exp.Exists, exp.In)):
        if inner.find_ancestor(exp.Query) is not None:
            continue
        if isinstance(inner, exp.Subquery):
            inner.replace(_nothing(query(inner.this)))
        elif isinstance(inner, exp.Exists) or inner.args.get("query") is not None:
            inner.replace(exp.Boolean(this=True))
    for column in list(tree.find_all(exp.Column)):
        column.replace(_nothing(column_type(column, sources)))
    return _asked(tree.this.sql(dialect="duckdb"), node.sql(dialect="duckdb"))


def column_type(column: exp.Column, sources: Sources) -> Type:
    """Return the type of a column. Raises `NotInSparkError` for one of another query."""
    if column.name not in sources.get(column.table, {}):
        raise NotInSparkError(
            column.sql(dialect="duckdb"), "it is no column of the tables of its own SELECT; write a join"
        )
    return sources[column.table][column.name]


def _nothing(kind: Type) -> exp.Expr:
    if kind.is_null:
        return exp.Null()
    if kind.id == "struct":  # of a field of NULL DuckDB does not say the type
        fields = [
            exp.PropertyEQ(this=exp.to_identifier(name, quoted=True), expression=_nothing(part))
            for name, part in kind.parts.items()
        ]
        return exp.Struct(expressions=fields)
    return exp.Cast(this=exp.Null(), to=exp.DataType.build(kind.name, dialect="duckdb"))


@cache
def _asked(text: str, shown: str) -> Type:
    import duckdb  # noqa: PLC0415 - only where a model may run on Spark

    try:
        with connection().cursor() as asked:
            return Type(asked.sql(f"SELECT {text}").types[0])
    except duckdb.Error as error:
        raise NotInSparkError(shown, f"DuckDB does not know its type ({str(error).splitlines()[0]})") from None
