"""Checks that the clock decides: evaluated by their schedules and by runs, told once, and over when they pass."""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from lakehouse_assets.alerts.facts import Fact, Kind, Severity
from lakehouse_assets.alerts.telling import tell
from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.defs.automation import refresh
from lakehouse_assets.orchestration import deadlines
from lakehouse_assets.orchestration.location import definitions
from lakehouse_assets.orchestration.pending_runs import refresh_job
from lakehouse_assets.storage.stores import StorageError
from lakehouse_assets_tests import retail
from lakehouse_assets_tests.alerts.test_telling import Channel
from lakehouse_assets_tests.orchestration.daemon import Daemon
from lakehouse_assets_tests.pipeline.totals import GOOD, totals
from lakehouse_assets_tests.retail import day, line, sales, sales_csv

LONDON, HOURLY = "deadlines_europe_london", "deadlines_utc"
YESTERDAY = dt.datetime.now(ZoneInfo("Europe/London")).date() - dt.timedelta(days=1)


def played(lake: Lake, monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance, sql: str = GOOD) -> Daemon:
    """Return the daemon of a lake with sales and totals, of which everything that is on by declaration is declared."""
    found, model = totals(lake, sql, fresh_within=dt.timedelta(minutes=1), inventory=True)
    feed = replace(sales(found), daily_close=dt.time(0), inventory=True)
    registry = Registry([feed], [model])
    automation = [refresh_job, refresh.landing_sensor, refresh.tables_sensor]
    monkeypatch.setattr("lakehouse_assets.context.registry", lambda *_: registry)
    monkeypatch.setattr("lakehouse_assets.orchestration.location.declared", lambda *_, **__: automation)
    lake = replace(lake, registry=registry)
    return Daemon(lake, instance, definitions(lake))


@pytest.fixture
def instance(lake: Lake, daemon_of: Callable[..., Daemon]) -> dg.DagsterInstance:
    return daemon_of(lake).instance


@pytest.fixture
def daemon(lake: Lake, monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance) -> Daemon:
    return played(lake, monkeypatch, instance)


def tick(daemon: Daemon, schedule: str) -> str:
    with dg.build_schedule_context(instance=daemon.instance, resources=daemon.resources) as context:
        answer = daemon.definitions.resolve_schedule_def(schedule).evaluate_tick(context)
    assert not answer.run_requests
    return str(answer.skip_message)


def told(daemon: Daemon, channel: Channel) -> list[Fact]:
    """Return what is new to a channel, besides runs."""
    known = len(channel.facts)
    tell(daemon.lake, daemon.instance, [channel], 0)
    return [fact for fact in channel.facts[known:] if not fact.kind.startswith("run_")]


@pytest.mark.slow
def test_a_feed_that_is_missing_at_its_close_is_told_once_until_it_came(daemon: Daemon) -> None:
    channel = Channel("a")
    told(daemon, channel)
    assert tick(daemon, LONDON) == "evaluated 2 checks; 2 of them failed"
    missing, stale = told(daemon, channel)
    assert (missing.kind, missing.severity, missing.assets) == (Kind.FEED_MISSING, Severity.ERROR, ("landing.sales",))
    assert missing.cause == (
        f"sales {YESTERDAY}: nothing was ingested by the daily close at {YESTERDAY + dt.timedelta(days=1)} 00:00 "
        "(Europe/London), or since"
    )
    assert (stale.kind, stale.assets) == (Kind.FRESHNESS_MISSED, ("gold.totals",))
    assert stale.cause.startswith(f"gold.totals {YESTERDAY}: not there, and was due at")
    tick(daemon, LONDON)
    assert told(daemon, channel) == []

    retail.land(daemon.lake, "late.csv", sales_csv(3, YESTERDAY))
    daemon.settle()
    ends = {fact.fingerprint: fact.kind for fact in told(daemon, channel)}
    assert ends == {missing.fingerprint: Kind.BACK_TO_NORMAL, stale.fingerprint: Kind.BACK_TO_NORMAL}
    assert tick(daemon, LONDON) == "evaluated 2 checks; 0 of them failed"
    assert told(daemon, channel) == []


@pytest.mark.slow
def test_an_inventory_names_what_is_held_and_what_failed(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance
) -> None:
    daemon, channel = played(lake, monkeypatch, instance, "SELECT dt, nothing FROM silver.sales"), Channel("a")
    bad = [*day("2011-03-02", 3), line(InvoiceDate="2011-03-02 09:00:00", Quantity="1.5")]
    retail.land(daemon.lake, "good.csv", sales_csv(3))
    retail.land(daemon.lake, "bad.csv", sales_csv(bad))
    daemon.settle()
    told(daemon, channel)
    assert tick(daemon, HOURLY) == "evaluated 2 checks; 2 of them failed"
    held, failed = told(daemon, channel)
    assert (held.kind, held.severity, held.assets) == (Kind.CHECK_FAILED, Severity.WARNING, ("silver.sales",))
    assert held.cause == "2011-03-02: held by the gate; `lakehouse status` says why"
    assert failed.assets == ("gold.totals",)
    assert "gold.totals: failed 3 times on these inputs" in failed.cause
    retail.land(daemon.lake, "bad.csv", sales_csv(3, "2011-03-02"))
    daemon.settle()
    [over] = [fact for fact in told(daemon, channel) if fact.about == "inventory"]
    assert (over.kind, over.fingerprint) == (Kind.CHECK_PASSED, held.fingerprint)


def test_what_cannot_be_looked_at_leaves_the_other_checks_alone(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(_: Lake, feed: Feed) -> None:
        msg = f"ops/ledger: the part of {feed.name} cannot be read"
        raise StorageError(msg)

    monkeypatch.setattr(deadlines, "closed_days", unreadable)
    channel = Channel("a")
    told(daemon, channel)
    with pytest.raises(dg.DagsterError) as error:
        tick(daemon, LONDON)
    assert str(error.value.__cause__) == "daily_close of landing/sales: ops/ledger: the part of sales cannot be read"
    assert [fact.kind for fact in told(daemon, channel)] == [Kind.FRESHNESS_MISSED]


def test_there_is_nothing_where_nothing_is_declared(lake: Lake) -> None:
    plain = Registry([replace(sales(lake), usual_rows=None)], [])
    found = deadlines.deadlines(replace(lake, registry=plain))
    assert not list(found.asset_checks or ())
    assert not list(found.schedules or ())


def test_each_zone_has_a_schedule_at_the_times_of_its_checks(daemon: Daemon) -> None:
    found = deadlines.deadlines(daemon.lake)
    schedules = {s.name: s for s in found.schedules or () if isinstance(s, dg.ScheduleDefinition)}
    assert {name: (s.cron_schedule, s.execution_timezone) for name, s in schedules.items()} == {
        LONDON: (["0 0 * * *", "1 0 * * *"], "Europe/London"),
        HOURLY: (["5 * * * *"], "UTC"),
    }
