"""What a change costs a keyed feed, beside the floor: `python -m benchmarks.keyed_change KEYS...`, half a minute.

A thousand of the keys change. Measured in one process, without Dagster and imports: ingesting the object, publishing
it, and the least that can be done by hand: read the history, put the change into it, and write the same partitions of
the same two tables with the same libraries, without a contract, quarantine, accounts or a lineage to the records.
"""

import argparse
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dataframely as dy
import deltalake
import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Contract, Feed, source
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.pipeline.ingest import ingest
from lakehouse_assets.pipeline.pending import FeedState
from lakehouse_assets.pipeline.silver import publish
from lakehouse_assets.settings import Settings
from lakehouse_assets.sources.landing import pending
from lakehouse_assets.storage.stores import store_for

_CHANGED = 1_000
_RUN = "00000000-0000-4000-8000-000000000000"


class Customers(Contract):
    """A customer as of a moment."""

    customer_id = dy.Int64(nullable=False)
    shop = dy.String(nullable=False)
    name = dy.String(nullable=False, metadata=source(personal=True))
    city = dy.String(nullable=True)
    changed_at = dy.Datetime(time_zone="UTC", nullable=False)
    op = dy.String(nullable=False, regex="^[UD]$")


FEED = Feed(
    name="customers",
    contract=Customers,
    description="Customers.",
    owner="team:x",
    key=("customer_id", "shop"),
    versioned_by="changed_at",
    deleted_when=pl.col("op") == "D",
)


def changes(keys: pl.Series, minute: int) -> pl.DataFrame:
    """Return a record for each key."""
    return (
        keys.alias("customer_id")
        .to_frame()
        .with_columns(
            shop=pl.lit("A"),
            name=pl.format("Name {}", "customer_id"),
            city=pl.format("City {} of {}", pl.col("customer_id") % 997, minute),
            changed_at=pl.lit(f"2026-01-01 00:{minute:02}:00"),
            op=pl.lit("U"),
        )
    )


def cpu_seconds(work: Callable[[], Any]) -> float:
    """Return the seconds that some work took on all cores."""
    before = os.times()
    work()
    after = os.times()
    return after.user - before.user + after.system - before.system


def _ingest(lake: Lake) -> None:
    for _ in ingest(lake, FEED, list(pending(lake, FEED, lake.ledger_of(FEED))), _RUN):
        pass


def _publish(lake: Lake) -> None:
    for _ in publish(lake, FEED, FeedState.of(lake, FEED).pending, _RUN):
        pass


def _by_hand(lake: Lake, change: pl.DataFrame) -> None:
    """Write the two tables as they are after the change, all buckets of them."""
    history, silver = (deltalake.DeltaTable(lake.store.uri(table.path)) for table in FEED.typed[::-1])
    rows = pl.scan_delta(history).collect()
    is_changed = pl.col("customer_id").is_in(change["customer_id"].implode())
    added = rows.filter(is_changed).with_columns(pl.col("city") + "!", pl.col("valid_from").dt.offset_by("1h"))
    ended = rows.with_columns(pl.col("is_current") & ~is_changed)
    whole = pl.concat([ended, added]).sort("bucket", "customer_id", "valid_from")
    columns = [field.name for field in silver.schema().fields]
    for table, written in ((history, whole), (silver, whole.filter("is_current").select(columns))):
        deltalake.write_deltalake(table, written, mode="overwrite", predicate="bucket >= 0")


def measure(root: str, keys: int) -> tuple[float, float, float]:
    """Return the CPU seconds of ingesting a change, of publishing it, and of the floor."""
    lake = Lake(store_for(root), Settings(root=root), Registry([FEED], []))

    def land(name: str, records: pl.DataFrame) -> None:
        lake.store.replace(f"{FEED.landing}/{name}", records.write_csv().encode())

    land("all.csv", changes(pl.int_range(keys, eager=True), 1))
    _ingest(lake)
    _publish(lake)
    change = changes(pl.int_range(0, keys, keys // _CHANGED, eager=True), 5)
    land("change.csv", change)
    ingested = cpu_seconds(lambda: _ingest(lake))
    published = cpu_seconds(lambda: _publish(lake))
    return ingested, published, cpu_seconds(lambda: _by_hand(lake, change))


def main() -> None:
    """Measure each number of keys on a fresh lake."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("keys", type=int, nargs="+")
    print("| keys | ingest | publish | by hand | ratio |")
    print("| --: | --: | --: | --: | --: |")
    for keys in parser.parse_args().keys:
        with tempfile.TemporaryDirectory(prefix="keyed-") as folder:
            ingested, published, floor = measure(str(Path(folder, "lake")), keys)
        ratio = (ingested + published) / floor
        print(f"| {keys:,} | {ingested:.2f} | {published:.2f} | {floor:.2f} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
