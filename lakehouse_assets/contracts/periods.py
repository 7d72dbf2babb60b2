"""The business dates that one partition holds: a day, a month or a year. A period is named by its first day."""

import calendar
import datetime as dt
from typing import Literal

import polars as pl

Period = Literal["day", "month", "year"]
_EVERY = {"day": "1d", "month": "1mo", "year": "1y"}
PERIODS = tuple(_EVERY)


def first_days(days: pl.Series, period: Period) -> pl.Series:
    """Return the first day of the period of each day."""
    return days if period == "day" else days.dt.truncate(_EVERY[period])


def first_day(day: dt.date, period: Period) -> dt.date:
    """Return the first day of the period of a day."""
    return day if period == "day" else day.replace(day=1) if period == "month" else day.replace(month=1, day=1)


def last_day(day: dt.date, period: Period) -> dt.date:
    """Return the last day of the period of a day."""
    if period == "day":
        return day
    month = day.month if period == "month" else 12
    return dt.date(day.year, month, calendar.monthrange(day.year, month)[1])
