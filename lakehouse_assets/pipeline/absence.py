"""Deletes by absence: where every delivery is full, a key that a delivery lacks is deleted with it.

A delivery is what landed at one place of the order of landing. An empty delivery deletes nothing. Not here: the
versions that follow.
"""

import polars as pl

from lakehouse_assets.contracts.keys import LANDED, Key


def absences(key: Key, valid: pl.DataFrame, broken: pl.DataFrame, landings: pl.DataFrame) -> pl.DataFrame:
    """Return a delete for each delivery from which a key is missing that was in the one before.

    A record that breaks the contract says that its key is still there, and no more.

    Args:
        valid: Valid records: key, `_part`, `_landed`, provenance.
        broken: The same of records that break the contract; their keys may be null.
        landings: `_landed` and `_landed_at` of every delivery.

    Returns:
        Key, `_part`, `_landed` and `_landed_at` of the delivery, `_deletes`, and where the key stood last.
    """
    identity = ["_part", *key.columns]
    columns = [*identity, "_landed", "_source_key", "_line"]
    deliveries = landings.select(*LANDED).unique("_landed").sort("_landed")
    following = deliveries.select(
        pl.col("_landed"), pl.col("_landed").shift(-1).alias("_next"), pl.col("_landed_at").shift(-1).alias("_next_at")
    )
    is_known = pl.all_horizontal(pl.col(name).is_not_null() for name in key.columns)
    sightings = pl.concat(
        [
            valid.select(*columns, pl.lit(value=True).alias("_valid")),
            broken.filter(is_known).select(*columns, pl.lit(value=False).alias("_valid")),
        ]
    )
    seen = (
        sightings.sort("_source_key", "_line")
        .group_by(*identity, "_landed", maintain_order=True)
        .agg(pl.last("_source_key", "_line"), pl.any("_valid"))
        .sort(*identity, "_landed")
        .join(following, on="_landed", maintain_order="left")
    )
    # A key that was never valid is not there to be deleted.
    was_there = pl.col("_valid").cast(pl.Int8).cum_max().over(identity) == 1
    returns = pl.col("_landed").shift(-1).over(identity)
    missing = seen.filter(was_there & pl.col("_next").is_not_null() & returns.ne_missing(pl.col("_next")))
    return missing.select(
        *identity,
        pl.col("_next").alias("_landed"),
        pl.col("_next_at").alias("_landed_at"),
        pl.lit(value=True).alias("_deletes"),
        "_source_key",
        "_line",
    )
