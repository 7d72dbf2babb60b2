"""Numbers and partitions in the words in which messages say them. Not here: the messages."""

from collections.abc import Collection

from lakehouse_assets.contracts.partitioning import UNDATED, WHOLE, as_bucket, as_date


def in_words(partitions: Collection[str]) -> str:
    """Return which partitions these are, as a person says it: how many dates, the first and the last; or buckets."""
    dates = sorted(partition for partition in set(partitions) if as_date(partition) is not None)
    buckets = sum(as_bucket(partition) is not None for partition in partitions)
    named = ["the whole table"] if WHOLE in partitions else []
    if dates:
        named.append(dates[0] if len(dates) == 1 else f"{len(dates):,} dates, {dates[0]} .. {dates[-1]}")
    if buckets:
        named.append(f"{counted(buckets, 'bucket')} of keys")
    if UNDATED in partitions:
        named.append("records without a date")
    return " and ".join(named)


def counted(number: int, what: str) -> str:
    """Return a number with what it counts: `1 date`, `2 dates`."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
