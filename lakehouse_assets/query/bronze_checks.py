"""Comparing what is live with the stored bronze objects: `verify`'s check of bronze. Not here: the landed originals."""

from collections.abc import Iterator

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.contracts.wording import counted
from lakehouse_assets.erasure.protocol import Erasures
from lakehouse_assets.maintenance import bronze_leftovers
from lakehouse_assets.pipeline import packs, repair
from lakehouse_assets.pipeline.bronze import bronze_path, scan_files
from lakehouse_assets.query import table_checks
from lakehouse_assets.query.table_checks import Finding
from lakehouse_assets.storage import delta


def stored(lake: Lake, feed: Feed) -> Iterator[Finding]:
    """Compare what is live with the stored objects: their rows and hashes, and that no erased person is in them."""
    erasures, name = Erasures.load(lake, feed), feed.bronze.full_name
    for column in erasures.people.unread_columns:
        what = f"people were erased by {column}, which no column reads any more: they may come back unseen"
        yield Finding(name, "", what)
    for item in bronze_leftovers.bronze_orphans(lake, feed) if erasures else []:
        if erasures.has_replaced(bronze_leftovers.content_of(item)):
            what = f"{item.path} is of an erased person, written late; run the same `lakehouse forget` again"
            yield Finding(name, "", what)
    for path, file in _unrecorded(lake, feed) if erasures else []:
        if erasures.has_replaced(packs.content_of(file)):
            what = f"{path} is of an erased person, written late; run the same `lakehouse forget` again"
            yield Finding(name, "", what)
    live, packed = lake.ledger_of(feed).live, packs.known(lake.store, feed.name)
    content = pl.col("file").str.split("-").list.first()
    members = packed.with_columns(content.alias("source_hash")).group_by("part", "pack").agg("source_hash")
    known = {(part, pack): set(contents) for part, pack, contents in members.iter_rows()}
    placed = packs.placed(lake.store, feed.name, live).with_columns(pl.coalesce("pack", "file").alias("_object"))
    for (part, stem), rows in placed.partition_by("part", "_object", as_dict=True, maintain_order=True).items():
        partition, contents = str(part), known.get((part, stem), set(rows["source_hash"]))
        path, fix = bronze_path(feed, partition, str(stem)), repair.of_bronze(feed.name, [partition])
        found = list(_differences(lake, path, rows, contents))
        yield from (Finding(name, partition, f"{path} {what}; {fix}") for what in found)
        files = rows.select("part", "file")
        if not found and erasures and erasures.matches(scan_files(lake, feed, files).collect()).any():
            what = f"{path} holds records of an erased person; run the same `lakehouse forget` again"
            yield Finding(name, partition, what)


def _unrecorded(lake: Lake, feed: Feed) -> Iterator[tuple[str, str]]:
    """Yield the packs of ingests that died, each with a file in it that was never recorded."""
    for part, pack, file in bronze_leftovers.unrecorded(lake, feed).select("part", "pack", "file").iter_rows():
        yield bronze_path(feed, part, pack), file


def _differences(lake: Lake, path: str, live: pl.DataFrame, contents: set[str]) -> Iterator[str]:
    """Yield what a bronze object does not hold as the ledger says.

    Args:
        live: What of it is live.
        contents: All contents that it may hold.
    """
    keys = ", ".join(live["source_key"][:3])
    if lake.store.stat(path) is None:
        yield f"is missing; the ledger has {counted(int(live['rows'].sum()), 'live record')} of {keys}"
        return
    try:
        scan = pl.scan_parquet(lake.store.uri(path), storage_options=lake.store.options or None, glob=False)
        found = scan.group_by("_source_hash").len().collect(engine="streaming")
    except delta.UNREADABLE as error:
        yield f"cannot be read: {table_checks.first_line(error)}"
        return
    counts = dict(found.iter_rows())
    wanted = dict(live.select("source_hash", "rows").iter_rows())
    there = sum(counts.values() if not packs.is_pack(path) else (counts.get(content, 0) for content in wanted))
    if there != sum(wanted.values()):
        yield f"has {counted(there, 'record')}, the ledger {sum(wanted.values()):,}"
    if not counts.keys() <= contents or any(counts.get(content, 0) != rows for content, rows in wanted.items()):
        yield "holds records of another source object"
