"""Real ticks: what lands reaches gold, exactly once per change, whatever dies or fails on the way."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
)

from lakehouse_assets.defs.automation import ATTEMPTS
from lakehouse_assets.lake import local_store
from lakehouse_assets.lake.lake import Lake
from lakehouse_assets.lake.storage import Stored
from lakehouse_assets.orchestration import instance
from lakehouse_assets.orchestration.work import WAVE_TAG
from lakehouse_assets.publish import gold, silver
from lakehouse_assets.query import answers
from lakehouse_assets_tests import retail
from lakehouse_assets_tests.orchestration.daemon import Daemon
from lakehouse_assets_tests.orchestration.event_log import Seen, seen
from lakehouse_assets_tests.retail import day, line, sales_csv

pytestmark = pytest.mark.slow
DATES = ("2010-12-24", "2011-03-01", "2011-05-17")
GOLD_BY_DATE = ("gold/daily_metrics", "gold/daily_product_sales", "gold/daily_sales")


def ask(lake: Lake, sql: str) -> list[tuple[Any, ...]]:
    return answers.run(lake, sql).rows


def rows(lake: Lake) -> dict[str, int]:
    """Return published rows by date, from silver; gold must agree."""
    found = dict(ask(lake, "SELECT dt::VARCHAR, count(*) FROM silver.sales GROUP BY dt ORDER BY dt"))
    assert dict(ask(lake, "SELECT dt::VARCHAR, sum(lines) FROM gold.daily_sales GROUP BY dt ORDER BY dt")) == found
    return found


def events_of(daemon: Daemon, results: list[Any]) -> Seen:
    return seen(daemon.instance, [result.run_id for result in results])


def asked_parts(request: Any) -> dict[str, list[str]]:
    """Return the partitions that a run request names, by asset."""
    return {op: config["config"]["parts"] for op, config in request.run_config["ops"].items()}


# --- landing


@pytest.fixture(params=["folder", "s3"])
def any_lake(request: pytest.FixtureRequest) -> Lake:
    """A fresh lake: in a folder, then on the S3 server."""
    found: Lake = request.getfixturevalue("lake" if request.param == "folder" else "s3_lake")
    return found


def test_files_that_share_a_timestamp_are_all_ingested_once(daemon: Daemon) -> None:
    def drop(key: str, date: str) -> None:
        retail.land(daemon.lake, key, sales_csv(2, date))
        os.utime(Path(daemon.lake.settings.root) / "landing/sales" / key, (1_300_000_000, 1_300_000_000))

    for at in range(5):
        drop(f"drop-{at}.csv", f"2011-03-0{at + 1}")
    assert len(daemon.settle("landing_sensor")) == 1
    drop("a-later-one.csv", "2011-03-06")
    assert len(daemon.settle("landing_sensor")) == 1

    daemon.settle()
    assert rows(daemon.lake) == {f"2011-03-0{at}": 2 for at in range(1, 7)}
    assert ask(daemon.lake, "SELECT count(*), max(version) FROM ops.ledger") == [(6, 6)]


def test_a_page_smaller_than_the_number_of_files_reaches_them_all(
    any_lake: Lake, daemon_of: Callable[..., Daemon]
) -> None:
    daemon = daemon_of(any_lake, listing_page=3)
    keys = [f"{at:02}/drop {at}.csv" for at in range(8)]
    for at, key in enumerate(keys):
        retail.land(any_lake, key, sales_csv(2, f"2011-03-{at + 1:02}"))

    ingested = []
    for _ in range(3):
        [request] = daemon.requests("landing_sensor")
        daemon.launch(request)
        ingested.append([key for (key,) in ask(any_lake, "SELECT object_key FROM ops.ledger ORDER BY 1")])

    assert ingested == [keys[:3], keys[:6], keys]
    # The next tick begins again, so what lands before the last key seen is found too.
    retail.land(any_lake, "00/late.csv", sales_csv(2, "2011-03-09"))
    daemon.settle()
    assert rows(any_lake) == {f"2011-03-{at + 1:02}": 2 for at in range(9)}


def test_a_tick_looks_at_a_page_of_files_however_many_there_are(
    lake: Lake, daemon_of: Callable[..., Daemon], monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = daemon_of(lake, listing_page=10)
    for at in range(300):
        retail.land(lake, f"{at:03}.csv", sales_csv([line(InvoiceNo=f"{at:06}")]))
    looked_at: list[str] = []
    original = local_store._stored

    def counting(path: str, stat: os.stat_result) -> Stored:
        if path.startswith("landing/"):
            looked_at.append(path)
        return original(path, stat)

    monkeypatch.setattr(local_store, "_stored", counting)
    work = []
    for _ in range(3):
        before = len(looked_at)
        [request] = daemon.requests("landing_sensor")
        work.append(len(looked_at) - before)
        daemon.launch(request)

    assert work == [10, 10, 10]
    # Nor does the run that a tick asks for look much further than its page.
    assert ask(lake, "SELECT count(*) FROM ops.ledger") == [(30,)]
    assert len(looked_at) < 100


def test_a_file_that_cannot_be_stored_is_tried_again_and_never_forgotten(
    lake: Lake, daemon_of: Callable[..., Daemon]
) -> None:
    daemon = daemon_of(lake, listing_page=1)
    for key, date in zip(("1.csv", "2.csv", "3.csv"), DATES, strict=True):
        retail.land(lake, key, sales_csv(2, date))
    # A file where the folder of the second date should be: its bronze cannot be written.
    obstacle = Path(lake.settings.root) / f"bronze/sales/dt={DATES[1]}"
    obstacle.parent.mkdir(parents=True)
    obstacle.touch()

    results = daemon.settle(patience=4)

    assert [result.success for result in results].count(False) == ATTEMPTS
    assert rows(lake) == {DATES[0]: 2, DATES[2]: 2}
    assert any("failed" in (daemon.tick("landing_sensor").skip_message or "") for _ in range(4))

    obstacle.unlink()
    for request in sweep(daemon, "2026-01-01"):
        assert daemon.launch(request).success
    daemon.settle()
    assert rows(lake) == dict.fromkeys(DATES, 2)


def test_a_file_that_cannot_be_read_does_not_hold_up_the_others(daemon: Daemon) -> None:
    for date in DATES:
        retail.land(daemon.lake, f"{date}.csv", sales_csv(2, date))
    # Reading it is an input/output error, also for root.
    broken = Path(daemon.lake.settings.root) / "landing/sales/2011-01-01.csv"
    broken.symlink_to("/proc/self/mem")

    daemon.settle()
    assert rows(daemon.lake) == dict.fromkeys(DATES, 2)

    broken.unlink()
    retail.land(daemon.lake, "2011-01-01.csv", sales_csv(2, "2011-01-01"))
    daemon.settle()
    assert rows(daemon.lake) == dict.fromkeys(DATES, 2) | {"2011-01-01": 2}


def sweep(daemon: Daemon, date: str) -> list[Any]:
    """Evaluate the daily sweep as of a day and return its run requests."""
    moment = datetime.fromisoformat(f"{date}T03:15:00").replace(tzinfo=UTC)
    schedule = daemon.definitions.resolve_schedule_def("daily_sweep")
    with dg.build_schedule_context(
        instance=daemon.instance, scheduled_execution_time=moment, resources=daemon.resources
    ) as context:
        return list(schedule.evaluate_tick(context).run_requests or [])


# --- silver and gold


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


@contextmanager
def once_read(module: Any, name: str, then: Callable[[], None]) -> Iterator[list[None]]:
    """Do something the first time that a step of a run has read its inputs and begins to compute."""
    original, done = getattr(module, name), list[None]()

    def step(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        if not done:
            done.append(None)
            then()
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, name, step)
        yield done


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


@pytest.mark.parametrize("again", ["good", "held"])
def test_a_version_that_comes_back_again_and_again_is_decided_each_time(daemon: Daemon, again: str) -> None:
    other = [*day(count=3), line(Quantity="1.5")] if again == "held" else day(count=4)
    for at in range(2 * ATTEMPTS + 2):
        retail.land(daemon.lake, "1.csv", sales_csv(other if at % 2 else day(count=3)))
        daemon.settle("landing_sensor")
        for request in daemon.requests("tables_sensor"):
            daemon.launch(request)
        [(landed, verdict)] = ask(daemon.lake, "SELECT landed, verdict FROM ops.accounting")
        expected = (4, "held" if again == "held" else "published") if at % 2 else (3, "published")
        assert (landed, verdict) == expected, f"version {at + 1}"


# --- what dies and what fails

_HANGS_WHILE_PUBLISHING = """
import pathlib, sys, time
from lakehouse_assets.publish import silver
marker = sys.argv.pop()
def hang(*_):
    pathlib.Path(marker).touch()
    time.sleep(600)
