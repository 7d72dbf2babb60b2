"""Dagster's partitions for tables by business date, and which of them a run is asked for."""

import datetime as dt
from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo

import dagster as dg

from lakehouse_assets.contracts.feed import FIRST_DATE
from lakehouse_assets.contracts.registry import Registry


def daily(registry: Registry) -> dg.DailyPartitionsDefinition:
    """Return the business dates: from the first one of any feed through today.

    The same for all tables, because one job holds them all, and Dagster wants one definition for a job: that of the
    feed whose day begins first. What is a business date of a feed, its own time zone decides when it is published.
    """
    start, _ = first_and_last(registry)
    return dg.DailyPartitionsDefinition(start_date=start, timezone=_first_zone(registry), end_offset=1)


def first_and_last(registry: Registry) -> tuple[str, str]:
    """Return the first and the last business date of `daily`, as partition names."""
    today = dt.datetime.now(ZoneInfo(_first_zone(registry))).date()
    first = min((feed.start_date for feed in registry.feeds.values() if feed.business_date), default=FIRST_DATE)
    return first.isoformat(), today.isoformat()


def _first_zone(registry: Registry) -> str:
    zones = sorted({feed.time_zone for feed in registry.feeds.values() if feed.business_date} or {"UTC"})
    return max(zones, key=_ahead)


def _ahead(zone: str) -> tuple[dt.timedelta, ...]:
    """Return how far a zone is ahead of UTC in winter and in summer."""
    # Of a fixed year: a definition must not change with the clock.
    days = (dt.datetime(2026, month, 1, tzinfo=ZoneInfo(zone)) for month in (1, 7))
    return tuple(sorted((offset for day in days if (offset := day.utcoffset()) is not None), reverse=True))


def upstream(keys: Iterable[Sequence[str]], *, dated: bool) -> list[dg.AssetDep]:
    """Return the dependencies of an asset on others.

    A table without dates depends on the last date of those with: else Dagster lists all dates since the first at
    every run of it.
    """
    if dated:
        return [dg.AssetDep(key) for key in keys]
    return [dg.AssetDep(key, partition_mapping=dg.LastPartitionMapping()) for key in keys]


class RequestedPartitions(dg.Config):
    """The partitions that a run without a partition key works on, contiguous or not.

    With `force`, also those that are not pending.
    """

    partitions: list[str] | None = None
    force: bool = False


def requested(context: dg.AssetExecutionContext, config: RequestedPartitions) -> tuple[list[str] | None, bool]:
    """Return the partitions that a run was asked for, None for whatever is pending, and whether a person asked.

    Configured partitions come from the automation and stand above the run's own, which is only the newest of them.
    A person asks with a partition key or range, or by materializing a table that has no dates: then also what is
    already published is computed again.
    """
    if config.partitions is not None:
        return config.partitions, config.force
    if context.has_partition_key:
        return [context.partition_key], True
    if context.has_partition_key_range:
        return list(context.partition_keys), True
    return None, context.assets_def.partitions_def is None
