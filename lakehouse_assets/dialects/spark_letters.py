"""Letters made large or small, one by one, as DuckDB does it. Not here: other functions of texts."""

from collections.abc import Callable
from functools import cache

from sqlglot import exp

from lakehouse_assets.dialects.spark_expressions import Expressions, Rules, refused, string
from lakehouse_assets.dialects.spark_types import connection

_CHARACTERS = f"range(1, {0xD800}) || range({0xE000}, {0x20000})"  # no alphabet of two cases is beyond these


def _letters(function: str) -> Callable[[Expressions, exp.Func], str]:
    """Return a rule. Spark's functions of the same names make SS of a ß, and look at where a letter stands."""

    def rule(expressions: Expressions, node: exp.Func) -> str:
        if expressions.type(node.this).id != "varchar":
            raise refused(node, "it is no text; cast it to VARCHAR")
        before, after = _changed(function)
        return f"TRANSLATE({expressions.text(node.this)}, {string(before)}, {string(after)})"

    return rule


@cache
def _changed(function: str) -> tuple[str, str]:
    """Return the letters that a function of DuckDB changes, and what it makes of each."""
    query = f"""
        SELECT string_agg(c, '' ORDER BY c), string_agg({function}(c), '' ORDER BY c)
        FROM (SELECT chr(unnest({_CHARACTERS})::INTEGER) AS c)
        WHERE {function}(c) <> c
    """  # noqa: S608 - a function of this module
    with connection().cursor() as asked:
        [(before, after)] = asked.sql(query).fetchall()
    return before, after


RULES: Rules = {exp.Upper: _letters("upper"), exp.Lower: _letters("lower")}
