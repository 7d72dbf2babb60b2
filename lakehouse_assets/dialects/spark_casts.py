"""Values turned from one type of DuckDB into another, in Spark's SQL and as DuckDB does it. Not here: who asks."""

import re

from sqlglot import exp

from lakehouse_assets.dialects.spark_types import NotInSparkError, Type

_EXACT = 2**53
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?")
_INSTANT = re.compile(_TIME.pattern + r"\+00(:00)?")
_TIMES = ("date", "timestamp", "timestamp with time zone")


def converted(node: exp.Expr, text: str, have: Type, want: Type) -> str:  # noqa: C901 - one line for each pair of types
    """Return Spark's SQL for a value in another type.

    Args:
        node: The value in the query; a text that is written there may be a date.
        text: The same one in Spark's SQL, of the type `have`.

    Raises:
        NotInSparkError: The two engines would not give the same values.
    """
    if have == want:
        return text
    if (have.is_integer and want.is_integer) or (have.id, want.id) == ("float", "double"):
        return f"CAST({text} AS {want.in_spark})"
    if have.is_null or have.name in {'"NULL"[]', 'MAP("NULL", "NULL")'}:
        return f"CAST({text} AS {want.in_spark})"
    if want.id == "double" and have.decimal is not None:
        return as_double(text, have)
    if have.decimal is not None and want.decimal is not None:
        return _decimal(text, have, want)
    if have.id == "boolean" and want.is_integer:
        return f"CAST({text} AS {want.in_spark})"
    if have.id in _TIMES and want.id in _TIMES:
        return f"CAST({text} AS {want.in_spark})"
    if isinstance(node, exp.Literal) and node.is_string and want.id in _TIMES:
        form = {"date": _DATE, "timestamp": _TIME, "timestamp with time zone": _INSTANT}[want.id]
        if form.fullmatch(node.name) or _DATE.fullmatch(node.name):
            return f"CAST({text} AS {want.in_spark})"
        raise NotInSparkError(node.sql(dialect="duckdb"), f"it is not written as a {want.name} that both engines read")
    if want.id == "varchar" and (have.is_integer or have.id == "boolean"):
        return f"CAST({text} AS STRING)"
    msg = f"{node.sql(dialect='duckdb')}::{want.name}"
    raise NotInSparkError(msg, f"Spark does not turn {have.name} into it as DuckDB does")


def _decimal(text: str, have: Type, want: Type) -> str:
    _, scale = have.decimal or (38, 0)
    _, wanted = want.decimal or (38, 0)
    if want.is_integer and scale > 0:  # which Spark would cut off, and DuckDB rounds
        text = f"CAST({text} AS DECIMAL(38, 0))"
    if wanted >= scale or have.id == "decimal":
        return f"CAST({text} AS {want.in_spark})"
    raise NotInSparkError(text, f"{have.name} does not become {want.name}")


def as_double(text: str, have: Type) -> str:
    """Return the double that DuckDB makes of a decimal or an integer.

    Where not all digits fit into a double, it adds up those before the point and those behind it.
    """
    precision, scale = have.decimal or (38, 0)
    if scale == 0 or 10**precision <= _EXACT:
        return f"CAST({text} AS DOUBLE)"
    limit, digits = _EXACT // 10**scale, f"DECIMAL({scale}, {scale})"
    fraction = f"CAST({text} % 1 AS {digits})"
    whole = f"CAST({text} - {text} % 1 AS DECIMAL(38, 0))"
    return (
        f"CASE WHEN ABS({text}) <= {limit} THEN CAST({text} AS DOUBLE) "
        f"ELSE CAST({whole} AS DOUBLE) + CAST({fraction} AS DOUBLE) END"
    )
