"""Write the history of a lake directly: what years of ingesting and publishing would have left of it.

The ledger has a row per landed object; silver has a file per date, one small file linked many times; quarantine and the
counts by rule are empty. All bear the fingerprints of their inputs, so the lake is up to date. Bronze is not written:
what is measured reads none of the history's.
"""

import datetime as dt
import hashlib
import json
import os
import sys
from pathlib import Path

import polars as pl
from deltalake import CommitProperties, Transaction, write_deltalake

from benchmarks.wide import FEEDS, MODEL
from lakehouse_assets.catalog.duckdb_views import rebuild
from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed, Table
from lakehouse_assets.contracts.registry import registry_of
from lakehouse_assets.ledger.entries import SCHEMA
from lakehouse_assets.ledger.ledger import TABLE as LEDGER
from lakehouse_assets.ledger.ledger import Ledger, summarise
from lakehouse_assets.pipeline import accounting
from lakehouse_assets.pipeline.gate import PUBLISHED
from lakehouse_assets.pipeline.inputs import fingerprint
from lakehouse_assets.pipeline.pending import FeedState, ModelState
from lakehouse_assets.pipeline.silver import open_declared
from lakehouse_assets.settings import Settings
from lakehouse_assets.storage import delta
from lakehouse_assets.storage.stores import store_for

DEFINITIONS = "benchmarks.wide"
FIRST = dt.date(2015, 1, 1)
_ROWS = 100


