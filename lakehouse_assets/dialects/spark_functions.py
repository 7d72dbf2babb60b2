"""Functions of one row: texts, numbers, dates and times. Not here: lists and structs, aggregates and windows."""

from collections.abc import Callable

from sqlglot import exp

from lakehouse_assets.dialects.spark_expressions import Expressions, Rules, refused, string
from lakehouse_assets.dialects.spark_literals import number, written
from lakehouse_assets.dialects.spark_regex import portable

_MONTHS = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}
_SECONDS = {"HOUR": 3600, "MINUTE": 60, "SECOND": 1}
_TIMES = ("date", "timestamp", "timestamp with time zone")
_PARTS = {
    "YEAR": "YEAR({})",
    "QUARTER": "QUARTER({})",
    "MONTH": "MONTH({})",
    "DAY": "DAY({})",
    "HOUR": "HOUR({})",
    "MINUTE": "MINUTE({})",
    "DOW": "DAYOFWEEK({}) - 1",
    "DAYOFWEEK": "DAYOFWEEK({}) - 1",
    "ISODOW": "WEEKDAY({}) + 1",
    "DOY": "DAYOFYEAR({})",
    "DAYOFYEAR": "DAYOFYEAR({})",
    "WEEK": "WEEKOFYEAR({})",
}
_FORMATS = {"%Y": "yyyy", "%m": "MM", "%d": "dd", "%H": "HH", "%M": "mm", "%S": "ss"}


def _text(expressions: Expressions, node: exp.Expr) -> str:
    """Return a value that has to be a text."""
    if expressions.type(node).id != "varchar":
        raise refused(node, "it is no text; cast it to VARCHAR")
    return expressions.text(node)


def _of_texts(template: str) -> Callable[[Expressions, exp.Func], str]:
    def rule(expressions: Expressions, node: exp.Func) -> str:
        return template.format(*(_text(expressions, part) for part in (node.this, node.expression)))

    return rule


def _pattern(whole: bool) -> Callable[[Expressions, exp.Func], str]:  # noqa: FBT001 - one of two rules
    def rule(expressions: Expressions, node: exp.Func) -> str:
        if node.args.get("flag") is not None or node.args.get("options") is not None:
            raise refused(node, "its options are not translated")
        pattern = portable(written(node.expression, node))
        wanted = rf"\A(?:{pattern})\z" if whole else pattern
        return f"({_text(expressions, node.this)} RLIKE {string(wanted)})"

    return rule


def _like(expressions: Expressions, node: exp.Like) -> str:
    pattern = written(node.expression, node)
    if "\\" in pattern:
        raise refused(node, "a backslash has another meaning in Spark; use a regular expression")
    return f"({_text(expressions, node.this)} LIKE {string(pattern)})"


def _joined(expressions: Expressions, node: exp.DPipe) -> str:
    return f"CONCAT({_text(expressions, node.this)}, {_text(expressions, node.expression)})"


def _concat(expressions: Expressions, node: exp.Concat) -> str:
    parts = ", ".join(f"COALESCE({_text(expressions, part)}, '')" for part in node.expressions)
    return f"CONCAT({parts})"


def _substring(expressions: Expressions, node: exp.Substring) -> str:
    start = number(node.args.get("start"), node, 1)
    length = node.args.get("length")
    size = f", {number(length, node)}" if length is not None else ""
    return f"SUBSTRING({_text(expressions, node.this)}, {start}{size})"


def _left(expressions: Expressions, node: exp.Left) -> str:
    return f"SUBSTRING({_text(expressions, node.this)}, 1, {number(node.expression, node)})"


def _replace(expressions: Expressions, node: exp.Replace) -> str:
    if not written(node.expression, node):
        raise refused(node, "nothing cannot be replaced")
    texts = [_text(expressions, part) for part in (node.this, node.expression, node.args["replacement"])]
    return f"REPLACE({', '.join(texts)})"


def _length(expressions: Expressions, node: exp.Length) -> str:
    found = expressions.type(node.this)
    if found.id == "list":
        return f"CAST(ARRAY_SIZE({expressions.text(node.this)}) AS BIGINT)"
    return f"CAST(CHAR_LENGTH({_text(expressions, node.this)}) AS BIGINT)"


def _rounded(expressions: Expressions, node: exp.Round | exp.Ceil | exp.Floor | exp.Abs) -> str:
    found, wanted = expressions.type(node.this), expressions.type(node)
    if found.decimal is None and not (isinstance(node, exp.Abs) and found.id == "double"):
        raise refused(node, f"a {found.name} is not rounded in the same way; cast it to DECIMAL")
    digits = node.args.get("decimals")
    more = f", {number(digits, node)}" if digits is not None else ""
    name = type(node).__name__.upper()
    return f"CAST({name}({expressions.text(node.this)}{more}) AS {wanted.in_spark})"


