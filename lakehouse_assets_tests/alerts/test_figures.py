"""Figures that runs and looks leave in Dagster, as CloudWatch gets them; and the namespaces that it takes."""

import dagster as dg
import pytest

from lakehouse_assets.alerts import stream
from lakehouse_assets.alerts.figures import figures_of
from lakehouse_assets.context import Lake
from lakehouse_assets.orchestration.arrivals import QUEUE
from lakehouse_assets.orchestration.instance import opened
from lakehouse_assets.settings import SettingsError, settings

LANDING = dg.AssetKey(["landing", "sales"])


def test_observations_of_waiting_bytes_and_costs_become_figures(lake: Lake) -> None:
    seen: dict[dg.AssetKey, dict[str, str | float]] = {
        QUEUE: {"waiting": 3, "bytes_waiting": 700, "dead_letters": "no dead-letter queue"},
        LANDING: {"objects_waiting": 2, "bytes_waiting": 500, "usd": 0.25, "waiting": 9},
    }
    with opened(lake.settings) as instance:
        for key, metadata in seen.items():
            instance.report_runless_asset_event(dg.AssetObservation(key, metadata=metadata))
        page = stream.read(instance, stream.EVENTS_OF_FIGURES, 0, settled_s=0)
        found = {
            (figure.asset, figure.name): (figure.value, figure.unit) for figure in figures_of(lake, instance, page)
        }
    assert found == {
        ("arrivals.queue", "waiting"): (3, "Count"),
        ("arrivals.queue", "bytes_waiting"): (700, "Bytes"),
        ("landing.sales", "objects_waiting"): (2, "Count"),
        ("landing.sales", "bytes_waiting"): (500, "Bytes"),
        ("landing.sales", "usd"): (0.25, "None"),
    }


@pytest.mark.parametrize("name", ["AWS/Lake", ":lake"])
def test_a_namespace_that_cloudwatch_refuses_is_refused_beforehand(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEHOUSE_METRICS_NAMESPACE", name)
    settings.cache_clear()
    with pytest.raises(SettingsError, match="that begin with AWS/ or : for itself; choose another one"):
        settings()
    settings.cache_clear()
