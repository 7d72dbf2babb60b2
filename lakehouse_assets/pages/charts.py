"""The charts of the page, as Vega-Lite specifications without data: the page puts it in. Not here: figures, colours.

Imported only where a lake has not kept what this module says: altair takes a second, and may not be installed.
"""

from collections.abc import Callable, Mapping
from typing import Any

import altair as alt

Chart = Any
"""A chart: what altair's methods return has no type."""
_AMOUNT = 10_000


def specifications() -> dict[str, dict[str, Any]]:
    """Return the specification of each chart by the name of its figure."""
    return {name: _specification(made(alt.Chart(alt.NamedData(name)))) for name, made in _CHARTS.items()}


def _specification(chart: Chart) -> dict[str, Any]:
    """Return the specification of a chart, with an empty data set for each name that its data have."""
    spec: dict[str, Any] = chart.properties(width="container").to_dict()
    spec["datasets"] = {one["data"]["name"]: [] for one in (spec, *spec.get("layer", ())) if "data" in one}
    spec.pop("config", None)
    return spec


def _sales(chart: Chart) -> Chart:
    """Return the lines of history, with the forecast behind them. Without one, its data set is empty."""
    history = (
        chart.transform_fold(["sales", "net"], as_=["measure", "amount"])
        .transform_calculate(pounds=f"datum.amount / {_AMOUNT}")
        .mark_line(point=alt.OverlayMarkDef(size=12))
        .encode(
            x=alt.X("dt:T", title=None),
            y=alt.Y("pounds:Q", title="GBP"),
            color=alt.Color("measure:N", title=None, legend=alt.Legend(orient="top")),
            strokeDash=alt.StrokeDash("measure:N", title=None),
            tooltip=[
                alt.Tooltip("dt:T", title="Date"),
                "measure:N",
                alt.Tooltip("pounds:Q", format=",.2f", title="GBP"),
            ],
        )
    )
    forecast = alt.Chart(alt.NamedData("sales_forecast"))
    bands = (_band(forecast, percent) for percent in (95, 80))
    expected = (
        forecast.transform_calculate(pounds=f"datum.net / {_AMOUNT}")
        .mark_line(style="forecast")
        .encode(
            x="dt:T",
            y="pounds:Q",
            tooltip=[
                alt.Tooltip("dt:T", title="Date"),
                alt.Tooltip("pounds:Q", format=",.2f", title="Net expected, GBP"),
            ],
        )
    )
    return alt.layer(*bands, history, expected).properties(height=280)


def _band(forecast: Chart, percent: int) -> Chart:
    bounds = {side: f"datum.{side}_{percent} / {_AMOUNT}" for side in ("low", "high")}
    return (
        forecast.transform_filter(f"isValid(datum.low_{percent})")
        .transform_calculate(**bounds)
        .mark_area(style=f"within_{percent}")
        .encode(x="dt:T", y="low:Q", y2="high:Q")
    )


def _products(chart: Chart) -> Chart:
    return _bars(chart, f"datum.sales / {_AMOUNT}", "description:N", "Sales, GBP", ",.2f")


def _segments(chart: Chart) -> Chart:
    return _bars(chart, "datum.customers", "segment:N", "Customers", ",")


def _bars(chart: Chart, value: str, name: str, title: str, number: str) -> Chart:
    return (
        chart.transform_calculate(value=value)
        .mark_bar()
        .encode(
            x=alt.X("value:Q", title=title),
            y=alt.Y(name, title=None, sort="-x", axis=alt.Axis(labelLimit=170)),
            tooltip=[name, alt.Tooltip("value:Q", format=number, title=title)],
        )
    )


def _cohorts(chart: Chart) -> Chart:
    return (
        chart.transform_filter("datum.months_since > 0")
        .mark_rect()
        .encode(
            x=alt.X("months_since:O", title="Months since the first purchase", axis=alt.Axis(labelAngle=0)),
            y=alt.Y("cohort:O", title=None),
            color=alt.Color(
                "retention:Q", title="Share", scale=alt.Scale(scheme="blues"), legend=alt.Legend(format=".0%")
            ),
            tooltip=["cohort:O", "months_since:O", "active:Q", alt.Tooltip("retention:Q", format=".1%")],
        )
    )


def _quality(chart: Chart) -> Chart:
    return (
        chart.mark_line(point=alt.OverlayMarkDef(size=12))
        .encode(
            x=alt.X("part:T", title=None),
            y=alt.Y("score:Q", title="Score", axis=alt.Axis(format=".2~%"), scale=alt.Scale(zero=False, domainMax=1)),
            color=alt.Color("feed:N", title=None, legend=alt.Legend(orient="top")),
            tooltip=["feed:N", alt.Tooltip("part:T", title="Date"), alt.Tooltip("score:Q", format=".2%")],
        )
        .properties(height=160)
    )


_CHARTS: Mapping[str, Callable[[Chart], Chart]] = {
    "daily_sales": _sales,
    "product_performance": _products,
    "customer_insights": _segments,
    "cohort_retention": _cohorts,
    "quality": _quality,
}
