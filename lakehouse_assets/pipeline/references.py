"""Published records that reference nothing: values of a column without a counterpart in the feed that it names.

Reads silver only. Not here: what is done about them.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed, Table
from lakehouse_assets.contracts.reference_rules import Reference
from lakehouse_assets.contracts.wording import counted
from lakehouse_assets.pipeline.reading import read

_SHOWN = 5


@dataclass(frozen=True)
class Missing:
    """What some partitions lack of a reference.

    Attributes:
        records: Records whose value has no counterpart; `values` counts those values.
        among: Records that have a value.
        samples: The most frequent of the values, with their records; none of a personal column.
    """

    reference: Reference
    records: int
    values: int
    among: int
    samples: tuple[tuple[str, int], ...]

    @property
    def message(self) -> str:
        """The outcome in words: culprit, consequence, fix."""
        where = f"{self.reference.target} in silver.{self.reference.feed}"
        if not self.records:
            return f"no record lacks its {where}; {counted(self.among, 'record')} looked at"
        such = ", ".join(f"{value!r} ({records:,})" for value, records in self.samples)
        return (
            f"{self.records:,} of {self.among:,} records have a {self.reference.column} without a {where}"
            f"{f', such as {such}' if such else ''}. They are published, and a join leaves them out: land what is "
            "missing; silver.missing_references lists it for all dates."
        )


def missing(lake: Lake, feed: Feed, partitions: Collection[str]) -> Iterator[Missing]:
    """Yield what the published records of some partitions lack, for each reference of the feed."""
    for reference in lake.registry.references(feed):
        rows = _values(lake, feed.silver, reference.column, partitions)
        there = _values(lake, lake.registry.feed(reference.feed).silver, reference.target).unique()
        counts = rows.group_by("value").len("records")
        lacking = counts.join(there, on="value", how="anti").sort("records", "value", descending=[True, False])
        found, among = pl.collect_all([lacking, counts.select(pl.col("records").sum())])
        is_personal = feed.silver.columns[reference.column].personal
        shown = found.head(0 if is_personal else _SHOWN).select(pl.col("value").cast(pl.String), "records")
        yield Missing(reference, int(found["records"].sum()), found.height, int(among.item()), tuple(shown.iter_rows()))


def _values(lake: Lake, table: Table, column: str, partitions: Collection[str] | None = None) -> pl.LazyFrame:
    rows = read(lake, table)
    if partitions is not None:
        rows = rows.filter(table.partitioning.filter(partitions))
    return rows.select(pl.col(column).alias("value")).drop_nulls()
