"""Bronze objects that nobody reads any more, and their removal, which needs care because an ingest may reuse them.

An ingest that died may have said which files lie in a pack, and recorded none of them.

Not here: putting files into packs.
"""

import datetime as dt
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.maintenance.leftovers import Found, is_temporary, objects
from lakehouse_assets.pipeline import packs
from lakehouse_assets.pipeline.bronze import bronze_path
from lakehouse_assets.sources.landing import pending
from lakehouse_assets.storage import delta

_BYTES_AT_ONCE = 64 * 2**20


def bronze_orphans(lake: Lake, feed: Feed, listed: list[Found] | None = None) -> list[Found]:
    """Return the bronze objects that nobody reads any more, whatever their age.

    Files whose content no ledger row names, or whose records lie in a pack; and packs that `ops.packs` does not name.

    Args:
        listed: Every bronze object of the feed, as of a moment ago.
    """
    there = objects(lake, feed.bronze.path) if listed is None else listed
    known = _known(lake, feed)  # after the listing: what was committed meanwhile is no orphan
    return [item for item in there if item.path not in known and not is_temporary(item.path)]


def content_of(item: Found) -> str:
    """Return the hash of the content whose bronze object it is."""
    return packs.content_of(item.path.rpartition("/")[2].removesuffix(".parquet"))


def unread_since(lake: Lake, feed: Feed, orphans: list[Found]) -> dict[Found, dt.datetime]:
    """Return the bronze orphans whose records lie in a pack now, or that are packs, with when they were last read."""
    packed = packs.known(lake.store, feed.name)
    paths = {
        bronze_path(feed, part, file): at for part, file, at in packed.select("part", "file", "packed_at").iter_rows()
    }
    last: dict[str, dt.datetime] = {}
    for path, at in paths.items():
        folder = path.rpartition("/")[0]
        last[folder] = max(at, last.get(folder, at))
    found = {item: paths[item.path] for item in orphans if item.path in paths}
    for item in orphans:
        if packs.is_pack(item.path):
            found[item] = max(item.modified, last.get(item.path.rpartition("/")[0], item.modified))
    return found


def unrecorded(lake: Lake, feed: Feed) -> pl.DataFrame:
    """Return the files in packs that the ledger does not know in any partition, as `ops.packs` has them.

    They are of an ingest that died, of one that is about to record them, or of contents that were replaced since.
    """
    packed = packs.known(lake.store, feed.name)  # before the ledger: what is recorded meanwhile is known there
    if packed.is_empty():
        return packed
    rows = lake.ledger_of(feed).rows.select(pl.coalesce("file", "source_hash").alias("file"))
    # All partitions of a file are recorded at once, and who removes a file by its name removes it from all of them.
    return packed.join(rows.drop_nulls().unique(), on="file", how="anti")


def drop_unrecorded(lake: Lake, feed: Feed, before: dt.datetime) -> None:
    """Forget the packs of ingests that died: the ledger knows no file of them, and they are from before a moment."""
    if not delta.exists(lake.store, packs.TABLE.path):
        return

    def attempt() -> None:
        table = packs.opened(lake.store)
        is_unknown = pl.col("file").is_in(unrecorded(lake, feed)["file"].implode())
        is_dead = (is_unknown & (pl.col("packed_at") < before)).all().over("part", "pack").alias("_dead")
        known = packs.known(lake.store, feed.name).with_columns(is_dead)
        if len(touched := known.filter("_dead")["part"].unique()):
            kept = known.filter(pl.col("part").is_in(touched.implode()) & ~pl.col("_dead")).drop("_dead")
            packs.write(lake.store, table, feed.name, touched, kept)

    delta.until_committed(attempt)


def remove_bronze(lake: Lake, feed: Feed, orphans: list[Found], *, are_packed: bool = False) -> list[Found]:
    """Remove bronze orphans, and return those that are gone.

    Ingest does not write an object that is there already: it relies on it. So nothing is removed while landing holds
    anything to ingest, and what an ingest that came in between may have relied on is put back.

    Args:
        are_packed: The ledger knows them, and their records lie in packs: what landing holds does not matter.
    """
    gone: list[Found] = []
    for chunk in _chunks(orphans):
        if not are_packed and has_pending(lake, feed):
            break
        with ThreadPoolExecutor(lake.settings.threads) as pool:
            contents = dict(zip(chunk, pool.map(lambda item: lake.store.read(item.path), chunk), strict=True))
            list(pool.map(lambda item: lake.store.delete(item.path), chunk))
        awaited, known = not are_packed and has_pending(lake, feed), _known(lake, feed)
        for item, content in contents.items():
            if awaited or item.path in known:
                lake.store.create(item.path, content)
            else:
                gone.append(item)
    return gone


def has_pending(lake: Lake, feed: Feed) -> bool:
    """Return whether landing holds anything of a feed that is to be ingested."""
    return next(pending(lake, feed, lake.ledger_of(feed)), None) is not None


def _known(lake: Lake, feed: Feed) -> set[str]:
    rows = lake.ledger_of(feed).rows.select("part", pl.coalesce("file", "source_hash").alias("file"))
    packed = packs.known(lake.store, feed.name)
    alone = rows.drop_nulls().unique().join(packed, on=["part", "file"], how="anti")
    places = [*alone.iter_rows(), *packed.select("part", "pack").unique().iter_rows()]
    return {bronze_path(feed, partition, file) for partition, file in places}


def _chunks(found: list[Found]) -> Iterator[list[Found]]:
    chunk: list[Found] = []
    for item in found:
        if chunk and sum(other.size for other in chunk) + item.size > _BYTES_AT_ONCE:
            yield chunk
            chunk = []
        chunk.append(item)
    if chunk:
        yield chunk
