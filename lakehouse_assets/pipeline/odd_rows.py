"""Dates with many fewer or many more rows than the same weekday in the weeks before.

From the statistics of files: no row is read.
"""

import datetime as dt
import statistics
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Table
from lakehouse_assets.contracts.partitioning import as_date
from lakehouse_assets.contracts.usual_rows import FEWEST_WEEKS, UsualRows
from lakehouse_assets.pipeline.model_inputs import rows_of


class Odd(NamedTuple):
    """A date with an odd number of rows."""

    date: dt.date
    rows: int
    usual: float

    @property
    def message(self) -> str:
        """What is odd, and what to do."""
        which = "fewer" if self.rows < self.usual else "more"
        return (
            f"{self.date} ({self.date:%A}) has {self.rows:,} rows, many {which} than the {self.usual:,.0f} that are "
            "usual on this weekday. It is published; look whether a file is missing, cut or sent twice."
        )


def odd_rows(lake: Lake, table: Table, expected: UsualRows, partitions: Iterable[str]) -> Iterator[Odd]:
    """Yield which of some published dates have an odd number of rows."""
    rows = {date: count for partition, count in rows_of(lake, table).items() if (date := as_date(partition))}
    for date in sorted(date for partition in partitions if (date := as_date(partition)) and date in rows):
        before = [rows.get(date - dt.timedelta(weeks=weeks)) for weeks in range(1, expected.weeks + 1)]
        known = [count for count in before if count is not None]
        if len(known) < FEWEST_WEEKS:
            continue
        usual = statistics.median(known)
        if not usual / expected.factor <= rows[date] <= usual * expected.factor:
            yield Odd(date, rows[date], usual)
