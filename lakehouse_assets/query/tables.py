"""The lake's tables as people query them: SQL name to lazy frame. Not here: how answers are printed."""

import datetime as dt
from collections.abc import Mapping
from collections.abc import Set as AbstractSet

import polars as pl

from lakehouse_assets.catalog import costs, query_costs
from lakehouse_assets.catalog.costs import TABLE as COSTS
from lakehouse_assets.catalog.query_costs import TABLE as QUERY_COSTS
from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Column, Table
from lakehouse_assets.contracts.partitioning import UNDATED, WHOLE
from lakehouse_assets.decisions.recorded import TABLE as DECISIONS
from lakehouse_assets.decisions.recorded import Decisions
from lakehouse_assets.ledger.ledger import TABLE as LEDGER
from lakehouse_assets.ledger.ledger import FeedLedger, Ledger
from lakehouse_assets.pipeline.accounting import TABLE as ACCOUNTING
from lakehouse_assets.pipeline.accounting import as_declared
from lakehouse_assets.pipeline.bronze import read_bronze
from lakehouse_assets.pipeline.packs import TABLE as PACKS
from lakehouse_assets.pipeline.pending import current
from lakehouse_assets.pipeline.pins import decision_folder, open_at
from lakehouse_assets.pipeline.reading import read
from lakehouse_assets.storage import delta, delta_files

OPS = (LEDGER, ACCOUNTING, DECISIONS, PACKS)


def frames(
    lake: Lake, at: dt.datetime | None = None, named_in: str = "", *, only: AbstractSet[str] | None = None
) -> Mapping[str, pl.LazyFrame]:
    """Return every declared table as it stands, or as it stood, with the columns that are stored.

    One that is not yet written is empty, with the declared columns.

    Bronze shows the live records only, and the ledger the states as of then.

    Args:
        at: A moment in the past; decisions are always the present ones.
        named_in: Text that names the tables wanted, or nothing for all: of others, what the ledger says is not read,
            and it does not matter if their past is gone: they are left out then.
        only: SQL names of tables; what else a feed or model declares is left out.

    Raises:
        StorageError: A table's versions of that moment are gone.
    """
    ledger = Ledger.load(lake.store) if delta.exists(lake.store, LEDGER.path) else None
    if ledger is not None and at is not None:
        ledger = ledger.as_of(at)
    found: dict[str, pl.LazyFrame] = {}
    for table in lake.registry.tables():
        if only is not None and table.full_name not in only:
            continue
        if table.layer != "bronze":
            found |= _scan(lake, table, at, named_in)
        elif ledger is None or not _is_named(table, named_in):
            found[table.full_name] = pl.LazyFrame(schema=table.types)
        else:
            feed = lake.registry.feeds[table.name]
            live = _counting(lake, ledger, feed.name).live
            found[table.full_name] = read_bronze(lake, feed, live, in_order=False).select(*table.columns)
    if only is None or not only.isdisjoint(table.full_name for table in (*OPS, QUERY_COSTS, COSTS)):
        found |= _operational(lake, ledger, at, named_in)
    return found


def _operational(
    lake: Lake, ledger: Ledger | None, at: dt.datetime | None, named_in: str
) -> Mapping[str, pl.LazyFrame]:
    """Return the tables that the lake keeps of itself."""
    found = {LEDGER.full_name: _with_date(_ledger_rows(lake, ledger if _is_named(LEDGER, named_in) else None).lazy())}
    accounts = _scan(lake, ACCOUNTING, at, named_in)
    found |= {name: _with_date(as_declared(rows)) for name, rows in accounts.items()}
    found |= {name: _with_date(rows) for name, rows in _scan(lake, PACKS, at, named_in).items()}
    if _is_named(DECISIONS, named_in):
        found[DECISIONS.full_name] = _with_date(_decision_rows(lake, ledger).lazy())
    else:
        found[DECISIONS.full_name] = _with_date(Decisions(()).frame([]).lazy())
    found[QUERY_COSTS.full_name] = query_costs.scan(lake)
    found[COSTS.full_name] = costs.scan(lake)
    return found


def _is_named(table: Table, named_in: str) -> bool:
    # Reading what nobody asks for would cost as much as the history is long.
    return not named_in or table.name.lower() in named_in.lower()


def _scan(lake: Lake, table: Table, at: dt.datetime | None, named_in: str) -> Mapping[str, pl.LazyFrame]:
    """Return a Delta table by its name; nothing if its past is gone and the query does not name it."""
    if at is None or not delta.exists(lake.store, table.path):
        return {table.full_name: read(lake, table)}
    oldest, since = delta_files.first_commit(lake.store, table.path)
    if oldest == 0 and since > at:
        return {table.full_name: pl.LazyFrame(schema=table.types)}
    if since > at and named_in and table.name not in named_in:
        return {}
    return {table.full_name: delta.scan(lake.store, table.path, table.types, open_at(lake, table, at))}


def _decision_rows(lake: Lake, ledger: Ledger | None) -> pl.DataFrame:
    models = lake.registry.models.values()
    rows = [Decisions(()).frame([])]
    rows += [Decisions.load(lake.store, decision_folder(model.table)).frame([]) for model in models]
    for name, feed in lake.registry.feeds.items():
        taken = Decisions.load(lake.store, name)
        live = current(feed, ledger.of_feed(name), taken).live["source_hash"].to_list() if ledger is not None else []
        rows.append(taken.frame(live))
    return pl.concat(rows)


def _ledger_rows(lake: Lake, ledger: Ledger | None) -> pl.DataFrame:
    if ledger is None or not lake.registry.feeds:  # also where no feed can be loaded
        return pl.DataFrame(schema=LEDGER.types)
    return pl.concat([_counting(lake, ledger, feed).shown for feed in lake.registry.feeds])


def _counting(lake: Lake, ledger: Ledger, feed: str) -> FeedLedger:
    return ledger.of_feed(feed).without(Decisions.load(lake.store, feed).retracted)


def _with_date(rows: pl.LazyFrame) -> pl.LazyFrame:
    date = pl.when(~pl.col("part").is_in([UNDATED, WHOLE])).then(pl.col("part")).str.to_date(strict=False)
    return rows.with_columns(date.alias("dt"))


def described() -> tuple[Table, ...]:
    """Return the operational tables as queried: with the `dt` that their partition stands for."""
    dt = {"dt": Column(pl.Date(), "The partition as a date; null for undated and whole.")}
    dated = (Table(t.layer, t.name, {**t.columns, **dt}, t.partitioning, t.description, t.owner) for t in OPS)
    return *dated, QUERY_COSTS, COSTS
