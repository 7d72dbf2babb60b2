"""Which partitions of a table are computed on request: from a sensor, `lakehouse run`, or the UI.

Not here: computing them.
"""

import datetime as dt

from lakehouse_assets.catalog.catalogs import key_of
from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import ContractError, Feed, Model
from lakehouse_assets.contracts.partitioning import UNDATED, WHOLE, as_date
from lakehouse_assets.contracts.periods import last_day
from lakehouse_assets.contracts.wording import in_words
from lakehouse_assets.pipeline.pending import FeedState, ModelState
from lakehouse_assets.serving.destinations import destinations


def partitions_of(lake: Lake, table: Feed | Model, asked: list[str] | None, *, force: bool) -> list[str]:
    """Return the partitions of a feed's silver table, or of a model, that a run computes.

    Args:
        asked: Those that the run names; None for whatever is pending, or with `force` for all that there are.
    """
    if asked is not None:
        return asked
    state = FeedState.of(lake, table) if isinstance(table, Feed) else ModelState.read(lake, table)
    return list(state.inputs) if force else state.pending


def partitions_to_force(
    lake: Lake, names: list[str], first: dt.date | None, last: dt.date | None
) -> dict[str, list[str]]:
    """Return what a person wants to be made anew: partitions by the key of the asset that makes them.

    Of a silver or gold table, its partitions are computed again. Of a bronze table, the landed originals of its
    partitions are read again. A catalog is compared with the tables, and what differs is written.

    Args:
        names: SQL names of bronze, silver and gold tables; `catalog.duckdb`, `catalog.glue`.
        first: Business date from which on; None for the first that there is.
        last: Business date up to which; None for the last that there is.

    Raises:
        ContractError: A table is none, or is not computed by itself; or it has no date in the range.
    """
    if first and last and first > last:
        msg = f"--from {first} is later than --to {last}. Nothing was done; exchange them."
        raise ContractError(msg)
    computed: dict[str, Feed | Model] = {feed.silver.full_name: feed for feed in lake.registry.feeds.values()}
    computed |= {model.table.full_name: model for model in lake.registry.models.values()}
    read = {feed.bronze.full_name: feed for feed in lake.registry.feeds.values()}
    shown = {key_of(catalog).replace("/", "."): key_of(catalog) for catalog in destinations(lake)}
    chosen = {}
    for name in names:
        table: Feed | Model | None
        if name in shown:
            key, table, found = shown[name], None, [WHOLE]
        elif name in read:
            key, table, found = read[name].landing, read[name], lake.ledger_of(read[name]).partitions
        elif name in computed:
            key, table, found = (
                name.replace(".", "/"),
                computed[name],
                partitions_of(lake, computed[name], None, force=True),
            )
        else:
            known = ", ".join(read | computed | shown)
            msg = f"{name!r} is not a table that `run` can make anew; nothing was done. Name one of: {known}."
            raise ContractError(msg)
        if within := _within(name, table, found, first, last):
            chosen[key] = within
    return chosen


def _within(
    name: str, table: Feed | Model | None, partitions: list[str], first: dt.date | None, last: dt.date | None
) -> list[str]:
    """Return the partitions in a range of dates, or all without one. Raises `ContractError` where there is none."""
    if not first and not last:
        return partitions
    declared = None if table is None else table.business_date if isinstance(table, Feed) else table.date
    if declared is None or any(as_date(partition) is None for partition in partitions if partition != UNDATED):
        msg = f"{name} has no dates, so --from and --to cannot choose any. Nothing was done; name it without them."
        raise ContractError(msg)
    dates = sorted(date for partition in partitions if (date := as_date(partition)))
    period = table.partition_by if isinstance(table, Feed) else "day"
    within = [str(date) for date in dates if (first or date) <= last_day(date, period) and date <= (last or date)]
    if not within:
        there = f"it has {in_words([str(date) for date in dates])}" if dates else "it has no dates yet"
        msg = f"{name} has no date {_range(first, last)}; {there}. Nothing was done."
        raise ContractError(msg)
    return within


def _range(first: dt.date | None, last: dt.date | None) -> str:
    return " ".join(f"{word} {date}" for word, date in (("from", first), ("to", last)) if date)
