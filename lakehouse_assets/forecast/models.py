"""The models: each says from the past weeks of a group what a usual week from now on is, by weekday.

28 days ahead, with a year or less to learn from, a week that repeats is the most that could be shown to hold. Not here:
how good each one is.
"""

import warnings

import numpy as np

from lakehouse_assets.forecast.series import Weeks

SEASONAL_NAIVE, SMOOTHING, CHAMPION = "seasonal naive", "exponential smoothing", "smoothed profile"
BASELINES = (SEASONAL_NAIVE, SMOOTHING)
# Raised when the same data give another forecast.
CODE_VERSION = 2
_PROFILE_WEEKS, _LEVEL_WEEKS = 10, 6


def weekly(weeks: Weeks) -> dict[str, Weeks]:
    """Return the coming week by each model.

    Args:
        weeks: Net sales, pounds: a row for each past week, the newest last; a column for each open weekday.

    Returns:
        By model, a value for each column.
    """
    smoothed = _smoothed(weeks)
    return {SEASONAL_NAIVE: weeks[-1], SMOOTHING: smoothed, CHAMPION: (smoothed + _profile(weeks)) / 2}


def _smoothed(weeks: Weeks) -> Weeks:
    """Return level and weekdays by exponential smoothing (statsmodels), without a trend.

    A trend that is carried on for 28 days gains little and costs six times the computing.
    """
    from statsmodels.tools.sm_exceptions import ConvergenceWarning  # noqa: PLC0415 - of an extra; slow to import
    from statsmodels.tsa.holtwinters import ExponentialSmoothing  # noqa: PLC0415

    values, width = weeks.ravel(), weeks.shape[1]
    last: Weeks = weeks[-1]
    if np.ptp(values) == 0:
        return last
    seasonal = {"seasonal": "add", "seasonal_periods": width} if width > 1 else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = ExponentialSmoothing(values, initialization_method="estimated", **seasonal).fit()
    found: Weeks = np.asarray(fitted.forecast(width), dtype=np.float64)
    return found if np.isfinite(found).all() else last


def _profile(weeks: Weeks) -> Weeks:
    """Return the usual share of each weekday, times the level of the last weeks, newer ones counting more.

    Where a week has no positive sum, as returns or corrections have, differences take the place of shares.
    """
    levels = weeks.mean(axis=1, keepdims=True)
    recent, weights = levels[-_LEVEL_WEEKS:, 0], np.arange(1, len(levels[-_LEVEL_WEEKS:]) + 1)
    usual, level_of = weeks[-_PROFILE_WEEKS:], levels[-_PROFILE_WEEKS:]
    if level_of.min() > 0:
        shares = np.median(usual / level_of, axis=0)
        level = np.average(recent, weights=weights)
        found: Weeks = shares / shares.mean() * level if shares.mean() > 0 else weeks[-1]
        return found
    differences = np.median(usual - level_of, axis=0)
    additive: Weeks = differences - differences.mean() + np.median(recent)
    return additive
