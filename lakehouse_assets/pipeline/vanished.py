"""Published records that are in quarantine now though the same files are live: a change of the contract took them away.

They are counted when it happens. The log of the accounting table keeps the counts until the records are back.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.contracts.wording import counted
from lakehouse_assets.decisions.kinds import OnRecord
from lakehouse_assets.pipeline import accounting
from lakehouse_assets.pipeline.gate import OUTSIDE, PUBLISHED, Evaluation
from lakehouse_assets.pipeline.pending import FeedState

_MARK = "vanished:"


@dataclass(frozen=True)
class Vanished:
    """Records of some partitions that are about to leave, or have left, without an explanation.

    Attributes:
        new: How many leave with this publication, by partition.
        marks: How many will be away after it, by application id of the accounting table; 0 where all are back.
    """

    new: Mapping[str, int]
    marks: Mapping[str, int]


def find(lake: Lake, state: FeedState, found: Evaluation, known: Mapping[str, int]) -> Vanished:
    """Compare what is published with what is about to be.

    Args:
        known: The fingerprints of the accounting table.
    """
    commits = [o.partition for o in found.outcomes if o.verdict in {PUBLISHED, OUTSIDE} and o.partition in state.silver]
    if not commits:
        return Vanished({}, {})
    of_feed = (pl.col("feed") == state.feed.name) & pl.col("part").is_in(commits)
    before = accounting.scan_accounting(lake.store).filter(of_feed).collect()
    now = found.accounts().filter(pl.col("part").is_in(commits))
    decisions = Counter(decision.source_hash for decision in state.decisions.taken if isinstance(decision, OnRecord))
    new = accounting.vanished(before, now, decisions)
    ids = {partition: _MARK + accounting.mark(state.feed.name, partition) for partition in commits}
    earlier = {partition: known[ids[partition]] for partition in commits if known.get(ids[partition])}
    away = {p: new.get(p, 0) + max(0, earlier.get(p, 0) - _explained(before, now, p)) for p in {*new, *earlier}}
    return Vanished(new, {ids[partition]: count for partition, count in away.items()})


def _explained(before: pl.DataFrame, now: pl.DataFrame, partition: str) -> int:
    """Return how many records of the same contents are back, or were taken out by a person; all if one was replaced."""
    both = before.filter(pl.col("part") == partition).join(now, on=["part", "source_hash"], how="left", suffix="_now")
    if both["landed_now"].null_count():
        return int(both["landed"].sum())
    more = (pl.col(f"{name}_now") - pl.col(name) for name in ("published", *accounting.TAKEN))
    return int(both.select(pl.sum_horizontal(column.clip(lower_bound=0) for column in more).sum()).item())


def standing(lake: Lake, feed: Feed) -> list[str]:
    """Return a line per partition of silver from which records have vanished and are not back, sorted."""
    found = {place: count for place, count in accounting.known(lake.store, _MARK + feed.name).items() if count}
    why = f"of files that are still live; see quarantine.{feed.name}"
    fix = "If that is not meant, undo the change of the contract and run again"
    return [
        f"{feed.silver.full_name} {partition}: {counted(count, 'record')} that had been published, {why}. {fix}"
        for partition, count in sorted(found.items())
    ]
