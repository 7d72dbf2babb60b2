"""Exponential smoothing by the library that gives it."""

import numpy as np
import pytest

from lakehouse_assets.forecast import models
from lakehouse_assets.forecast.models import SMOOTHING


@pytest.mark.slow
def test_smoothing_finds_level_and_weekdays() -> None:
    dice = np.random.default_rng(1)
    weeks = np.array([1000.0, 1100, 1200, 1500, 1300, 600]) + 20 * dice.standard_normal((20, 6))
    assert models.weekly(weeks)[SMOOTHING] == pytest.approx([1000, 1100, 1200, 1500, 1300, 600], abs=40)
    assert models.weekly(weeks[:, :1])[SMOOTHING] == pytest.approx([1000], abs=40)
    assert models.weekly(weeks * 0)[SMOOTHING] == pytest.approx([0] * 6)
