"""When what is live landed, and how it was read. Pure functions of entries. Not here: what is live."""

import polars as pl

from lakehouse_assets.ledger.standing import accepted

_LANDED = ("_landed", "_landed_at")


def landings(entries: pl.DataFrame) -> pl.DataFrame:
    """Return when each content that is live landed: `source_hash`, `_landed`, `_landed_at`; the first in order first.

    `_landed` is the number of the object version, `_landed_at` when it was recorded. Reading an object anew, or landing
    the same bytes under the same key again, is no landing. A content under several keys has a landing for each. An
    object without records has none.
    """
    key, digest = pl.col("object_key"), pl.col("object_hash")
    versions = entries.select("object_key", "object_hash", "version", "ingested_at").unique(["object_key", "version"])
    is_other = (key.ne_missing(key.shift(1)) | digest.ne_missing(digest.shift(1))).fill_null(value=True)
    begun = versions.sort("object_key", "version").with_columns(is_other.cum_sum().alias("_landing"))
    landed = begun.select(
        "object_key",
        "version",
        pl.col("version").first().over("_landing").alias("_landed"),
        pl.col("ingested_at").first().over("_landing").alias("_landed_at"),
    )
    standing = accepted(entries).filter(pl.col("part").is_not_null())
    of_content = standing.select("object_key", "version", "source_hash").unique()
    found = of_content.join(landed, on=["object_key", "version"]).select("source_hash", *_LANDED).unique()
    return found.sort("_landed", "source_hash")


def last_readings(entries: pl.DataFrame) -> pl.DataFrame:
    """Return how each content that is live was read last: `source_hash`, `source_key`, `dating`."""
    standing = accepted(entries).filter(pl.col("part").is_not_null()).sort("version")
    return standing.group_by("source_hash", maintain_order=True).agg(pl.col("source_key", "dating").last())
