"""The backtest: each model forecasts from earlier dates, knowing what was known then, and is compared with what came.

From the errors follow the figures by which a model is chosen, and the width of its intervals. Not here: the models.
"""

import datetime as dt
import math
from collections.abc import Sequence
from typing import Any

import polars as pl

from lakehouse_assets.forecast.models import weekly
from lakehouse_assets.forecast.series import History

HORIZON_DAYS = 28
FIRST_ORIGIN_DAYS = 28
LEVELS = (80, 95)
_MOST_ORIGINS, _STEP_DAYS = 26, 7
_FEWEST_ERRORS = 20
_SCHEMA = {
    "model": pl.String,
    "country_group": pl.String,
    "product_group": pl.String,
    "origin": pl.Date,
    "date": pl.Date,
    "actual": pl.Float64,
    "forecast": pl.Float64,
    "level": pl.Float64,
    "weekly_change": pl.Float64,
}
_SERIES = ["model", "country_group", "product_group"]


def backtest(history: History) -> pl.DataFrame:
    """Return what each model forecast for each date from each origin, a week apart, and what came.

    On a date without sales 0 came: a closure that nobody foresaw is an error. The last 26 origins with four weeks
    before them take part.

    Returns:
        Columns as `_SCHEMA`; `half_80` and `half_95`, the half widths of the intervals of that origin, null while there
        are too few earlier errors.
    """
    rows = [row for origin in _origins(history) for row in _forecasts(history, origin)]
    frame = pl.DataFrame(rows, _SCHEMA, orient="row").sort(*_SERIES, "origin", "date")
    return _with_intervals(frame)


def _origins(history: History) -> list[dt.date]:
    ago = range(_STEP_DAYS, history.days - FIRST_ORIGIN_DAYS + 1, _STEP_DAYS)
    return [history.through - dt.timedelta(days=days) for days in ago][:_MOST_ORIGINS]


def _forecasts(history: History, origin: dt.date) -> list[tuple[object, ...]]:
    known, rows = history.until(origin), list[tuple[object, ...]]()
    days = min(HORIZON_DAYS, (history.through - origin).days)
    expected = known.expected(days)
    came = {date for date in history.open_dates if origin < date <= origin + dt.timedelta(days=days)}
    for group in known.net if known.open_weekdays else ():
        scales = known.level(group), known.weekly_change(group)
        for model, week in weekly(known.weeks(group)).items():
            forecast = by_date(known, [float(value) for value in week], expected)
            for date in sorted(came | forecast.keys()):
                actual = history.net[group].get(date, 0.0)
                rows.append((model, *group, origin, date, actual, forecast.get(date, 0.0), *scales))
    return rows


def by_date(known: History, week: Sequence[float], dates: Sequence[dt.date]) -> dict[dt.date, float]:
    """Return a week of values, in the order of the columns of `History.weeks`, on some later dates."""
    ahead = [(known.through + dt.timedelta(days=at)).weekday() for at in range(1, 8)]
    of_weekday = dict(zip([day for day in ahead if day in known.open_weekdays], week, strict=True))
    return {date: of_weekday[date.weekday()] for date in dates}


def half_width(errors: Sequence[float], level: int) -> float | None:
    """Return the bound that a new error stays below with a probability, if errors go on as they were.

    The rank has the correction for a finite sample, as split conformal prediction has it.

    Args:
        errors: Past absolute errors.
        level: Percent.

    Returns:
        None with fewer than 20 errors.
    """
    if len(errors) < _FEWEST_ERRORS:
        return None
    rank = math.ceil((len(errors) + 1) * level / 100)
    return sorted(errors)[min(rank, len(errors)) - 1]


def relative_errors(points: pl.DataFrame) -> list[float]:
    """Return the absolute errors as shares of the group's level at their origin."""
    known = points.filter(pl.col("level") > 0)
    return ((known["actual"] - known["forecast"]).abs() / known["level"]).to_list()


def _with_intervals(points: pl.DataFrame) -> pl.DataFrame:
    """Add the half widths that were known at each origin: from errors on dates up to it."""
    origins = points.select(*_SERIES, "origin", "level").unique(maintain_order=True)
    halves: dict[int, list[float | None]] = {level: [] for level in LEVELS}
    by_series = points.partition_by(_SERIES, as_dict=True)
    for *series, origin, scale in origins.iter_rows():
        past = by_series[tuple(series)].filter(pl.col("date") <= origin)
        errors = relative_errors(past)
        for level in LEVELS:
            half = half_width(errors, level)
            halves[level].append(None if half is None else half * scale)
    widths = [pl.Series(f"half_{level}", values, pl.Float64) for level, values in halves.items()]
    return points.join(origins.drop("level").with_columns(widths), [*_SERIES, "origin"], maintain_order="left")


def figures(points: pl.DataFrame, by: Sequence[str]) -> list[dict[str, Any]]:
    """Return WAPE, MASE and coverage for each combination of some columns, sorted.

    WAPE is the sum of absolute errors over the sum of absolute sales. MASE is the mean of absolute errors, each over
    the mean weekly change of its group before its origin. Coverage is the share of dates within the interval that was
    given at the origin; null where none was.
    """
    error = (pl.col("actual") - pl.col("forecast")).abs()
    covered = [(error <= pl.col(f"half_{level}")).mean().alias(f"coverage_{level}") for level in LEVELS]
    grouped = points.group_by(by, maintain_order=True).agg(
        pl.len().cast(pl.Int64).alias("points"),
        pl.when(pl.col("actual").abs().sum() > 0).then(error.sum() / pl.col("actual").abs().sum()).alias("wape"),
        (error / pl.col("weekly_change")).filter(pl.col("weekly_change") > 0).mean().alias("mase"),
        *covered,
    )
    return grouped.sort(by).to_dicts()
