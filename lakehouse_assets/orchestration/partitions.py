"""Dagster's partitions for tables by business date, and which of them a run is asked for."""

from collections.abc import Iterable, Sequence

import dagster as dg

from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.settings import settings


def daily(time_zone: str) -> dg.DailyPartitionsDefinition:
    """Return the business dates in a time zone: from the first one in the settings through today."""
    start = settings().start_date.isoformat()
    return dg.DailyPartitionsDefinition(start_date=start, timezone=time_zone, end_offset=1)


def of_feed(feed: Feed) -> dg.DailyPartitionsDefinition | None:
    """Return a feed's partitions; None for one without dates."""
    return daily(feed.time_zone) if feed.business_date else None


def upstream(keys: Iterable[Sequence[str]], *, dated: bool) -> list[dg.AssetDep]:
    """Return the dependencies of an asset on others.

    A table without dates depends on the last date of those with: else Dagster lists all dates since the first at
    every run of it.
    """
    if dated:
        return [dg.AssetDep(key) for key in keys]
    return [dg.AssetDep(key, partition_mapping=dg.LastPartitionMapping()) for key in keys]


class Parts(dg.Config):
    """The partitions that a run without a partition key works on, contiguous or not; `again` even if not pending."""

    parts: list[str] | None = None
    again: bool = False


def asked_for(context: dg.AssetExecutionContext, config: Parts) -> tuple[list[str] | None, bool]:
    """Return the partitions that a run was asked for, None for whatever is pending, and whether a person asked.

    Configured partitions come from the automation and stand above the run's own, which is only the newest of them.
    A person asks with a partition key or range, or by materializing a table that has no dates: then also what is
    already published is computed again.
    """
    if config.parts is not None:
        return config.parts, config.again
    if context.has_partition_key:
        return [context.partition_key], True
    if context.has_partition_key_range:
        return list(context.partition_keys), True
    return None, context.assets_def.partitions_def is None
