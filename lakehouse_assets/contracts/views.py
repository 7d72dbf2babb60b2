"""Views that follow from the declared feeds, for models and queries alike. They are SQL; nothing of them is stored."""

from collections.abc import Iterable, Mapping
from functools import lru_cache

from sqlglot import exp, parse, parse_one
from sqlglot.errors import ParseError

from lakehouse_assets.contracts import references
from lakehouse_assets.contracts.feed import Feed

_DIALECT = "duckdb"


def views_of(feeds: Iterable[Feed]) -> dict[str, str]:
    """Return the SQL of each view by the view's name.

    `quarantine.by_rule` holds the counts by rule of all feeds: `feed`, `dt`, `rule`, `records`. The values without a
    counterpart in the feed that they reference are in `references.VIEW`.
    """
    feeds = list(feeds)
    missing = references.view_of({feed.name: feed for feed in feeds})
    counts = [
        exp.select(
            exp.Literal.string(feed.name).as_("feed"),
            "dt" if "dt" in feed.by_rule.columns else exp.cast(exp.null(), "date").as_("dt"),
            "rule",
            "records",
        ).from_(feed.by_rule.full_name)
        for feed in feeds
    ]
    if not counts:
        return {}
    whole = exp.union(*counts, distinct=False) if len(counts) > 1 else counts[0]
    found = {"quarantine.by_rule": whole.sql(dialect=_DIALECT)}
    return found if missing is None else found | {references.VIEW: missing}


@lru_cache(maxsize=1_000)
def parsed(query: str) -> exp.Expr:
    """Return a query's syntax tree, to be read only: loading the code location asks for the same one several times.

    Of several statements the last one would be computed, while lineage and identity would follow from the first.
    """
    statements = [found for found in parse(query, dialect=_DIALECT) if found and not isinstance(found, exp.Semicolon)]
    if len(statements) > 1:
        msg = f"it holds {len(statements)} statements, and a table follows from one; write one query"
        raise ParseError(msg)
    return statements[0] if statements else parse_one(query, dialect=_DIALECT)


def tables_in(query: str) -> set[str]:
    """Return the SQL names of the tables and views that a query reads."""
    return {f"{table.db}.{table.name}" for table in parsed(query).find_all(exp.Table) if table.db}


def expanded(query: str, views: Mapping[str, str]) -> str:
    """Return a query with the views that it names put in their place, so that it reads stored tables only."""
    if not views.keys() & tables_in(query):
        return query
    statement = parse_one(query, dialect=_DIALECT)
    for table in list(statement.find_all(exp.Table)):
        if text := views.get(f"{table.db}.{table.name}"):
            view = parse_one(text, dialect=_DIALECT).assert_is(exp.Query)
            table.replace(view.subquery(table.alias or table.name))
    return statement.sql(dialect=_DIALECT, pretty=True)
