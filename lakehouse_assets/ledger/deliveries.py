"""The newest delivery of a feed whose deliveries replace each other. A delivery is one landed object, with its members.

Pure functions of entries. Not here: what is live in other feeds.
"""

import polars as pl

from lakehouse_assets.contracts.deliveries import delivered_at
from lakehouse_assets.ledger import landing_order
from lakehouse_assets.ledger.entries import ACCEPTED
from lakehouse_assets.ledger.standing import latest, without_held


def newest(entries: pl.DataFrame, pattern: str | None) -> pl.DataFrame:
    """Return the entries of the newest delivery that was accepted whole; none if there is no such delivery.

    Args:
        pattern: Where the keys say when a delivery was made; None for the order in which they were recorded.
    """
    is_whole = (pl.col("state") == ACCEPTED).all().over("version")
    whole = latest(without_held(entries).filter(is_whole))
    chosen = whole.select("object_key", "version").unique()
    if chosen.height > 1:
        order = _declared(chosen, pattern) if pattern else _recorded(entries, chosen)
        chosen = order.sort("_order", "object_key", nulls_last=False).tail(1)
    return whole.join(chosen, on="version", how="semi")


def _declared(deliveries: pl.DataFrame, pattern: str) -> pl.DataFrame:
    # A key without a date was recorded before the order was declared: it comes first.
    times = [delivered_at(key, pattern) for key in deliveries["object_key"]]
    return deliveries.with_columns(pl.Series("_order", times, dtype=pl.String))


def _recorded(entries: pl.DataFrame, deliveries: pl.DataFrame) -> pl.DataFrame:
    landed = landing_order.of_versions(entries).select("version", pl.col("_landed").alias("_order"))
    return deliveries.join(landed, on="version")