silver.compute = hang
from lakehouse_assets.cli.main import main
sys.argv = ["lakehouse", "run"]
main()
"""

_HANGS_BEFORE_ITS_FIRST_STEP = """
import json, pathlib, sys, time
import dagster as dg
from lakehouse_assets.orchestration import events
def hang(*_):
    pathlib.Path(sys.argv[1]).touch()
    time.sleep(600)
events.step = hang
from lakehouse_assets.definitions import defs
from lakehouse_assets.lake.lake import current
asked = json.loads(sys.argv[2])
with dg.DagsterInstance.from_config(str(current().settings.dagster_home)) as instance:
    defs.resolve_job_def("refresh").execute_in_process(
        instance=instance, run_config=asked["config"], tags=asked["tags"],
        asset_selection=[dg.AssetKey(key) for key in asked["assets"]],
    )
"""


@contextmanager
def killed(lake: Lake, script: str, marker: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a script on a lake until it has made its marker, then kill it; it is not yet reaped in the block."""
    environment = os.environ | {"LAKEHOUSE_ROOT": lake.settings.root, "DAGSTER_HOME": ""}
    command = [sys.executable, "-c", script, str(marker), *arguments]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while not marker.exists():
            assert process.poll() is None, "the process ended before it was killed"
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        while process_state(process.pid) != "Z":
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield process


