"""Published dates that lack values of a required column, because they were published before it was declared.

A held or pinned date keeps its older version, with nulls in the new column; sums leave them out. Not here: pending
dates, which the next run publishes again.
"""

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.pipeline.pending import FeedState
from lakehouse_assets.pipeline.reading import read
from lakehouse_assets.storage import delta


def unfilled(lake: Lake, state: FeedState) -> list[str]:
    """Return a line per held or pinned date of silver that has nulls in a required column, sorted."""
    table = state.feed.silver
    kept = sorted(({*state.held, *state.pins}) & state.silver.keys())
    if not kept:
        return []
    required = [name for name, column in table.columns.items() if not column.nullable]
    found = delta.as_declared(read(lake, table), table.types)
    nulls = (
        found.filter(table.partitioning.filter(kept))
        .group_by(table.partitioning.partition.alias("_part"))
        .agg(pl.len(), pl.col(required).null_count())
        .sort("_part")
        .collect()
    )
    return [
        _line(state, row["_part"], lacking, row["len"])
        for row in nulls.iter_rows(named=True)
        if (lacking := {name: row[name] for name in required if row[name]})
    ]


def _line(state: FeedState, partition: str, lacking: dict[str, int], rows: int) -> str:
    names = ", ".join(f"`{name}`" for name in lacking)
    why, fix = (
        ("pinned to", "Revoke the pin")
        if partition in state.pins
        else ("held at", "Correct its records, or release it,")
    )
    return (
        f"{state.feed.silver.full_name} {partition}: {max(lacking.values()):,} of {rows:,} published rows have no "
        f"value in {names}, and sums leave them out. The date is {why} a version from before the column was required. "
        f"{fix} and run again."
    )
