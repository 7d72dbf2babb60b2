"""An asset that is not fresh, a backlog that grows; and their ends."""

import datetime as dt
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.freshness import FreshnessState, FreshnessStateChange

from lakehouse_assets.alerts.facts import Kind, Severity
from lakehouse_assets.alerts.telling import tell
from lakehouse_assets.contracts.declare import ContractError
from lakehouse_assets_tests.alerts.conftest import Shop
from lakehouse_assets_tests.alerts.test_cloudwatch import Kept
from lakehouse_assets_tests.alerts.test_telling import Channel
from lakehouse_assets_tests.contracts.orders import orders

CLOSE = dt.time(6, 30)


def _change(shop: Shop, key: str, before: str, after: str) -> None:
    """Record a change of freshness, as Dagster's daemon does."""
    shop.instance._report_runless_asset_event(
        FreshnessStateChange(
            key=dg.AssetKey(key.split("/")),
            previous_state=FreshnessState(before),
            new_state=FreshnessState(after),
            state_change_timestamp=0.0,
        )
    )


def test_an_asset_that_is_not_fresh_is_told_until_it_is(shop: Shop) -> None:
    channel = Channel("a")
    tell(shop.lake, shop.instance, [channel], 0)
    _change(shop, "gold/totals", "UNKNOWN", "PASS")
    _change(shop, "gold/totals", "PASS", "FAIL")
    _change(shop, "gold/totals", "FAIL", "PASS")
    tell(shop.lake, shop.instance, [channel], 0)
    stale, back = channel.facts
    assert (stale.kind, stale.severity, stale.assets) == (Kind.FRESHNESS_MISSED, Severity.ERROR, ("gold.totals",))
    assert stale.cause == "its freshness policy is not met: it was not materialized in time"
    assert stale.command == "lakehouse status"
    assert (back.kind, back.fingerprint) == (Kind.BACK_TO_NORMAL, stale.fingerprint)


def test_a_daily_close_changes_no_identity_and_has_to_be_a_time() -> None:
    assert orders(daily_close=CLOSE).version == orders().version
    assert orders(daily_close=CLOSE).reading_version == orders().reading_version
    with pytest.raises(
        ContractError, match=r"daily_close='06:30' is no time of day .* write daily_close=dt.time\(6, 30\)"
    ):
        orders(daily_close="06:30")


def _look(shop: Shop, *backlogs: int) -> None:
    for backlog in backlogs:
        shop.instance.report_runless_asset_event(
            dg.AssetObservation(dg.AssetKey(["arrivals", "queue"]), metadata={"backlog": backlog})
        )


def test_a_backlog_that_grows_look_after_look_is_told_once_and_when_it_shrinks(shop: Shop) -> None:
    channel, figures = Channel("a"), Kept()
    figures.fails_at = 0
    tell(shop.lake, shop.instance, [channel, figures], 0)
    _look(shop, 9, 1, 2, 3, 4, 5)
    tell(shop.lake, shop.instance, [channel, figures], 0)
    assert channel.facts == []
    _look(shop, 60, 70, 80, 75, 90, 5)
    tell(shop.lake, shop.instance, [channel, figures], 0)
    growing, back = channel.facts
    assert (growing.kind, growing.severity) == (Kind.BACKLOG_GROWING, Severity.WARNING)
    assert growing.cause == "its backlog grew 5 times in a row, from 1 to 60"
    assert (back.kind, back.fingerprint, back.assets) == (
        Kind.BACK_TO_NORMAL, growing.fingerprint, ("arrivals.queue",),
    )  # fmt: skip
    assert [figure.value for figure in figures.figures] == [9, 1, 2, 3, 4, 5, 60, 70, 80, 75, 90, 5]


def test_what_a_look_at_the_queue_shows_is_figures(shop: Shop) -> None:
    figures = Kept()
    figures.fails_at = 0
    tell(shop.lake, shop.instance, [figures], 0)
    shown: dict[str, Any] = {
        "backlog": 7,
        "waiting": 5,
        "in_flight": 2,
        "dead_letters": 1,
        "received": 3,
        "unknown": "- none",
    }
    for metadata in (shown, {"dead_letters": "no dead-letter queue"}, {"unannounced": 4}):
        shop.instance.report_runless_asset_event(dg.AssetObservation(["arrivals", "queue"], metadata=metadata))
    shop.instance.report_runless_asset_event(dg.AssetObservation(["somebody", "else"], metadata={"received": 9}))
    tell(shop.lake, shop.instance, [figures], 0)
    found = [(figure.asset, figure.name, figure.value) for figure in figures.figures]
    expected = {"backlog": 7, "waiting": 5, "in_flight": 2, "dead_letters": 1, "received": 3, "unannounced": 4}
    assert found == [("arrivals.queue", name, value) for name, value in expected.items()]
