"""What Dagster shows of a table beside its events."""

import base64

import pytest

from lakehouse_assets.orchestration.metadata import sparkline


@pytest.mark.parametrize(
    ("times", "line"),
    [
        (["2026-11-20", "2026-11-22"], "4.0,58.7 356.0,4.0"),
        (["2026-11-20 10:00:00+00:00", "2026-11-20 11:00:00+00:00"], "4.0,58.7 356.0,4.0"),
    ],
)
def test_a_plot_is_over_days_or_hours(times: list[str], line: str) -> None:
    plot = sparkline(list(zip(times, (1.0, 3.0), strict=True)), "sales").value
    assert f'points="{line}"' in base64.b64decode(plot.split("base64,")[1].rstrip(")")).decode()
