"""Daily sales as models see them: by group, up to a date, on the dates on which the shop was open.

The data say when it was open: on a date with any row. Not here: any forecast.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

Group = tuple[str, str]
Weeks = np.ndarray[Any, np.dtype[np.float64]]

_DAY, _WEEK = dt.timedelta(days=1), 7
_RECENT_WEEKS = 8
_MOST_WEEKS = 52
_LONG_CLOSURE_DAYS = 7


@dataclass(frozen=True)
class History:
    """Net sales by group and date, and nothing after `through`.

    Attributes:
        net: By group (country group, product group) and date; a date without a row is absent.
        open_dates: Dates on which any group has a row.
    """

    net: Mapping[Group, Mapping[dt.date, float]]
    open_dates: frozenset[dt.date]
    through: dt.date

    @cached_property
    def first(self) -> dt.date:
        """The first date with a row."""
        return min(self.open_dates, default=self.through)

    @property
    def days(self) -> int:
        """Days from the first date through the last."""
        return (self.through - self.first).days + 1

    def until(self, through: dt.date) -> "History":
        """Return what was known on an earlier date. Groups that had no row by then are absent."""
        net = {group: {date: v for date, v in days.items() if date <= through} for group, days in self.net.items()}
        known = frozenset(date for date in self.open_dates if date <= through)
        return History({group: days for group, days in net.items() if days}, known, through)

    @cached_property
    def open_weekdays(self) -> frozenset[int]:
        """Days of the week (Monday is 0) with sales on at least half of their last eight dates, as far as data goes."""
        weeks = min(_RECENT_WEEKS, self.days // _WEEK)
        recent = (self.through - at * _DAY for at in range(weeks * _WEEK))
        weekdays = [date.weekday() for date in recent if date in self.open_dates]
        return frozenset(weekday for weekday in weekdays if 2 * weekdays.count(weekday) >= weeks)

    def expected(self, days: int) -> list[dt.date]:
        """Return the next dates on which the shop should be open, of so many days."""
        ahead = (self.through + (at + 1) * _DAY for at in range(days))
        return [date for date in ahead if date.weekday() in self.open_weekdays and not self._was_long_closed(date)]

    def weeks(self, group: Group) -> Weeks:
        """Return a group's net sales, a row for each week, the last one ending on the last date.

        Columns are the open weekdays in the order in which they come next. A date on which the shop was closed has the
        value of a week before; without one, the mean of its column. Only the last 52 weeks are there.
        """
        count = min(_MOST_WEEKS, self.days // _WEEK)
        columns = [at for at in range(1, _WEEK + 1) if (self.through + at * _DAY).weekday() in self.open_weekdays]
        dates = [[self.through + (at - _WEEK * (count - row)) * _DAY for at in columns] for row in range(count)]
        net = self.net[group]
        found = np.array([[net.get(d, 0.0) if d in self.open_dates else np.nan for d in week] for week in dates])
        for column in found.T:
            before = np.nanmean(column)
            for row, value in enumerate(column):
                before = column[row] = before if np.isnan(value) else value
        return found

    def level(self, group: Group) -> float:
        """Return the mean absolute net sales of a group's last eight weeks, by which its errors are compared."""
        return float(np.abs(self.weeks(group)[-_RECENT_WEEKS:]).mean())

    def weekly_change(self, group: Group) -> float:
        """Return the mean absolute change from a date to the same weekday a week later: the scale of the MASE."""
        net, week = self.net[group], _WEEK * _DAY
        pairs = [(d, d - week) for d in self.open_dates if d - week in self.open_dates]
        changes = [abs(net.get(later, 0.0) - net.get(earlier, 0.0)) for later, earlier in pairs]
        return sum(sorted(changes)) / len(changes) if changes else 0.0

    def _was_long_closed(self, date: dt.date) -> bool:
        """Return whether the same date a year before was in a closure of a week or more, as between the years.

        Shorter closures move from year to year, as Easter does, and are not foreseen.
        """
        before = date - 365 * _DAY if (date.month, date.day) == (2, 29) else date.replace(year=date.year - 1)
        start = end = before
        while start - _DAY >= self.first and start - _DAY not in self.open_dates:
            start -= _DAY
        while end + _DAY <= self.through and end + _DAY not in self.open_dates:
            end += _DAY
        inside = self.first <= before <= self.through and before not in self.open_dates
        return inside and (end - start).days + 1 >= _LONG_CLOSURE_DAYS


def history_of(rows: pl.DataFrame, through: dt.date | None = None) -> History:
    """Return the history in rows of `dt`, `country_group`, `product_group`, `net` (pounds); later rows are left out.

    Args:
        through: The last date to learn from; by default, and at most, the last one that has a row.
    """
    net: dict[Group, dict[dt.date, float]] = {}
    ordered = rows.select("dt", "country_group", "product_group", pl.col("net").cast(pl.Float64)).sort(pl.all())
    for date, country, product, amount in ordered.iter_rows():
        net.setdefault((country, product), {})[date] = amount
    dates = frozenset(rows["dt"])
    last = max(dates, default=dt.date.min)
    return History(net, dates, last).until(last if through is None else min(last, through))
