"""What is told, once and in order, through outages, by a cursor per channel."""

from collections.abc import Sequence
from pathlib import Path

import dagster as dg
import pytest

from lakehouse_assets.alerts import channels, stream
from lakehouse_assets.alerts.facts import Fact, Kind, Severity
from lakehouse_assets.alerts.telling import tell
from lakehouse_assets.context import Lake
from lakehouse_assets.orchestration.resources import resources_at
from lakehouse_assets.settings import settings
from lakehouse_assets_tests.alerts.conftest import Shop

pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning")
DATES = [f"2011-03-{day:02}" for day in range(1, 29)]


class Channel:
    """Keeps what it is told; fails while it is down, after some facts if it is to."""

    def __init__(self, name: str, at_once: int = 500) -> None:
        self.name, self.at_once = name, at_once
        self.looks_back, self.takes = 0, Fact
        self.facts: list[Fact] = []
        self.is_down = False
        self.calls_until_down: int | None = None

    def deliver(self, news: Sequence[Fact]) -> None:
        if self.is_down or self.calls_until_down == 0:
            msg = "connection refused"
            raise OSError(msg)
        if self.calls_until_down is not None:
            self.calls_until_down -= 1
        self.facts += news


def _tell(shop: Shop, *told: Channel) -> tuple[list[str], list[str]]:
    return tell(shop.lake, shop.instance, list(told), settled_s=0)


def _hold(shop: Shop, *dates: str) -> None:
    for date in dates:
        shop.evaluate("gate", date, passed=False, text=f"{date}: quality score 0.5 is below the gate 0.9.")


def test_a_new_channel_begins_with_what_happens_next(shop: Shop) -> None:
    _hold(shop, DATES[0])
    channel = Channel("a")
    assert _tell(shop, channel) == ([], [])
    _hold(shop, DATES[1])
    assert _tell(shop, channel) == (["a: 1 facts"], [])
    assert [fact.dates for fact in channel.facts] == [(DATES[1],)]
    assert _tell(shop, channel) == ([], [])


def test_a_channel_that_is_down_is_told_all_in_order_later_and_the_other_one_at_once(shop: Shop) -> None:
    up, down = Channel("up"), Channel("down")
    _tell(shop, up, down)
    down.is_down = True
    for date in DATES[:4]:
        _hold(shop, date)
        told, failed = _tell(shop, down, up)
        assert told == ["up: 1 facts"]
        assert failed == ["down cannot be told, and is told later (OSError: connection refused)"]
    down.is_down = False
    _tell(shop, up, down)
    assert [fact.dates[0] for fact in up.facts] == DATES[:4]
    assert down.facts == up.facts


@pytest.mark.slow
def test_each_channel_in_turn_is_down_for_some_ticks(shop: Shop) -> None:
    three = [Channel(name, at_once=2) for name in "abc"]
    _tell(shop, *three)
    for number, date in enumerate(DATES):
        _hold(shop, date)
        for at, channel in enumerate(three):
            channel.is_down = number // 5 % 3 == at
        _tell(shop, *three)
    for channel in three:
        channel.is_down = False
    _tell(shop, *three)
    assert [[fact.dates[0] for fact in channel.facts] for channel in three] == [DATES] * 3


def test_what_was_delivered_before_a_failure_is_not_told_again(shop: Shop) -> None:
    channel = Channel("a", at_once=10)
    _tell(shop, channel)
    _hold(shop, *DATES)
    channel.calls_until_down = 1
    _, [line] = _tell(shop, channel)
    assert "connection refused" in line
    assert len(channel.facts) == 10
    channel.calls_until_down = None
    _tell(shop, channel)
    assert [fact.dates[0] for fact in channel.facts] == DATES


def test_a_tick_reads_a_bounded_page_and_the_next_ticks_the_rest(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream.read, "__defaults__", (stream.SETTLED_S, 7))
    channel = Channel("a")
    _tell(shop, channel)
    _hold(shop, *DATES)
    sizes: list[int] = []
    while _tell(shop, channel)[0]:
        sizes.append(len(channel.facts) - sum(sizes))
    assert sizes == [7, 7, 7, 7]
    assert [fact.dates[0] for fact in channel.facts] == DATES


def test_an_event_is_told_when_it_has_settled(shop: Shop) -> None:
    channel = Channel("a")
    _tell(shop, channel)
    _hold(shop, DATES[0])
    assert tell(shop.lake, shop.instance, [channel], settled_s=3_600) == ([], [])
    assert len(channel.facts) == 0
    _tell(shop, channel)
    assert len(channel.facts) == 1


