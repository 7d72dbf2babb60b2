"""Which partitions of a table are computed on request: from a sensor, `lakehouse run`, or the UI.

Not here: computing them.
"""

import datetime as dt

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import ContractError, Feed, Model
from lakehouse_assets.contracts.partitioning import as_date
from lakehouse_assets.pipeline.pending import FeedState, ModelState


def partitions_of(lake: Lake, table: Feed | Model, asked: list[str] | None, *, force: bool) -> list[str]:
    """Return the partitions of a feed's silver table, or of a model, that a run computes.

    Args:
        asked: Those that the run names; None for whatever is pending, or with `force` for all that there are.
    """
    if asked is not None:
        return asked
    state = FeedState.of(lake, table) if isinstance(table, Feed) else ModelState.read(lake, table)
    return list(state.inputs) if force else state.pending


def again(lake: Lake, names: list[str], first: dt.date | None, last: dt.date | None) -> dict[str, list[str]]:
    """Return the partitions of some tables that a person wants to be computed again, by `Table.key`.

    Args:
        names: SQL names of silver and gold tables.
        first: Business date from which on; None for the first that there is. A table without dates is taken whole.
        last: Business date up to which; None for the last that there is.

    Raises:
        ContractError: A table is none, or is not computed by itself.
    """
    computed: dict[str, Feed | Model] = {feed.silver.full_name: feed for feed in lake.registry.feeds.values()}
    computed |= {model.table.full_name: model for model in lake.registry.models.values()}
    chosen = {}
    for name in names:
        if name not in computed:
            msg = f"{name!r} is no table that is computed; nothing was done. Name one of: {', '.join(computed)}."
            raise ContractError(msg)
        found = partitions_of(lake, computed[name], None, force=True)
        if within := [partition for partition in found if _is_within(partition, first, last)]:
            chosen[name.replace(".", "/")] = within
    return chosen


def _is_within(partition: str, first: dt.date | None, last: dt.date | None) -> bool:
    date = as_date(partition)
    return date is None or ((first is None or first <= date) and (last is None or date <= last))
