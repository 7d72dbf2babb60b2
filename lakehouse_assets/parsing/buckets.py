"""Which hash bucket a record of a keyed feed belongs to.

The hash is our own: the partitions of a lake must stay the same whatever version of a library reads it. Not here: what
a bucket is good for.
"""

import zlib
from collections.abc import Mapping

import polars as pl

from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.contracts.partitioning import bucket_name
from lakehouse_assets.parsing.casting import cast, normalised

_BETWEEN = "\x1f"


def buckets(records: pl.DataFrame, feed: Feed) -> pl.Series:
    """Return the bucket of each bronze record (`pl.Int32`): the CRC-32 of its key as text, modulo their number.

    Ways to write one key that the contract reads alike come to the same bucket. A key that cannot be read counts as the
    text that it is, so every record has a bucket.
    """
    texts = records.select(
        pl.concat_str([_key_text(records, feed, name) for name in feed.key], separator=_BETWEEN).alias("key")
    ).to_series()
    found = [zlib.crc32(text.encode()) % feed.buckets for text in texts]
    return pl.Series("bucket", found, dtype=pl.Int32)


def _key_text(records: pl.DataFrame, feed: Feed, name: str) -> pl.Series:
    origin, dtype = feed.sources[name], feed.columns[name].dtype
    text = records.select(normalised(origin).alias(name)).to_series()
    if isinstance(dtype, pl.String):
        return text.fill_null("")
    value = cast(text, dtype, origin, feed.naive_zone).cast(pl.String)
    return pl.select(pl.coalesce(value, text, pl.lit("")).alias(name)).to_series()


def bucket_of(values: Mapping[str, str | None], feed: Feed) -> str:
    """Return the partition of a record from its raw key, by header; what is missing counts as no value."""
    headers = [feed.sources[name].headers[0] for name in feed.key]
    record = {header: [values.get(header)] for header in headers}
    return bucket_name(buckets(pl.DataFrame(record, schema=dict.fromkeys(headers, pl.String)), feed)[0])
