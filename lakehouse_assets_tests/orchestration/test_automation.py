"""Real ticks: what is ingested reaches gold, exactly the dates that changed, in few runs."""

import pytest

from lakehouse_assets.defs.automation import refresh
from lakehouse_assets.orchestration.pending_runs import BUILD, CATALOG, PUBLISH, WAVE_TAG
from lakehouse_assets.orchestration.run_requests import ATTEMPTS
from lakehouse_assets.pipeline import gold, silver
from lakehouse_assets_tests import retail
from lakehouse_assets_tests.orchestration.daemon import Daemon
from lakehouse_assets_tests.orchestration.watched import (
    DATES,
    GOLD_BY_DATE,
    ask,
    asked_parts,
    events_of,
    once_read,
    rows,
    sweep,
)
from lakehouse_assets_tests.retail import day, line, sales_csv

pytestmark = pytest.mark.slow


def test_exactly_the_touched_dates_run_in_one_run_per_wave(daemon: Daemon) -> None:
    for date in DATES:
        retail.land(daemon.lake, f"{date}.csv", sales_csv(3, date))
    daemon.settle("landing_sensor")

    [request] = daemon.requests("tables_sensor")
    assert asked_parts(request) == {"silver__sales": list(DATES)}
    published = events_of(daemon, [daemon.launch(request)])
    assert published.materialized == {"silver/sales": list(DATES)}
    assert published.gates == {date: [True] for date in DATES}

    [request] = daemon.requests("tables_sensor")
    by_date = {table.replace("/", "__"): list(DATES) for table in GOLD_BY_DATE}
    assert asked_parts(request) == by_date | {"gold__quarantine_by_rule": ["whole"]}
    built = events_of(daemon, [daemon.launch(request)])
    assert built.materialized == {table: list(DATES) for table in GOLD_BY_DATE} | {"gold/quarantine_by_rule": [None]}

    rest = events_of(daemon, daemon.settle())
    assert set(rest.materialized) == {"gold/product_performance", "catalog/duckdb"}
    assert rows(daemon.lake) == dict.fromkeys(DATES, 3)


def test_hundreds_of_dates_are_a_few_runs(daemon: Daemon) -> None:
    dates = [f"2011-{month:02}-{at:02}" for month in range(1, 11) for at in range(1, 29, 2)]
    for date in dates:
        retail.land(daemon.lake, f"{date}.csv", sales_csv(1, date))

    results = daemon.settle()

    assert len(results) <= 5
    events = events_of(daemon, results)
    for table in ("bronze/sales", "silver/sales", *GOLD_BY_DATE):
        assert events.materialized[table] == dates, table
    assert events.gates == {date: [True] for date in dates}


def test_a_date_that_lands_again_is_the_only_one_that_runs_again(daemon: Daemon) -> None:
    for date in DATES:
        retail.land(daemon.lake, f"{date}.csv", sales_csv(3, date))
    daemon.settle()
    retail.land(daemon.lake, f"{DATES[1]}.csv", sales_csv(4, DATES[1]))

    events = events_of(daemon, daemon.settle())

    for table in ("bronze/sales", "silver/sales", *GOLD_BY_DATE):
        assert events.materialized[table] == [DATES[1]], table
    assert events.gates == {DATES[1]: [True]}
    assert rows(daemon.lake) == {DATES[0]: 3, DATES[1]: 4, DATES[2]: 3}


@pytest.mark.parametrize("when", ["someday", "1999-12-31 10:00:00", "2999-12-31 10:00:00"])
def test_records_without_a_business_date_alone_are_work_too(daemon: Daemon, when: str) -> None:
    retail.land(daemon.lake, "1.csv", sales_csv(3))
    daemon.settle()
    retail.land(daemon.lake, "2.csv", sales_csv([line(InvoiceDate=when)]))
    assert all(result.success for result in daemon.settle())
    assert ask(daemon.lake, "SELECT count(*) FROM quarantine.sales") == [(1,)]
    assert rows(daemon.lake) == {retail.DAY: 3}


def test_idle_sensors_ask_for_nothing(daemon: Daemon) -> None:
    retail.land(daemon.lake, "1.csv", sales_csv(3))
    daemon.settle()
    assert daemon.tick("landing_sensor").skip_message == "landing holds nothing new"
    assert daemon.tick("tables_sensor").skip_message == "every table is up to date"
    assert sweep(daemon, "2026-01-01") == []


def test_catalogs_are_refreshed_though_something_else_is_always_pending(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    retail.land(daemon.lake, "1.csv", sales_csv(3))
    daemon.settle("landing_sensor")
    [publish] = daemon.requests("tables_sensor")
    assert publish.tags[WAVE_TAG] == PUBLISH
    daemon.launch(publish)
    monkeypatch.setattr(refresh, "_CATALOGS_WAIT_S", 0)
    build, catalog = daemon.requests("tables_sensor")
    assert [build.tags[WAVE_TAG], catalog.tags[WAVE_TAG]] == [f"{BUILD}-0", CATALOG]
    assert daemon.launch(catalog).success
    again = [request.tags[WAVE_TAG] for request in daemon.requests("tables_sensor")]
    assert again == [f"{BUILD}-0"]  # nothing was written since


def test_a_date_that_lands_again_while_silver_runs_is_published_after_it(daemon: Daemon) -> None:
    retail.land(daemon.lake, "1.csv", sales_csv(3))
    daemon.settle("landing_sensor")
    skips = []

    def land_again() -> None:
        retail.land(daemon.lake, "1.csv", sales_csv(5))
        retail.ingest(daemon.lake)
        skips.append(daemon.tick("tables_sensor").skip_message)

    with once_read(silver, "compute", land_again) as done:
        daemon.settle()

    assert done
    assert skips == ["a run of publish is under way"]
    assert rows(daemon.lake) == {retail.DAY: 5}


def test_a_date_that_is_published_again_while_gold_runs_is_built_after_it(daemon: Daemon) -> None:
    retail.land(daemon.lake, "1.csv", sales_csv(3))

    def publish_again() -> None:
        retail.land(daemon.lake, "1.csv", sales_csv(5))
        retail.ingest(daemon.lake)
        retail.publish(daemon.lake)

    with once_read(gold, "_query", publish_again) as done:
        daemon.settle()

    assert done
    assert rows(daemon.lake) == {retail.DAY: 5}


@pytest.mark.parametrize("force", ["good", "held"])
def test_a_version_that_comes_back_again_and_again_is_decided_each_time(daemon: Daemon, force: str) -> None:
    other = [*day(count=3), line(Quantity="1.5")] if force == "held" else day(count=4)
    for at in range(2 * ATTEMPTS + 2):
        retail.land(daemon.lake, "1.csv", sales_csv(other if at % 2 else day(count=3)))
        daemon.settle("landing_sensor")
        for request in daemon.requests("tables_sensor"):
            daemon.launch(request)
        [(landed, verdict)] = ask(daemon.lake, "SELECT landed, verdict FROM ops.accounting")
        expected = (4, "held" if force == "held" else "published") if at % 2 else (3, "published")
        assert (landed, verdict) == expected, f"version {at + 1}"