def _time(expressions: Expressions, node: exp.Expr) -> str:
    """Return a value that has to be a date or a time."""
    if expressions.type(node).id not in _TIMES:
        raise refused(node, "it is no date and no time; cast it")
    return expressions.text(node)


def _unit(node: exp.Expr) -> str:
    return str(node.args["unit"].name).upper()


def _truncated(expressions: Expressions, node: exp.DateTrunc | exp.TimestampTrunc) -> str:
    unit, wanted = _unit(node), expressions.type(node)
    if unit not in {"YEAR", "QUARTER", "MONTH", "WEEK", "DAY", *_SECONDS}:
        raise refused(node, f"the unit {unit} is not translated")
    return f"CAST(DATE_TRUNC('{unit}', CAST({_time(expressions, node.this)} AS TIMESTAMP)) AS {wanted.in_spark})"


def _difference(expressions: Expressions, node: exp.DateDiff) -> str:
    """Return how many times a unit begins between two times, which is what DuckDB counts, and Spark does not."""
    unit = _unit(node)
    last, first = (_time(expressions, part) for part in (node.this, node.expression))
    if unit == "DAY":
        return f"CAST(DATEDIFF({last}, {first}) AS BIGINT)"
    if unit in _MONTHS:
        size = _MONTHS[unit]
        counts = (f"(YEAR({one}) * {12 // size} + (MONTH({one}) - 1) DIV {size})" for one in (last, first))
        return f"CAST({' - '.join(counts)} AS BIGINT)"
    if unit in _SECONDS:
        counts = (f"UNIX_SECONDS(DATE_TRUNC('{unit}', CAST({one} AS TIMESTAMP)))" for one in (last, first))
        return f"CAST(({' - '.join(counts)}) DIV {_SECONDS[unit]} AS BIGINT)"
    raise refused(node, f"the unit {unit} is not translated")


def _extract(expressions: Expressions, node: exp.Extract) -> str:
    return _part(expressions, node, node.name.upper(), node.expression)


def _part_named(unit: str) -> Callable[[Expressions, exp.Func], str]:
    return lambda expressions, node: _part(expressions, node, unit, node.this)


def _part(expressions: Expressions, node: exp.Expr, unit: str, value: exp.Expr) -> str:
    if unit not in _PARTS:
        raise refused(node, f"the part {unit} is not translated")
    return f"CAST({_PARTS[unit].format(_time(expressions, value))} AS BIGINT)"


def _formatted(expressions: Expressions, node: exp.TimeToStr) -> str:
    form = written(node.args["format"], node)
    pieces = [form[at : at + 2] for at in range(0, len(form), 3)]
    if any(piece not in _FORMATS for piece in pieces) or any(c not in "-/. :" for c in form[2::3]):
        raise refused(node, f"only {' '.join(_FORMATS)} with one of '-/. :' between them are translated")
    for mine, theirs in _FORMATS.items():
        form = form.replace(mine, theirs)
    return f"DATE_FORMAT({_time(expressions, node.this)}, {string(form)})"


def _local_time(expressions: Expressions, node: exp.AtTimeZone) -> str:
    if expressions.type(node.this).id != "timestamp with time zone":
        raise refused(node, "a local time that is there twice, or not at all, has another instant in Spark")
    zone = string(written(node.args["zone"], node))
    return f"CAST(FROM_UTC_TIMESTAMP({expressions.text(node.this)}, {zone}) AS TIMESTAMP_NTZ)"


RULES: Rules = {
    exp.RegexpFullMatch: _pattern(whole=True),
    exp.RegexpLike: _pattern(whole=False),
    exp.Like: _like,
    exp.DPipe: _joined,
    exp.Concat: _concat,
    exp.Substring: _substring,
    exp.Left: _left,
    exp.Replace: _replace,
    exp.Length: _length,
    exp.StartsWith: _of_texts("STARTSWITH({}, {})"),
    exp.EndsWith: _of_texts("ENDSWITH({}, {})"),
    exp.Round: _rounded,
    exp.Ceil: _rounded,
    exp.Floor: _rounded,
    exp.Abs: _rounded,
    exp.DateTrunc: _truncated,
    exp.TimestampTrunc: _truncated,
    exp.DateDiff: _difference,
    exp.Extract: _extract,
    exp.Year: _part_named("YEAR"),
    exp.Quarter: _part_named("QUARTER"),
    exp.Month: _part_named("MONTH"),
    exp.Day: _part_named("DAY"),
    exp.TimeToStr: _formatted,
    exp.AtTimeZone: _local_time,
}
