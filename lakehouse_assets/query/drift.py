"""Drift in words: how the columns of landed objects differ from those of their contracts, alike ones on one line."""

import polars as pl

from lakehouse_assets.context import Lake


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
