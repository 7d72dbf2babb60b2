"""What a change of one feed takes from others: published records whose value would be in no row of the feed any more.

It is shown before a decision is recorded, and the cost is bounded: the index of references and the log of the
referencing table say where such records may stand, and no more than `ROWS` values are read of each column. Not here:
what becomes of the feed that is changed.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.contracts.reference_rules import Reference
from lakehouse_assets.contracts.wording import counted
from lakehouse_assets.decisions.recorded import Decisions
from lakehouse_assets.pipeline import reference_index
from lakehouse_assets.pipeline.batches import batches
from lakehouse_assets.pipeline.pins import pins_of
from lakehouse_assets.pipeline.reading import read
from lakehouse_assets.storage import delta, delta_files

ROWS = 5_000_000
_SHOWN = 10


@dataclass(frozen=True)
class Losing:
    """Published records of a feed that would lose what they reference.

    Attributes:
        values: How many values would be gone.
        records: Records that have one of them, by partition.
        partitions: How many partitions the feed has; the newest `looked_at` of them were read.
    """

    feed: Feed
    reference: Reference
    values: int
    records: dict[str, int]
    partitions: int
    looked_at: int

    @property
    def lines(self) -> list[str]:
        """What a person has to know, in words."""
        table, target = self.feed.silver.full_name, f"{self.reference.feed}.{self.reference.target}"
        kind = self.feed.layout.unit
        is_whole = self.looked_at == self.partitions
        looked = "" if is_whole else f" (looked at the newest {self.looked_at:,} of {counted(self.partitions, kind)})"
        if not self.records:
            return [] if is_whole else [f"{table}: no record references what would be gone of {target}{looked}"]
        number = sum(self.records.values())
        records = ("" if is_whole else "at least ") + counted(number, "published record")
        would = (
            "would wait in quarantine"
            if self.feed.awaited
            else f"would be counted as missing by the check {self.reference.name}, and stay published"
        )
        newest = sorted(self.records.items(), reverse=True)
        such = ", ".join(f"{partition} ({rows:,})" for partition, rows in newest[:_SHOWN])
        more = f" and {counted(len(newest) - _SHOWN, f'other {kind}')}" if len(newest) > _SHOWN else ""
        why = f"because {counted(self.values, 'value')} of {target} would be gone"
        return [f"{table}: {records} {would}, {why}: {such}{more}{looked}"]


def targets(lake: Lake, feed: Feed) -> dict[str, pl.DataType]:
    """Return the columns of a feed that other feeds reference, and their types."""
    return {one.target: feed.silver.columns[one.target].dtype for _, one in _references_to(lake, feed)}


def losing(lake: Lake, feed: Feed, partitions: Collection[str], then: pl.DataFrame) -> Iterator[Losing]:
    """Yield which published records of other feeds lose what they reference.

    Args:
        partitions: Those of the feed's silver that would be replaced.
        then: What they would have: the columns `targets`.
    """
    gone = {target: _gone(lake, feed, target, partitions, then[target]) for target in then.columns}
    for other, reference in _references_to(lake, feed):
        values = gone[reference.target]
        if other.awaited:
            values = reference_index.known(lake, other, reference, values)
        if values.len():
            yield _counted(lake, other, reference, values)


def _references_to(lake: Lake, feed: Feed) -> Iterator[tuple[Feed, Reference]]:
    for other in lake.registry.feeds.values():
        for reference in lake.registry.references(other):
            if reference.feed == feed.name and other.name != feed.name:
                yield other, reference


def _gone(lake: Lake, feed: Feed, target: str, partitions: Collection[str], then: pl.Series) -> pl.Series:
    """Return the values that silver has in some partitions, would not have there, and has nowhere else."""
    table = feed.silver
    rows, is_replaced = read(lake, table), table.partitioning.filter(partitions)
    value = pl.col(target).cast(then.dtype, strict=False)
    before = rows.filter(is_replaced).select(value).drop_nulls().unique().collect()[target]
    gone = before.filter(~before.is_in(then.implode()))
    if not gone.len() or not table.partitioning.columns:
        return gone
    elsewhere = rows.filter(~is_replaced).select(value).filter(value.is_in(gone.implode())).unique().collect()[target]
    return gone.filter(~gone.is_in(elsewhere.implode()))


def _counted(lake: Lake, feed: Feed, reference: Reference, values: pl.Series) -> Losing:
    table = feed.silver
    part = table.partitioning.partition.alias("part")
    rows = dict[str, int]()
    if delta.exists(lake.store, table.path):
        sizes = delta_files.files(lake.store, table.path).filter(pl.col("num_records") > 0)
        rows = dict(sizes.select(part, "num_records").group_by("part").sum().iter_rows())
    newest = next(iter(batches(sorted(rows, reverse=True), rows, ROWS)), [])
    pinned = pins_of(Decisions.load(lake.store, feed.name), table) if feed.awaited else {}
    found = (
        read(lake, table)
        .filter(table.partitioning.filter(newest), pl.col(reference.column).is_in(values.implode()))
        .group_by(part)
        .len()
        .collect()
    )
    records = {partition: count for partition, count in found.iter_rows() if partition not in pinned}
    return Losing(feed, reference, values.len(), records, len(rows), len(newest))
