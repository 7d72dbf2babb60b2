"""Column lineage, derived from the declarations: which columns upstream each column is computed from."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import polars as pl
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.lineage import lineage as sql_lineage

from lakehouse_assets.contracts.declare import Feed, Model
from lakehouse_assets.contracts.keys import Key
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.contracts.views import parsed

Lineage = Mapping[str, tuple[tuple[str, str], ...]]
"""Column name to the (table, column) pairs upstream, tables by their path."""


def of_silver(feed: Feed) -> Lineage:
    """Return the lineage of a feed's silver table in its bronze table."""
    direct = {name: ((feed.bronze.key, origin.headers[0]),) for name, origin in feed.sources.items()}
    found: dict[str, tuple[tuple[str, str], ...]] = dict(direct)
    for name, expression in feed.derivations.items():
        roots = sorted(set(expression.meta.root_names()))
        found[name] = tuple(dict.fromkeys(pair for root in roots for pair in found.get(root, ())))
    if feed.business_date:
        found |= dict.fromkeys(feed.layout.columns, direct[feed.business_date])
    if feed.key:
        found["bucket"] = tuple(dict.fromkeys(pair for name in feed.key for pair in direct[name]))
    return found | {name: ((feed.bronze.key, name),) for name in ("_source_key", "_line")}


def of_history(feed: Feed, key: Key) -> Lineage:
    """Return the lineage of a keyed feed's history in its bronze table."""
    found = of_silver(feed)
    version = () if key.is_by_landing else found[key.versioned_by]
    deletes = () if key.deleted_when is None else key.deleted_when.meta.root_names()
    deleted = tuple(dict.fromkeys(pair for name in sorted(set(deletes)) for pair in found[name]))
    times = {"valid_from": version, "valid_to": version, "is_current": (*version, *deleted), "is_deleted": deleted}
    return {**found, **times}


def of_quarantine(feed: Feed) -> Lineage:
    """Return the lineage of a feed's quarantine in its bronze table."""
    shared = [name for name in feed.quarantine.columns if name in feed.bronze.columns]
    return {name: ((feed.bronze.key, name),) for name in shared}


def of_by_rule(feed: Feed) -> Lineage:
    """Return the lineage of a feed's counts by rule, of which a record's every value may be the cause."""
    return {name: ((feed.bronze.key, name),) for name in feed.raw_layout.columns}


@cache
def of_model(model: Model, registry: Registry) -> Lineage:
    """Return the lineage of a gold table, read from its SQL; of a function nothing is known but the tables."""
    if model.function is not None:
        return {}
    schema: dict[str, Any] = {}
    for table in registry.tables():
        if table.full_name in model.upstream:
            schema.setdefault(table.layer, {})[table.name] = dict.fromkeys(table.columns, "text")
    # A map literal and FILTER without WHERE are DuckDB's own; lineage only needs the columns that they name.
    try:
        nodes = sql_lineage(None, parsed(model.query), schema=schema, dialect="duckdb", trim_selects=False)
    except SqlglotError:  # it names what the tables do not have: building the model says so, and `lakehouse plan`
        return {}
    found: dict[str, tuple[tuple[str, str], ...]] = {}
    for name in model.schema.columns():
        if name not in nodes:  # the SQL does not return it: building the model says so
            continue
        pairs = {
            (f"{table.db}/{table.name}", leaf.name.rsplit(".", 1)[-1].strip('"'))
            for leaf, table in ((leaf, leaf.expression) for leaf in nodes[name].walk())
            if not leaf.downstream and isinstance(table, exp.Table) and table.db
        }
        found[name] = tuple(sorted(pairs))
    if model.date in found:
        found |= {name: found[model.date] for name in model.layout.columns if name not in found}
    return found


def personal_of_model(model: Model, registry: Registry) -> set[str]:
    """Return the columns of a gold table that may hold personal data: they come from such a column, in the same type.

    A count of customers is none; the smallest customer id is. The columns of a function may come from any column that
    it reads.
    """
    personal: dict[tuple[str, str], pl.DataType] = {}
    for name in model.upstream:
        table = registry.table(name)
        below = personal_of_model(registry.models[table.name], registry) if table.layer == "gold" else set()
        hidden = {column for column, about in table.columns.items() if about.personal} | below
        personal |= {(table.key, column): table.columns[column].dtype for column in hidden}
    lineage = of_model(model, registry) or dict.fromkeys(model.schema.columns(), tuple(personal))
    types = model.table.types
    return {name for name, pairs in lineage.items() if any(personal.get(pair) == types[name] for pair in pairs)}
