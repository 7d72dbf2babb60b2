"""Drift in words: how the columns of landed objects differ from those of their contracts, alike ones on one line."""

from lakehouse_assets.context import Lake


def drifted(lake: Lake, run_ids: list[str] | None = None) -> list[str]:
    """Return one line for each kind of difference of a feed, with one of the objects that have it.

    Args:
        run_ids: Only of what some runs read; None for the latest version of every object.
    """
    lines = []
    for feed in lake.registry.feeds.values():
        alike: dict[str, list[str]] = {}
        for key, words in lake.ledger_of(feed).drifted(run_ids).iter_rows():
            alike.setdefault(words, []).append(key)
        for words, keys in alike.items():
            more = f" and {len(keys) - 1:,} more" if len(keys) > 1 else ""
            lines.append(f"{feed.name}: {keys[-1]}{more}: {words}")
    return lines
