"""Which arguments of an expression the rules know: any other one would be lost without a word. Not here: the rules."""

from collections.abc import Mapping

from sqlglot import exp

_ALWAYS = ("this", "expression", "expressions")
_KNOWN: Mapping[type[exp.Expr], tuple[str, ...]] = {
    exp.ArraySort: ("nulls_first",),
    exp.AtTimeZone: ("zone",),
    exp.Between: ("low", "high"),
    exp.Bracket: ("offset", "safe"),
    exp.Case: ("ifs", "default"),
    exp.Cast: ("to",),
    exp.Column: ("table",),
    exp.Concat: ("safe", "coalesce"),
    exp.Count: ("big_int",),
    exp.DPipe: ("safe",),
    exp.DateDiff: ("unit", "date_part_boundary"),
    exp.DateTrunc: ("unit",),
    exp.GenerateSeries: ("start", "end", "step", "is_end_exclusive"),
    exp.Greatest: ("ignore_nulls",),
    exp.If: ("true", "false"),
    exp.In: ("query", "field", "unnest"),
    exp.Lag: ("offset", "default"),
    exp.Lead: ("offset", "default"),
    exp.Least: ("ignore_nulls",),
    exp.Limit: (),
    exp.Literal: ("is_string",),
    exp.Ordered: ("desc", "nulls_first"),
    exp.Quantile: ("quantile",),
    exp.RegexpLike: ("flag",),
    exp.RegexpFullMatch: ("options",),
    exp.Replace: ("replacement",),
    exp.Round: ("decimals",),
    exp.Substring: ("start", "length"),
    exp.Table: ("db", "alias"),
    exp.TimeToStr: ("format",),
    exp.TimestampTrunc: ("unit",),
    exp.TryCast: ("to", "safe"),
    exp.Window: ("partition_by", "order", "over", "spec", "alias"),
}


def unknown_argument(node: exp.Expr) -> str | None:
    """Return the name of an argument that no rule looks at, if a node has one."""
    known = (*_ALWAYS, *_KNOWN.get(type(node), ()))
    return next((name for name, value in node.args.items() if value and name not in known), None)