def write(root: Path, objects: int, dates: int, feeds: int = FEEDS) -> None:
    """Write a lake in which so many objects of the first feeds have landed, over so many dates."""
    lake = Lake(store_for(str(root)), Settings(root=str(root), definitions=DEFINITIONS), registry_of(DEFINITIONS))
    names = pl.date_range(FIRST, FIRST + dt.timedelta(days=dates - 1), eager=True).cast(pl.String)
    Ledger.load(lake.store)
    table = delta.opened(lake.store, LEDGER.path)
    chosen = list(lake.registry.feeds.values())[:feeds]
    for number, feed in enumerate(chosen):
        found = entries(feed, number, objects // feeds, names).sort("object_key")
        delta.write_serially(lake.store, table, found, [f"ledger/{feed.name}"])
    for feed in chosen:
        _published(lake, feed)
        summarise(lake.store, feed.name)
    state = ModelState.read(lake, MODEL)
    gold = pl.DataFrame({"dt": sorted(state.inputs)}).select(
        pl.col("dt").str.to_date(),
        pl.lit(_ROWS).cast(pl.Int64).alias("events"),
        pl.lit(1).cast(pl.Int64).alias("amount"),
    )
    _commit(lake, MODEL.table, gold, state.inputs)
    rebuild(lake)


def entries(feed: Feed, number: int, count: int, names: pl.Series, rows: int = _ROWS) -> pl.DataFrame:
    """Return what the ledger would have of so many landed objects of a feed, spread over some dates.

    Args:
        number: Of the feed, so that the contents of each are its own.
        rows: Records of each object.
    """
    hashes = [hashlib.sha256(f"{number}/{at}".encode()).hexdigest() for at in range(count)]
    date = names.gather(pl.int_range(count, eager=True) % names.len())
    key = pl.format("{}/drop-{}.csv", "part", pl.int_range(pl.len()))
    found = pl.DataFrame({"source_hash": hashes, "part": date}).with_columns(
        pl.lit(feed.name).alias("feed"),
        key.alias("object_key"),
        key.alias("source_key"),
        *(pl.col("source_hash").alias(name) for name in ("object_hash", "file")),
        pl.col("source_hash").str.slice(0, 32).alias("object_token"),
        pl.int_range(1, pl.len() + 1).alias("version"),
        pl.lit("accepted").alias("state"),
        pl.lit(rows).alias("rows"),
        pl.lit(4_000).alias("bytes"),
        pl.lit(feed.version).alias("contract"),
        pl.lit(feed.reading_version).alias("dating"),
        pl.lit(dt.datetime.now(dt.UTC)).alias("ingested_at"),
        pl.lit("00000000-0000-4000-8000-000000000000").alias("run_id"),
    )
    missing = [pl.lit(None, SCHEMA[name]).alias(name) for name in SCHEMA if name not in found.columns]
    return found.with_columns(missing).select(pl.col(name).cast(dtype) for name, dtype in SCHEMA.items())


def _published(lake: Lake, feed: Feed) -> None:
    ledger = lake.ledger_of(feed)
    inputs = FeedState.read(lake, feed, ledger).inputs
    _link_silver(lake, feed, inputs)
    for table in (feed.quarantine, feed.by_rule):
        rows = pl.DataFrame(schema=table.types)
        _commit(lake, table, rows, inputs)
    accounts = ledger.live.select(
        "part", "source_key", "source_hash", pl.col("rows").alias("landed"), pl.col("rows").alias("valid"),
        *(pl.lit(0).alias(name) for name in ("quarantined", "duplicates", "discarded", "erased", "held", "waiting")),
        pl.col("rows").alias("published"), pl.lit(PUBLISHED).alias("verdict"), pl.lit(1.0).alias("score"),
        pl.lit("run").alias("run_id"),
    )  # fmt: skip
    marks = {accounting.mark(feed.name, name): fingerprint([value, PUBLISHED]) for name, value in inputs.items()}
    accounting.write(lake.store, accounting.open_accounting(lake.store), feed.name, marks, accounts)


def _link_silver(lake: Lake, feed: Feed, inputs: dict[str, int]) -> None:
    """Write silver as one file per date; all of them are the same file."""
    table = open_declared(lake, feed.silver)
    folder = Path(lake.store.uri(feed.silver.path))
    columns = {name: column.dtype for name, column in feed.silver.columns.items() if name != "dt"}
    rows = pl.select(pl.int_range(_ROWS).alias("amount")).with_columns(
        pl.lit("event").alias("name"), pl.lit(dt.datetime(2015, 1, 1, tzinfo=dt.UTC)).alias("happened_at")
    )
    rows = rows.with_columns(pl.lit(None, d).alias(n) for n, d in columns.items() if n not in rows.columns)
    first = folder / "one.parquet"
    rows.select(pl.col(name).cast(dtype) for name, dtype in columns.items()).write_parquet(first)
    size, actions = first.stat().st_size, []
    for name, value in inputs.items():
        path = f"dt={name}/part-00000.parquet"
        (folder / path).parent.mkdir()
        os.link(first, folder / path)
        stats = json.dumps({"numRecords": _ROWS})
        added = {"path": path, "partitionValues": {"dt": name}, "size": size, "modificationTime": 1_700_000_000_000}
        actions.append({"add": added | {"dataChange": True, "stats": stats}})
        actions.append({"txn": {"appId": name, "version": value}})
    first.unlink()
    log = folder / "_delta_log" / f"{table.version() + 1:020}.json"
    log.write_text("\n".join(json.dumps(action) for action in actions))
    table.update_incremental()
    table.create_checkpoint()


def _commit(lake: Lake, table: Table, rows: pl.DataFrame, fingerprints: dict[str, int]) -> None:
    marks = [Transaction(app_id=name, version=value) for name, value in fingerprints.items()]
    opened = open_declared(lake, table)
    write_deltalake(opened, rows, mode="append", commit_properties=CommitProperties(app_transactions=marks))
    opened.create_checkpoint()


def main() -> None:
    """Write a history: `python -m benchmarks.history REPORT ROOT OBJECTS DATES [FEEDS]`. The report is empty."""
    report, root, *numbers = sys.argv[1:]
    Path(root).mkdir(parents=True)
    write(Path(root), *map(int, numbers))
    Path(report).write_text("{}", encoding="utf-8")


if __name__ == "__main__":
    main()