def test_an_event_log_that_was_emptied_begins_anew(shop: Shop) -> None:
    channel = Channel("a")
    shop.instance.daemon_cursor_storage.set_cursor_values({"lakehouse/alerts/a": "999999"})
    _hold(shop, DATES[0])
    _tell(shop, channel)  # its position is now that of the newest event
    _hold(shop, DATES[1])
    _tell(shop, channel)
    assert [fact.dates[0] for fact in channel.facts] == [DATES[1]]


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize("kept", ["shop", "stored_shop"])
def test_checks_are_told_when_they_change(kept: str, request: pytest.FixtureRequest) -> None:
    shop: Shop = request.getfixturevalue(kept)
    channel = Channel("a")
    _tell(shop, channel)
    say = [
        ("accounting", None, True, "ok"),  # it was never otherwise
        ("accounting", None, False, "3 records are lost"),
        ("accounting", None, False, "4 records are lost"),  # still
        ("accounting", None, True, "ok"),
        ("gate", DATES[0], True, ""),
        ("gate", DATES[0], False, "score 0.5"),
        ("gate", DATES[0], False, "score 0.5"),
        ("gate", DATES[0], False, "score 0.6"),  # landed again, and still held
        ("gate", DATES[1], True, ""),  # of another date
        ("gate", None, False, "2011-03-01 is held"),  # the summary of the dates above
        ("gate", DATES[0], True, ""),
        ("objects_accepted", None, False, "a.csv: held: the manifest says 3 rows"),
        ("objects_accepted", None, False, "a.csv: held: the manifest says 3 rows"),  # sent again
        ("objects_accepted", None, True, "every source object was accepted"),
        ("schema_drift", None, False, "a.csv: new column x"),
        ("schema_drift", None, True, "no object drifted"),
        ("freshness_check", None, False, "no update since yesterday"),
        ("freshness_check", None, True, ""),
    ]
    for check, partition, passed, text in say:
        shop.evaluate(check, partition, passed=passed, text=text)
    _tell(shop, channel)
    silver = ("silver.orders",)
    assert all(fact.assets == silver for fact in channel.facts)
    assert [(fact.kind, fact.about, fact.cause) for fact in channel.facts] == [
        (Kind.CHECK_FAILED, "accounting", "3 records are lost"),
        (Kind.CHECK_PASSED, "accounting", ""),
        (Kind.GATE_HELD, "gate", "score 0.5"),
        (Kind.GATE_HELD, "gate", "score 0.6"),
        (Kind.GATE_OPEN, "gate", ""),
        (Kind.OBJECT_REFUSED, "objects_accepted", "a.csv: held: the manifest says 3 rows"),
        (Kind.OBJECT_REFUSED, "objects_accepted", "a.csv: held: the manifest says 3 rows"),
        (Kind.CONTRACT_DRIFT, "schema_drift", "a.csv: new column x"),
        (Kind.BACK_TO_NORMAL, "schema_drift", ""),
        (Kind.FRESHNESS_MISSED, "freshness_check", "no update since yesterday"),
        (Kind.BACK_TO_NORMAL, "freshness_check", ""),
    ]
    assert channel.facts[5].command == 'lakehouse accept orders a.csv --why "..."'
    by_page = Channel("b")
    shop.instance.daemon_cursor_storage.set_cursor_values({"lakehouse/alerts/b": "0"})
    for at in range(1, stream.end(shop.instance) + 1):
        page = stream.read(shop.instance, stream.EVENTS_OF_FACTS, at - 1, 0, 1)
        assert page.through == at
    by_page.at_once = 1
    _tell(shop, by_page)
    assert by_page.facts == channel.facts


def test_a_killed_run_is_told_as_failed(shop: Shop) -> None:
    channel = Channel("a")
    _tell(shop, channel)
    run = shop.instance.create_run_for_job(_job(), run_config={})
    shop.instance.report_run_failed(
        run, "The process of this run (host:1:2) is dead. Its pending work is still pending."
    )
    run = shop.instance.create_run_for_job(_job(), run_config={})
    shop.instance.report_run_canceled(run)
    _tell(shop, channel)
    failed, canceled = channel.facts
    assert (failed.kind, failed.severity, failed.error) == (Kind.RUN_FAILED, Severity.ERROR, "RunFailure")
    assert failed.cause.endswith("is dead. Its pending work is still pending.")
    assert failed.headline == "nothing: run failed"
    assert failed.command == "lakehouse status"
    assert failed.link == f"https://dagster.example.com/runs/{failed.run_id}"
    assert (canceled.kind, canceled.severity, canceled.command) == (
        Kind.RUN_CANCELED, Severity.WARNING, "lakehouse run",
    )  # fmt: skip


def _job() -> dg.JobDefinition:
    @dg.job
    def nothing() -> None: ...

    return nothing


@pytest.mark.slow(covered=True)
def test_the_sensor_tells_and_is_there_only_where_somebody_is_to_be_told(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib

    import lakehouse_assets.defs.automation.telling as module

    assert not hasattr(module, "tell_what_happened")
    monkeypatch.setenv("LAKEHOUSE_ROOT", lake.settings.root)
    monkeypatch.setenv("LAKEHOUSE_ALERTS_TOPIC", "arn:aws:sns:us-east-1:123456789012:alerts")
    settings.cache_clear()
    try:
        sensor = importlib.reload(module).tell_what_happened
        told = Channel("a")
        monkeypatch.setattr(channels, "configured", lambda _: [told])
        with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
            context = dg.build_sensor_context(instance=instance, resources=resources_at(lake.settings.root))
            said = []
            for is_down in (False, True):
                told.is_down = is_down
                with context:
                    said.append(str(sensor.evaluate_tick(context).skip_message))
                run = instance.create_run_for_job(_job())
                instance.report_run_failed(run, "killed")
                monkeypatch.setattr(stream.read, "__defaults__", (0.0, stream.PAGE))
                monkeypatch.setattr(tell, "__defaults__", (0.0,))
        assert said == [
            "nothing happened that is to be told",
            "a cannot be told, and is told later (OSError: connection refused)",
        ]
    finally:
        monkeypatch.undo()
        settings.cache_clear()
        del module.tell_what_happened
