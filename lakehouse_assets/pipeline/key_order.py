"""What a keyed feed needs to know from the ledger: the order in which records landed, and that buckets hold their keys.

Not here: what follows from the order.
"""

import polars as pl

from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.contracts.keys import bucketing
from lakehouse_assets.contracts.wording import counted
from lakehouse_assets.ledger.ledger import FeedLedger


def landings_of(feed: Feed, ledger: FeedLedger) -> pl.DataFrame | None:
    """Return when each content landed: `_source_hash`, `_landed`, `_landed_at`; None where that counts for nothing."""
    if feed.keyed is None or not feed.keyed.is_by_landing:
        return None
    return ledger.landings(feed.delivered_at, feed.naive_zone).rename({"source_hash": "_source_hash"})


def in_other_buckets(feed: Feed, ledger: FeedLedger) -> str | None:
    """Return why a keyed feed cannot be computed: live records lie where another declaration put them.

    Then one key may be in two buckets, and in silver twice. None when all are where they belong.
    """
    if feed.keyed is None:
        return None
    is_ours = pl.col("dating").str.ends_with(f".{bucketing(feed)}").fill_null(value=False)
    odd = ledger.last_readings.filter(~is_ours)["source_key"].sort()
    if not odd.len():
        return None
    return (
        f"{counted(odd.len(), 'landed object')}, such as {odd[0]}, sorted by another key or into another number of "
        "buckets: a key may stand in two places. `lakehouse run` reads them again; land those again whose "
        "originals are gone from landing, or undo the change of the declaration"
    )
