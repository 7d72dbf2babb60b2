"""Bronze files that are missing or cannot be read. Not here: reading their originals again."""

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.pipeline import packs, repair
from lakehouse_assets.pipeline.bronze import bronze_path
from lakehouse_assets.storage.delta import UNREADABLE
from lakehouse_assets.storage.stores import StorageError


def unreadable(lake: Lake, feed: Feed, live: pl.DataFrame) -> dict[str, str]:
    """Return the partitions one of whose bronze files is missing or damaged, with the reason.

    Args:
        live: Rows of `FeedLedger.live`.
    """
    lost = {}
    stored = packs.placed(lake.store, feed.name, live)
    objects = stored.with_columns(pl.coalesce("pack", "file").alias("file")).unique(
        ["part", "file"], maintain_order=True
    )
    for partition, file, key in objects.select("part", "file", "source_key").iter_rows():
        path = bronze_path(feed, partition, file)
        try:
            scan = pl.scan_parquet(lake.store.uri(path), storage_options=lake.store.options or None, glob=False)
            scan.select(pl.col("_line").max()).collect()
        except UNREADABLE as error:
            reason = str(error).splitlines()[0]
            fix = repair.of_bronze(feed.name, [partition])
            lost[partition] = f"the bronze file {path} of {key} cannot be read ({reason}); {fix}"
    return lost


def check_bronze(lake: Lake, feed: Feed, partitions: list[str]) -> None:
    """Raise `StorageError` when bronze files of some partitions still cannot be read: no original of them is left."""
    live = lake.counting(feed).live_of(partitions)
    if lost := unreadable(lake, feed, live):
        lacking = live.filter(pl.col("part").is_in(list(lost)))["source_key"].unique().sort().to_list()
        msg = (
            f"bronze.{feed.name} of {', '.join(sorted(lost)[:5])} still cannot be read: landing does not hold an "
            f"original of it. Land what is missing of {', '.join(lacking[:5])} again, then run the same command again."
        )
        raise StorageError(msg)
