"""The check of tables by date that declare how many rows a date usually has. Not here: counting them."""

from collections.abc import Iterable

import dagster as dg

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed, Model, Table
from lakehouse_assets.orchestration import events
from lakehouse_assets.pipeline.odd_rows import odd_rows

_CHECK = "usual_rows"
_SHOWN = 50


def spec(declared: Feed | Model, key: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """Return the check, where it is declared."""
    text = "each date has about as many rows as the same weekday in the weeks before"
    return [dg.AssetCheckSpec(_CHECK, asset=key, description=text)] if declared.usual_rows else []


def result(
    lake: Lake, declared: Feed | Model, table: Table, key: dg.AssetKey, partitions: Iterable[str]
) -> list[dg.AssetCheckResult]:
    """Return what it found among some published dates, where it is declared."""
    if declared.usual_rows is None:
        return []
    odd = [found.message for found in odd_rows(lake, table, declared.usual_rows, partitions)]
    text = "\n".join(odd[:_SHOWN]) or "no date of this run has an odd number of rows"
    return [events.warning(key, _CHECK, text, passed=not odd, dates=len(odd))]
