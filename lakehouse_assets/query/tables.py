"""The lake's tables as people query them: SQL name to lazy frame. Not here: how answers are printed."""

from collections.abc import Mapping

import polars as pl

from lakehouse_assets.contracts.declare import Column, Table
from lakehouse_assets.contracts.partitioning import UNDATED, WHOLE
from lakehouse_assets.ingest.bronze import read_bronze
from lakehouse_assets.lake import delta
from lakehouse_assets.lake.decisions import TABLE as DECISIONS
from lakehouse_assets.lake.decisions import Decisions
from lakehouse_assets.lake.lake import Lake
from lakehouse_assets.lake.ledger import TABLE as LEDGER
from lakehouse_assets.lake.ledger import Ledger
from lakehouse_assets.publish.accounting import TABLE as ACCOUNTING
from lakehouse_assets.publish.accounting import scan_accounting

OPS = (LEDGER, ACCOUNTING, DECISIONS)


def frames(lake: Lake) -> Mapping[str, pl.LazyFrame]:
    """Return every declared table as it stands; one that is not yet written is empty.

    Bronze shows the live records only, and the ledger the states as of now.
    """
    ledger = Ledger.load(lake.store) if delta.exists(lake.store, LEDGER.path) else None
    found: dict[str, pl.LazyFrame] = {}
    for table in lake.registry.tables():
        columns = {name: column.dtype for name, column in table.columns.items()}
        if table.layer != "bronze":
            found[table.full_name] = delta.scan(lake.store, table.path, columns)
        elif ledger is None:
            found[table.full_name] = pl.LazyFrame(schema=columns)
        else:
            feed = lake.registry.feeds[table.name]
            found[table.full_name] = read_bronze(lake, feed, ledger.of_feed(feed.name).live).select(*columns)
    found[LEDGER.full_name] = _with_date(_ledger_rows(lake, ledger).lazy())
    found[ACCOUNTING.full_name] = _with_date(scan_accounting(lake.store))
    found[DECISIONS.full_name] = _with_date(_decision_rows(lake, ledger).lazy())
    return found


def _decision_rows(lake: Lake, ledger: Ledger | None) -> pl.DataFrame:
    rows: list[pl.DataFrame] = []
    for name in lake.registry.feeds:
        live = ledger.of_feed(name).live["source_hash"].to_list() if ledger is not None else []
        rows.append(Decisions.load(lake.store, name).frame(live))
    return pl.concat(rows)


def _ledger_rows(lake: Lake, ledger: Ledger | None) -> pl.DataFrame:
    if ledger is None:
        return pl.DataFrame(schema={name: column.dtype for name, column in LEDGER.columns.items()})
    return pl.concat([ledger.of_feed(feed).shown for feed in lake.registry.feeds])


def _with_date(rows: pl.LazyFrame) -> pl.LazyFrame:
    date = pl.when(~pl.col("part").is_in([UNDATED, WHOLE])).then(pl.col("part")).str.to_date(strict=False)
    return rows.with_columns(date.alias("dt"))


def described() -> tuple[Table, ...]:
    """Return the operational tables as queried: with the `dt` that their partition stands for."""
    dt = {"dt": Column(pl.Date(), "The partition as a date; null for undated and whole.")}
    return tuple(Table(t.layer, t.name, {**t.columns, **dt}, t.partitioning, t.description, t.owner) for t in OPS)
