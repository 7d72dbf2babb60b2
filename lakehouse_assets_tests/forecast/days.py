"""Made-up daily sales, whose pattern and noise are known."""

import datetime as dt
from collections.abc import Iterator

import numpy as np
import polars as pl

FIRST = dt.date(2025, 1, 6)  # a Monday
GROUP = {"country_group": "United Kingdom", "product_group": "merchandise"}
WEEK = (1000.0, 1100.0, 1200.0, 1500.0, 1300.0, 0.0, 600.0)
SATURDAY = 5


def dates(count: int) -> Iterator[dt.date]:
    """Yield the open dates of so many days: none is a Saturday."""
    every = (FIRST + dt.timedelta(days=at) for at in range(count))
    yield from (date for date in every if date.weekday() != SATURDAY)


def sales(count: int, noise: float = 100.0, seed: int = 7, growth: float = 0.0) -> pl.DataFrame:
    """Return the sales of a group: a weekly pattern, normal noise, and growth in pounds a day."""
    dice = np.random.default_rng(seed)
    rows = [
        {
            "dt": date,
            **GROUP,
            "net": WEEK[date.weekday()] + growth * (date - FIRST).days + noise * dice.standard_normal(),
        }
        for date in dates(count)
    ]
    return pl.DataFrame(rows)
