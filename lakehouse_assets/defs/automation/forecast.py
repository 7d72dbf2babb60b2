"""The forecast as a Dagster asset with a daily schedule; `lakehouse forecast` does the same.

Training by the day and not by the file: a late file changes gold within minutes, and the forecast the next morning.
Without the extra `forecast` there is none of it.
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from lakehouse_assets.forecast.delivery import INPUT, can_be_made, deliver, evaluation_rows
from lakehouse_assets.orchestration import events
from lakehouse_assets.orchestration.resources import LakeResource

_KEY, _CHECK = ["forecast", "sales"], "champion_beats_baselines"


def forecast_asset() -> dg.AssetsDefinition:
    """Return the asset whose materialization trains, evaluates and lands a forecast."""

    @dg.asset(
        key=_KEY,
        deps=[["gold", INPUT]],
        group_name="forecast",
        kinds={"statsmodels"},
        owners=["team:retail-analytics"],
        description="Trains on closed dates, compares with baselines, and lands the forecast of the next 28 days.",
        check_specs=[
            dg.AssetCheckSpec(
                _CHECK,
                asset=_KEY,
                description="In the backtest the champion is better than both baselines, and than seasonal naive by a "
                "margin that its result says.",
            )
        ],
    )
    def trained(context: dg.AssetExecutionContext, lakehouse: LakeResource) -> Iterator[Any]:
        lake = lakehouse.lake()
        with events.step(context, lake):
            done = deliver(lake)
        titles, *rows = evaluation_rows(done.card)
        table = "\n".join(f"| {' | '.join(row)} |" for row in (titles, ["---"] * len(titles), *rows))
        yield dg.MaterializeResult(
            metadata={
                "model": done.card["model"] or "none",
                "model_version": done.card["model_version"],
                "trained_through": done.card["trained_through"] or "none",
                "backtest": dg.MetadataValue.md(table),
                "card": dg.MetadataValue.json({name: v for name, v in done.card.items() if name != "groups"}),
                "dagster/uri": lake.store.uri(done.folder),
                "landed": done.landed or "nothing new",
            }
        )
        yield dg.AssetCheckResult(
            check_name=_CHECK,
            passed=done.is_champion,
            severity=dg.AssetCheckSeverity.WARN,
            description=done.card["reason"],
            metadata={"backtest": dg.MetadataValue.md(table)},
        )

    return trained


if can_be_made():
    sales_forecast = forecast_asset()
    daily_forecast = dg.ScheduleDefinition(
        name="daily_forecast",
        target=dg.AssetSelection.assets(_KEY),
        cron_schedule="45 3 * * *",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Once a day, after the daily sweep: the forecast learns the day that ended.",
    )