def process_state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


def test_a_killed_run_is_closed_and_blocks_nothing(daemon: Daemon, tmp_path: Path) -> None:
    retail.land(daemon.lake, "1.csv", sales_csv(3))
    with killed(daemon.lake, _HANGS_WHILE_PUBLISHING, tmp_path / "hung"):
        [dead] = daemon.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
        assert dead.tags[WAVE_TAG] == "publish"

        [request] = daemon.requests("tables_sensor")

    assert asked_parts(request) == {"silver__sales": [retail.DAY]}
    closed = daemon.instance.get_run_by_id(dead.run_id)
    assert closed is not None
    assert closed.status == dg.DagsterRunStatus.FAILURE
    assert daemon.launch(request).success
    daemon.settle()
    assert rows(daemon.lake) == {retail.DAY: 3}


def test_a_run_of_a_living_process_is_not_closed(daemon: Daemon) -> None:
    retail.land(daemon.lake, "1.csv", sales_csv(3))
    states = []

    def look() -> None:
        daemon.tick("tables_sensor")
        states.append(
            [
                run.tags[WAVE_TAG]
                for run in daemon.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
            ]
        )

    with once_read(silver, "compute", look):
        results = daemon.settle()

    assert states == [["publish"]]
    assert all(result.success for result in results)


def test_a_launched_run_that_is_killed_before_its_first_step_blocks_nothing(
    daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    retail.land(daemon.lake, "1.csv", sales_csv(3))
    daemon.settle("landing_sensor")
    [request] = daemon.requests("tables_sensor")
    assets = [key.path for key in request.asset_selection or []]
    asked = {"config": request.run_config, "tags": request.tags, "assets": assets}
    with killed(daemon.lake, _HANGS_BEFORE_ITS_FIRST_STEP, tmp_path / "hung", json.dumps(asked)):
        pass
    [dead] = daemon.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
    assert dead.tags[WAVE_TAG] == "publish"
    assert daemon.requests("tables_sensor") == []  # it may be about to begin
    monkeypatch.setattr(instance, "_CLAIMED_WITHIN", timedelta())

    daemon.settle()

    assert rows(daemon.lake) == {retail.DAY: 3}


def test_failing_work_is_given_up_after_three_attempts_until_the_daily_sweep(daemon: Daemon) -> None:
    lake = daemon.lake
    retail.land(lake, "1.csv", sales_csv(3))
    daemon.settle("landing_sensor")
    obstacle = Path(lake.settings.root) / "quarantine"
    obstacle.write_text("a file where a folder should be")

    results = daemon.settle()

    assert [result.success for result in results] == [False] * ATTEMPTS
    assert f"publish failed {ATTEMPTS} times" in (daemon.tick("tables_sensor").skip_message or "")

    # The sweep of each day has as many attempts of its own.
    for date in ("2026-01-01", "2026-01-02"):
        for _ in range(ATTEMPTS):
            [request] = sweep(daemon, date)
            assert not daemon.launch(request).success
        assert sweep(daemon, date) == []
    obstacle.unlink()
    [request] = sweep(daemon, "2026-01-03")
    assert daemon.launch(request).success
    daemon.settle()
    assert rows(lake) == {retail.DAY: 3}


def test_other_inputs_free_work_that_was_given_up(daemon: Daemon) -> None:
    lake = daemon.lake
    retail.land(lake, "1.csv", sales_csv(3))
    daemon.settle("landing_sensor")
    obstacle = Path(lake.settings.root) / "quarantine"
    obstacle.touch()
    daemon.settle()
    obstacle.unlink()
    retail.land(lake, "2.csv", sales_csv(2, DATES[0]))

    daemon.settle()

    assert rows(lake) == {DATES[0]: 2, retail.DAY: 3}


def test_a_held_date_has_a_failed_gate_and_no_materialization(daemon: Daemon) -> None:
    bad = [*day(DATES[1], 3), line(InvoiceDate=f"{DATES[1]} 09:00:00", Quantity="1.5")]
    for date in (DATES[0], DATES[2]):
        retail.land(daemon.lake, f"{date}.csv", sales_csv(3, date))
    retail.land(daemon.lake, "bad.csv", sales_csv(bad))

    results = daemon.settle()

    events = events_of(daemon, results)
    assert events.gates == {DATES[0]: [True], DATES[1]: [False], DATES[2]: [True]}
    for table in ("silver/sales", *GOLD_BY_DATE):
        assert events.materialized[table] == [DATES[0], DATES[2]], table
    assert events.materialized["bronze/sales"] == list(DATES)
    assert events.materialized["quarantine/sales"] == [DATES[1]]
    assert [result.success for result in results].count(False) == 1
    assert rows(daemon.lake) == {DATES[0]: 3, DATES[2]: 3}
    # Held is decided, not failed: nobody tries it again.
    assert daemon.requests("tables_sensor") == []
    assert sweep(daemon, "2026-01-01") == []


# --- a person in the UI


def materialize(daemon: Daemon, start: str, end: str, *tables: str) -> Any:
    """Run what "Materialize" of a range in the UI launches: one run with the range in its tags."""
    return daemon.definitions.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=daemon.instance,
        tags={ASSET_PARTITION_RANGE_START_TAG: start, ASSET_PARTITION_RANGE_END_TAG: end},
        asset_selection=[dg.AssetKey(table.split("/")) for table in tables],
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        raise_on_error=False,
    )


