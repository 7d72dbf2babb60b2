"""References between feeds: which column of one names a record of another. Not here: counting what is missing."""

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter

from sqlglot import exp

from lakehouse_assets.contracts.feed import Feed
from lakehouse_assets.contracts.partitioning import Partitioning
from lakehouse_assets.contracts.reference_rules import Reference, references

VIEW = "silver.missing_references"
_DIALECT = "duckdb"


def references_of(feed: Feed, feeds: Mapping[str, Feed]) -> list[Reference]:
    """Return the references that a feed declares to any of some feeds."""
    return [reference for reference in references(feed) if reference.feed in feeds]


def fault(feeds: Mapping[str, Feed], *, may_lack: bool) -> tuple[str, list[Feed]] | None:
    """Return what is wrong with the references between feeds, and whose they are; None if nothing is.

    Args:
        may_lack: A feed that is referenced may be declared by a module that cannot be loaded.
    """
    for feed in feeds.values():
        known = references_of(feed, feeds)
        if not may_lack and len(known) < len(feed.references):
            lost = next(target for _, target in feed.references if target.split(".", 1)[0] not in feeds)
            return f"feed {feed.name!r} references {lost}, which no module declares; correct the name", [feed]
        for reference in known:
            where = f"feed {feed.name!r}: its {reference.column!r} references {reference.feed}.{reference.target}"
            columns, there = (one.contract.columns() for one in (feed, feeds[reference.feed]))
            if reference.target not in there:
                return f"{where}, which is no column of that contract; correct the name", [feed]
            types = columns[reference.column].dtype, there[reference.target].dtype
            if types[0] != types[1]:
                return f"{where}: one is {types[0]}, the other {types[1]}, and nothing matches; declare one type", [
                    feed
                ]
    # The referenced table is published first, in a run that publishes both.
    order = {name: {r.feed for r in references_of(feed, feeds)} - {name} for name, feed in feeds.items()}
    try:
        TopologicalSorter(order).prepare()
    except CycleError as error:
        circle: list[str] = error.args[1]
        msg = f"feeds reference each other in a circle: {' -> '.join(circle)}; leave one reference out"
        return msg, [feeds[name] for name in dict.fromkeys(circle)]
    return None


def view_of(feeds: Mapping[str, Feed]) -> str | None:
    """Return the SQL of the view of all values without a counterpart; None where no feed declares a reference.

    They stand in silver, or in quarantine where the feed has them wait there.

    Its columns: `feed`, `dt`, `column`, `reference`, `value`, `records`.
    """
    declared = [(feed, reference) for feed in feeds.values() for reference in references_of(feed, feeds)]
    # Of a held date, silver still has the records that wait in quarantine since: they count once.
    parts = [(_waiting if feed.awaited else _missing)(feed, reference) for feed, reference in declared]
    if not parts:
        return None
    whole = exp.union(*parts, distinct=False) if len(parts) > 1 else parts[0]
    return whole.sql(dialect=_DIALECT)


def _missing(feed: Feed, reference: Reference) -> exp.Select:
    value = exp.column(reference.column, "s", quoted=True)
    target = exp.column(reference.target, "r", quoted=True)
    date, days = _date(feed)
    there = exp.select("1").from_(f"silver.{reference.feed} AS r").where(target.eq(value))
    return (
        exp.select(
            exp.Literal.string(feed.name).as_("feed"),
            date.as_("dt"),
            exp.Literal.string(reference.column).as_("column", quoted=True),
            exp.Literal.string(f"{reference.feed}.{reference.target}").as_("reference"),
            exp.cast(value, "varchar").as_("value"),
            exp.Count(this=exp.Star()).as_("records"),
        )
        .from_(f"silver.{feed.name} AS s")
        .where(value.is_(exp.null()).not_(), exp.Exists(this=there).not_())
        .group_by(*days, value)
    )


def _waiting(feed: Feed, reference: Reference) -> exp.Select:
    """Return the same of records that wait in quarantine; the value is there as it came."""
    value = exp.column(feed.sources[reference.column].headers[0], "q", quoted=True)
    days = [exp.column("dt", "q")] if feed.business_date else []
    rule = exp.func("list_contains", exp.column("rules", "q"), exp.Literal.string(reference.rule))
    return (
        exp.select(
            exp.Literal.string(feed.name).as_("feed"),
            (days[0] if days else exp.cast(exp.null(), "date")).as_("dt"),
            exp.Literal.string(reference.column).as_("column", quoted=True),
            exp.Literal.string(f"{reference.feed}.{reference.target}").as_("reference"),
            value.as_("value"),
            exp.Count(this=exp.Star()).as_("records"),
        )
        .from_(f"quarantine.{feed.name} AS q")
        .where(rule)
        .group_by(*days, value)
    )


def _date(feed: Feed) -> tuple[exp.Expr, list[exp.Column]]:
    """Return the business date of a row of silver, and the columns that it follows from."""
    columns = [exp.column(name, "s") for name in feed.layout.columns]
    match feed.layout:
        case Partitioning.BY_DATE:
            return columns[0], columns
        case Partitioning.BY_YEAR_MONTH_DAY:
            return exp.func("make_date", *columns), columns
        case _:
            return exp.cast(exp.null(), "date"), []
