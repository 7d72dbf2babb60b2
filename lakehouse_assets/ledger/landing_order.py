"""When what is live landed, and how it was read. Pure functions of entries. Not here: what is live."""

import datetime as dt

import polars as pl

from lakehouse_assets.contracts.deliveries import delivered_at
from lakehouse_assets.ledger.standing import accepted

_LANDED = ("_landed", "_landed_at")


def landings(entries: pl.DataFrame, pattern: str | None = None, zone: str = "UTC") -> pl.DataFrame:
    """Return when each content that is live landed: `source_hash`, `_landed`, `_landed_at`; the first in order first.

    `_landed` is the number of the object version, `_landed_at` when it was recorded. Reading an object anew, or landing
    the same bytes under the same key again, is no landing. A content under several keys has a landing for each. An
    object without records has none.

    Args:
        pattern: Where the keys say when an object was delivered: then its time in seconds, and its time, take the place
            of the number and of when it was recorded. A key that does not say it comes first.
        zone: The zone of these times.
    """
    landed = of_versions(entries)
    standing = accepted(entries).filter(pl.col("part").is_not_null())
    of_content = standing.select("object_key", "version", "source_hash").unique()
    found = of_content.join(landed, on=["object_key", "version"])
    if pattern is not None:
        found = found.drop(_LANDED).join(_delivered(found["object_key"].unique(), pattern, zone), on="object_key")
    return found.select("source_hash", *_LANDED).unique().sort("_landed", "source_hash")


def of_versions(entries: pl.DataFrame) -> pl.DataFrame:
    """Return when the bytes of each object version landed: `object_key`, `version`, `_landed`, `_landed_at`.

    That is the first of the versions of a key that follow each other with the same bytes: the others read them anew.
    """
    key, content = pl.col("object_key"), pl.coalesce("object_hash", "object_token")
    versions = entries.select("object_key", content.alias("_bytes"), "version", "ingested_at")
    is_other = key.ne_missing(key.shift(1)) | pl.col("_bytes").ne_missing(pl.col("_bytes").shift(1))
    begun = versions.unique(["object_key", "version"]).sort("object_key", "version")
    return begun.with_columns(is_other.cum_sum().alias("_landing")).select(
        "object_key",
        "version",
        pl.col("version").first().over("_landing").alias("_landed"),
        pl.col("ingested_at").first().over("_landing").alias("_landed_at"),
    )


def _delivered(keys: pl.Series, pattern: str, zone: str) -> pl.DataFrame:
    texts = [delivered_at(key, pattern) for key in keys]
    local = pl.col("at").str.to_datetime("%Y-%m-%dT%H:%M:%S", time_unit="us").dt
    time = local.replace_time_zone(zone, ambiguous="earliest", non_existent="null").dt.convert_time_zone("UTC")
    frame = pl.DataFrame({"object_key": keys, "at": pl.Series(texts, dtype=pl.String)})
    known = frame.with_columns(time.fill_null(dt.datetime(1970, 1, 1, tzinfo=dt.UTC)).alias("_landed_at"))
    return known.select("object_key", pl.col("_landed_at").dt.epoch("s").cast(pl.Int64).alias("_landed"), "_landed_at")


def last_readings(entries: pl.DataFrame) -> pl.DataFrame:
    """Return how each content that is live was read last: `source_hash`, `source_key`, `dating`."""
    standing = accepted(entries).filter(pl.col("part").is_not_null()).sort("version")
    return standing.group_by("source_hash", maintain_order=True).agg(pl.col("source_key", "dating").last())
