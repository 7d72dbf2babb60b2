"""Values turned from one type of DuckDB into another, in Spark's SQL and as DuckDB does it. Not here: who asks."""

import re

from sqlglot import exp

from lakehouse_assets.dialects.spark_types import NotInSparkError, Type

_EXACT = 2**53
_DIGITS = 38
_OF_64_BITS = 18
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

    It is the nearest one, which Sail has only for numbers whose digits fit into a double, and for texts. That of an
    integer of 128 bits is another one: DuckDB adds up its two halves.
    """
    precision, scale = have.decimal or (_DIGITS, 0)
    if 10**precision <= _EXACT or have.is_integer or (scale == 0 and precision <= _OF_64_BITS):
        return f"CAST({text} AS DOUBLE)"
    limit = f"CAST('{_EXACT // 10**scale}' AS DECIMAL(38, 0))"
    long = _of_halves(text) if scale == 0 else f"CAST(CAST({text} AS STRING) AS DOUBLE)"
    return f"CASE WHEN ABS({text}) <= {limit} THEN CAST({text} AS DOUBLE) ELSE {long} END"


def _of_halves(text: str) -> str:
    half = f"CAST('{2**64}' AS DECIMAL(20, 0))"
    low = f"(({text} % {half} + {half}) % {half})"
    one = "CAST(1 AS DECIMAL(1, 0))"
    return (
        f"CASE WHEN {text} < 0 AND {text} >= - {half} THEN - CAST(- {text} - {one} AS DOUBLE) - 1D "
        f"ELSE CAST({low} AS DOUBLE) + CAST(CAST({text} - {low} AS DECIMAL(38, 0)) AS DOUBLE) END"
    )