def test_a_range_from_the_ui_is_computed_again_with_events_per_date(daemon: Daemon) -> None:
    for date in DATES:
        retail.land(daemon.lake, f"{date}.csv", sales_csv(3, date))
    daemon.settle()

    silver_run = materialize(daemon, "2011-02-01", "2011-12-31", "silver/sales")
    gold_run = materialize(daemon, "2010-12-01", "2011-03-31", "gold/daily_sales")

    assert silver_run.success
    assert gold_run.success
    events = events_of(daemon, [silver_run])
    assert events.materialized == {"silver/sales": [DATES[1], DATES[2]]}
    assert events.gates == {DATES[1]: [True], DATES[2]: [True]}
    assert events_of(daemon, [gold_run]).materialized == {"gold/daily_sales": [DATES[0], DATES[1]]}
    assert set(events_of(daemon, daemon.settle()).materialized) <= {"catalog/duckdb"}
    assert rows(daemon.lake) == dict.fromkeys(DATES, 3)


def test_a_range_from_the_ui_with_a_held_date_publishes_the_others(daemon: Daemon) -> None:
    bad = [*day(DATES[1], 3), line(InvoiceDate=f"{DATES[1]} 09:00:00", Quantity="1.5")]
    for date in (DATES[0], DATES[2]):
        retail.land(daemon.lake, f"{date}.csv", sales_csv(3, date))
    retail.land(daemon.lake, "bad.csv", sales_csv(bad))
    daemon.settle("landing_sensor")

    run = materialize(daemon, DATES[0], DATES[2], "silver/sales", "gold/daily_sales")

    assert not run.success
    events = events_of(daemon, [run])
    assert events.materialized == {"silver/sales": [DATES[0], DATES[2]], "quarantine/sales": [DATES[1]]}
    assert events.gates == {DATES[0]: [True], DATES[1]: [False], DATES[2]: [True]}
    daemon.settle()
    assert rows(daemon.lake) == {DATES[0]: 3, DATES[2]: 3}


def test_one_date_and_a_snapshot_from_the_ui_are_computed_again(daemon: Daemon) -> None:
    for date in DATES:
        retail.land(daemon.lake, f"{date}.csv", sales_csv(3, date))
    daemon.settle()

    job = daemon.definitions.resolve_implicit_global_asset_job_def()
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    one = job.execute_in_process(
        instance=daemon.instance,
        partition_key=DATES[1],
        asset_selection=[dg.AssetKey(["silver", "sales"])],
        run_config=quiet,
    )
    snapshot = job.execute_in_process(
        instance=daemon.instance, asset_selection=[dg.AssetKey(["gold", "product_performance"])], run_config=quiet
    )

    assert events_of(daemon, [one]).materialized == {"silver/sales": [DATES[1]]}
    assert events_of(daemon, [snapshot]).materialized == {"gold/product_performance": [None]}
