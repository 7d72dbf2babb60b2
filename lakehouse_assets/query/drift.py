"""Drift in words: columns that differ from those of the contract, alike ones on one line, and ids on several dates."""

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.pipeline.accounting import scan_accounting
from lakehouse_assets.pipeline.batches import batches
from lakehouse_assets.pipeline.repeated_ids import is_checked, repeated_ids

ROWS = 1_000_000


def drifted(lake: Lake, run_ids: list[str] | None = None) -> list[str]:
    """Return one line for each kind of difference of a feed, with one of the objects that have it.

    Args:
        run_ids: Only of what some runs read; None for the latest version of every object.
    """
    lines = []
    for feed in lake.registry.feeds.values():
        ledger = lake.ledger_of(feed)
        found = ledger.drifted() if run_ids is None else _read_by(ledger.recorded_by(run_ids))
        alike: dict[str, list[str]] = {}
        for key, words in found.iter_rows():
            alike.setdefault(words, []).append(key)
        for words, keys in alike.items():
            more = f" and {len(keys) - 1:,} more" if len(keys) > 1 else ""
            lines.append(f"{feed.name}: {keys[-1]}{more}: {words}")
    return lines


def _read_by(entries: pl.DataFrame) -> pl.DataFrame:
    return entries.filter(pl.col("drift").is_not_null()).select("source_key", "drift").unique().sort("source_key")


def ids_on_several_dates(lake: Lake, run_ids: list[str] | None = None) -> list[str]:
    """Return one line for each feed with ids that published records of several dates have.

    Only the newest dates are looked at, those with `ROWS` records together, and the dates near to them.

    Args:
        run_ids: Only around dates that some runs published; None for the newest dates of all.
    """
    feeds = [feed for feed in lake.registry.feeds.values() if is_checked(feed)]
    accounts = scan_accounting(lake.store).filter(pl.col("published") > 0)
    if run_ids is not None:
        accounts = accounts.filter(pl.col("run_id").is_in(run_ids))
    counts = accounts.group_by("feed", "part").agg(pl.sum("published")).collect() if feeds else pl.DataFrame()
    lines = []
    for feed in feeds:
        rows = dict(counts.filter(pl.col("feed") == feed.name).select("part", "published").iter_rows())
        newest = next(iter(batches(sorted(rows, reverse=True), rows, ROWS)), [])
        found = repeated_ids(lake, feed, newest)
        if found.ids:
            looked = (
                f" (looked at the newest {len(newest):,} of {len(rows):,} dates)" if len(newest) < len(rows) else ""
            )
            lines.append(f"{feed.silver.full_name}: {found.message}{looked}")
    return lines
