"""Launched runs of ingest: each goes on with the tables that it made pending, unless somebody else is to do it."""

import json
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.remote_origin import (
    InProcessCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, InstigatorType, SensorInstigatorData
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from lakehouse_assets.context import Lake
from lakehouse_assets.orchestration import follow_up, run_requests
from lakehouse_assets.orchestration.follow_up import FOLLOWS_TAG
from lakehouse_assets.orchestration.pending_runs import CATALOG, INGESTED, PUBLISH, WAVE_TAG
from lakehouse_assets.orchestration.run_requests import ATTEMPTS
from lakehouse_assets.orchestration.task_size import MEMORY_EXCEEDED_TAG, MEMORY_TAG
from lakehouse_assets.pipeline import silver
from lakehouse_assets_tests import retail
from lakehouse_assets_tests.orchestration.daemon import Daemon
from lakehouse_assets_tests.orchestration.event_log import known_versions
from lakehouse_assets_tests.orchestration.launched import launched
from lakehouse_assets_tests.orchestration.test_dead_and_failed_runs import killed
from lakehouse_assets_tests.orchestration.watched import DATES, GOLD_BY_DATE, once_read, rows
from lakehouse_assets_tests.retail import day, line, sales_csv

pytestmark = pytest.mark.slow

_HANGS_IN_THE_WAVE_AFTER = """
import json, pathlib, sys, time
import dagster as dg
from lakehouse_assets.context import current
from lakehouse_assets.pipeline import silver
from lakehouse_assets_tests.orchestration.launched import launched
def hang(*_):
    pathlib.Path(sys.argv[1]).touch()
    time.sleep(600)
silver.compute = hang
asked = json.loads(sys.argv[2])
request = dg.RunRequest(
    run_config=asked["config"], tags=asked["tags"], asset_selection=[dg.AssetKey(key) for key in asked["assets"]]
)
with dg.DagsterInstance.from_config(str(current().settings.dagster_home)) as instance:
    launched(instance, current().settings.root, request)
"""


def ingested(daemon: Daemon, **tags: str) -> dg.DagsterRun:
    """Have the sensor ask for what landed, and launch it."""
    [request] = daemon.requests("landing_sensor")
    return launched(daemon.instance, daemon.lake.settings.root, request, **tags)


def runs(daemon: Daemon) -> list[dg.DagsterRun]:
    return [record.dagster_run for record in daemon.instance.get_run_records(ascending=True)]


def waves(daemon: Daemon) -> list[tuple[str, bool]]:
    """Return the wave of each run, oldest first, and whether it succeeded."""
    return [(run.tags[WAVE_TAG], run.is_success) for run in runs(daemon)]


def test_an_ingest_goes_on_to_gold_and_tells_of_each_wave_as_a_run(daemon: Daemon) -> None:
    for date in DATES:
        retail.land(daemon.lake, f"{date}.csv", sales_csv(3, date))

    run = ingested(daemon, **{"ecs/task_arn": "arn:task", "ecs/cpu": "2048"})

    done = [(INGESTED, True), (PUBLISH, True), ("build-0", True), ("build-1", True), (CATALOG, True)]
    assert waves(daemon) == done
    events = known_versions(daemon.instance, [run.run_id for run in runs(daemon)])
    for table in ("bronze/sales", "silver/sales", *GOLD_BY_DATE):
        assert events.materialized[table] == list(DATES), table
    assert events.gates == {date: [True] for date in DATES}
    assert rows(daemon.lake) == dict.fromkeys(DATES, 3)
    following = runs(daemon)[1:]
    # By these tags the launcher sees that their task is gone, and `ops.costs` how large it was.
    assert {(r.tags[FOLLOWS_TAG], r.tags["ecs/task_arn"], r.tags["ecs/cpu"]) for r in following} == {
        (run.run_id, "arn:task", "2048")
    }
    told = [entry.user_message for entry in daemon.instance.all_logs(run.run_id, dg.DagsterEventType.ENGINE_EVENT)]
    assert "Goes on in this process with publish: silver.sales (3)." in told
    assert daemon.tick("tables_sensor").skip_message == "every table is up to date"
    assert daemon.tick("landing_sensor").skip_message == "landing holds nothing new"


def test_the_sensor_waits_for_what_follows_but_not_for_long(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    retail.land(daemon.lake, "1.csv", sales_csv(3))
    said = []

    def look() -> None:
        said.append(daemon.tick("tables_sensor").skip_message)
        monkeypatch.setattr(run_requests, "FOLLOWED_S", 0)
        said.append(daemon.tick("tables_sensor").skip_message)

    with once_read(silver, "compute", look):
        ingested(daemon)

    assert said == ["a run of ingest goes on with the tables", "a run of publish is under way"]
    assert rows(daemon.lake) == {retail.DAY: 3}


def test_what_lands_meanwhile_is_ingested_and_goes_to_gold_with_the_first(daemon: Daemon) -> None:
    retail.land(daemon.lake, "1.csv", sales_csv(3))

    def deliver_again() -> None:
        retail.land(daemon.lake, "2.csv", sales_csv(2, DATES[0]))
        ingested(daemon)

    with once_read(silver, "compute", deliver_again):
        ingested(daemon)

    assert all(run.is_success for run in runs(daemon))
    assert [wave for wave, _ in waves(daemon)].count(INGESTED) == 2
    events = known_versions(daemon.instance, [run.run_id for run in runs(daemon)])
    assert events.materialized["silver/sales"] == [retail.DAY, DATES[0]]  # each once, by one of the two
    assert rows(daemon.lake) == {DATES[0]: 2, retail.DAY: 3}
    assert daemon.tick("tables_sensor").skip_message == "every table is up to date"


def test_a_held_date_stops_itself_alone(daemon: Daemon) -> None:
    bad = [*day(DATES[1], 3), line(InvoiceDate=f"{DATES[1]} 09:00:00", Quantity="1.5")]
    retail.land(daemon.lake, "bad.csv", sales_csv(bad))
    retail.land(daemon.lake, "good.csv", sales_csv(3, DATES[0]))

    assert ingested(daemon).is_success

    assert waves(daemon)[:3] == [(INGESTED, True), (PUBLISH, False), ("build-0", True)]
    assert rows(daemon.lake) == {DATES[0]: 3}
    assert daemon.requests("tables_sensor") == []


def test_what_fails_is_tried_once_and_left_to_the_sensor(daemon: Daemon) -> None:
    retail.land(daemon.lake, "1.csv", sales_csv(3))
    obstacle = Path(daemon.lake.settings.root) / "quarantine"
    obstacle.write_text("a file where a folder should be")

    assert ingested(daemon).is_success
    assert waves(daemon) == [(INGESTED, True), (PUBLISH, False)]

    assert [result.success for result in daemon.settle()] == [False] * (ATTEMPTS - 1)
    obstacle.unlink()
    retail.land(daemon.lake, "2.csv", sales_csv(2, DATES[0]))
    ingested(daemon)
    assert rows(daemon.lake) == {DATES[0]: 2, retail.DAY: 3}


def test_work_that_needs_more_memory_than_the_task_has_is_left_to_the_sensor(daemon: Daemon) -> None:
    retail.land(daemon.lake, "1.csv", sales_csv(3))
    [request] = daemon.requests("landing_sensor")
    obstacle = Path(daemon.lake.settings.root) / "quarantine"
    obstacle.write_text("a file where a folder should be")
    launched(daemon.instance, daemon.lake.settings.root, request)
    daemon.instance.add_run_tags(runs(daemon)[-1].run_id, {MEMORY_EXCEEDED_TAG: "4096"})
    obstacle.unlink()

    launched(daemon.instance, daemon.lake.settings.root, request)
    assert waves(daemon) == [(INGESTED, True), (PUBLISH, False), (INGESTED, True)]

    launched(daemon.instance, daemon.lake.settings.root, request, **{MEMORY_TAG: "8192"})
    assert rows(daemon.lake) == {retail.DAY: 3}


def test_a_publishing_for_several_tasks_is_left_to_the_sensor(lake: Lake, daemon_of: Callable[..., Daemon]) -> None:
    daemon = daemon_of(lake, publish_tasks=2, publish_batch_rows=3)
    for date in DATES:
        retail.land(daemon.lake, f"{date}.csv", sales_csv(3, date))

    ingested(daemon)

    assert waves(daemon) == [(INGESTED, True)]
    assert [request.tags[WAVE_TAG] for request in daemon.requests("tables_sensor")] == [PUBLISH, f"{PUBLISH}-2"]


def test_an_error_between_two_waves_leaves_the_rest_to_the_sensor(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    retail.land(daemon.lake, "1.csv", sales_csv(3))

    def no_answer(*_: object) -> None:
        raise OSError("no answer")

    with monkeypatch.context() as patch:
        patch.setattr(follow_up, "table_work", no_answer)
        run = ingested(daemon)

    assert run.is_success
    told = [entry.user_message for entry in daemon.instance.all_logs(run.run_id, dg.DagsterEventType.ENGINE_EVENT)]
    assert "Cannot go on with its tables (OSError); a sensor asks for them." in told
    daemon.settle()
    assert rows(daemon.lake) == {retail.DAY: 3}


def test_who_ends_the_process_ends_what_would_follow(daemon: Daemon) -> None:
    retail.land(daemon.lake, "1.csv", sales_csv(3))

    def interrupt() -> None:
        raise KeyboardInterrupt

    with once_read(silver, "compute", interrupt):
        ingested(daemon)

    assert waves(daemon) == [(INGESTED, False), (PUBLISH, False)]
    daemon.settle()
    assert rows(daemon.lake) == {retail.DAY: 3}


def test_a_kill_between_two_waves_loses_nothing(daemon: Daemon, tmp_path: Path) -> None:
    retail.land(daemon.lake, "1.csv", sales_csv(3))
    [request] = daemon.requests("landing_sensor")
    assets = [key.path for key in request.asset_selection or []]
    asked = {"config": request.run_config, "tags": dict(request.tags), "assets": assets}
    with killed(daemon.lake, _HANGS_IN_THE_WAVE_AFTER, tmp_path / "hung", json.dumps(asked)):
        started = daemon.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
        assert {run.tags[WAVE_TAG] for run in started} == {INGESTED, PUBLISH}

        [again] = daemon.requests("tables_sensor")

    assert waves(daemon) == [(INGESTED, False), (PUBLISH, False)]
    assert daemon.launch(again).success
    daemon.settle()
    assert rows(daemon.lake) == {retail.DAY: 3}
    assert daemon.tick("landing_sensor").skip_message == "landing holds nothing new"


@pytest.mark.parametrize("how", ["by a person", "by the setting"])
def test_nothing_follows_where_the_sensor_of_tables_is_turned_off(
    lake: Lake, daemon_of: Callable[..., Daemon], how: str
) -> None:
    daemon = daemon_of(lake, automation="landing_sensor" if how == "by the setting" else "")
    if how == "by a person":
        daemon.instance.add_instigator_state(_turned_off("tables_sensor"))
    retail.land(daemon.lake, "1.csv", sales_csv(3))

    ingested(daemon)

    assert waves(daemon) == [(INGESTED, True)]


def _turned_off(sensor: str) -> InstigatorState:
    """Return what the UI stores of a sensor that a person has turned off."""
    location = InProcessCodeLocationOrigin(LoadableTargetOrigin(), location_name="lakehouse")
    origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(location, "__repository__"), sensor)
    return InstigatorState(origin, InstigatorType.SENSOR, InstigatorStatus.STOPPED, SensorInstigatorData())


def test_a_run_that_a_person_asks_for_is_followed_by_nothing(daemon: Daemon) -> None:
    retail.land(daemon.lake, "1.csv", sales_csv(3))
    [request] = daemon.requests("landing_sensor")
    by_hand = dg.RunRequest(asset_selection=request.asset_selection, run_config=request.run_config)

    launched(daemon.instance, daemon.lake.settings.root, by_hand)

    assert [run.tags.get(WAVE_TAG) for run in runs(daemon)] == [None]
