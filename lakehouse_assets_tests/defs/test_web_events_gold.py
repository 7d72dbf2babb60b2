"""The gold tables of the web shop hold the figures that follow from its events, however these arrive."""

import datetime as dt
import json
from dataclasses import replace
from typing import Any

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.pipeline.repeated_ids import repeated_ids
from lakehouse_assets_tests.pipeline.totals import stored
from lakehouse_assets_tests.retail import build, gzipped, ingest, land, publish

pytestmark = pytest.mark.usefixtures("every_table")


def event(number: int, at: str, session: str, kind: str, code: str | None = "85123A") -> dict[str, Any]:
    time = f"2026-03-{at}Z"
    return {"event_id": f"e{number}", "event_time": time, "session_id": session, "stock_code": code, "type": kind}


EVENTS = [
    event(1, "01T10:05:00", "s1", "view"), event(2, "01T10:06:00", "s1", "cart"),
    event(3, "01T10:59:59", "s1", "purchase"), event(4, "01T11:00:00", "s1", "purchase", "22423"),
    event(5, "01T11:30:00", "s2", "view", None), event(6, "01T11:31:00", "s3", "purchase", "22423"),
    event(7, "02T00:10:00", "s3", "view"), event(8, "29T23:30:00", "s4", "view"),
]  # fmt: skip


@pytest.mark.slow(covered=True)
def test_the_tables_of_the_web_shop_hold_their_figures(lake: Lake) -> None:
    models = [lake.registry.models[name] for name in ("funnel_daily", "live_sales_hourly")]
    shop = replace(lake, registry=Registry([lake.registry.feed("web_events")], models))
    late, first = EVENTS[:3], EVENTS[3:]
    again = {**EVENTS[5], "event_time": "2026-03-02T09:00:00Z", "session_id": "s9"}  # with another time: another date
    stream = "".join(map(json.dumps, [*first, EVENTS[3]]))
    land(shop, "2026/03/01/12/web_events-1.gz", gzipped(stream.encode()), "web_events")
    _run(shop)
    assert {row["dt"]: row["sessions"] for row in stored(shop, "funnel_daily")}[dt.date(2026, 3, 1)] == 3
    land(shop, "2026/03/03/01/web_events-1.gz", gzipped(json.dumps(again).encode() + b"\n"), "web_events")
    land(shop, "2026/03/03/02/web_events-1.gz", gzipped("\n".join(map(json.dumps, late)).encode()), "web_events")
    _run(shop)
    funnel = {row["dt"].day: [*row.values()][1:] for row in stored(shop, "funnel_daily")}
    assert funnel == {1: [3, 2, 1, 3, 1, 2, 2 / 3], 2: [2, 1, 0, 1, 0, 1, 0.5], 30: [1, 1, 0, 0, 0, 0, 0.0]}
    hours = {f"{row['hour']:%d %H}": [*row.values()][2:] for row in stored(shop, "live_sales_hourly")}
    assert hours == {
        "01 10": [1, 1, 1, 1], "01 11": [2, 1, 2, 3], "02 00": [0, 0, 0, 1], "02 09": [1, 1, 1, 1],
        "29 23": [0, 0, 0, 1],
    }  # fmt: skip
    feed = shop.registry.feed("web_events")
    found = repeated_ids(shop, feed, ["2026-03-02"])
    assert (found.records, found.such_as) == (1, (dt.date(2026, 3, 1), dt.date(2026, 3, 2)))


def _run(lake: Lake) -> None:
    ingest(lake, feed="web_events")
    publish(lake, feed="web_events")
    build(lake)
