"""Many writers at once: the tables of one writer."""

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dagster as dg
import pytest

from lakehouse_assets.context import Lake, current
from lakehouse_assets.pipeline import silver
from lakehouse_assets.pipeline.pending import FeedState
from lakehouse_assets_tests import retail
from lakehouse_assets_tests.faults import scenario
from lakehouse_assets_tests.faults.conftest import EVERYTHING, ORDER, TIMEOUT, OneWriter, Prepared
from lakehouse_assets_tests.faults.reading import differences, tables_of, unsettled
from lakehouse_assets_tests.faults.scenario import march
from lakehouse_assets_tests.forked import Forked
from lakehouse_assets_tests.retail import sales

pytestmark = [pytest.mark.slow, pytest.mark.timeout(TIMEOUT)]


def at_once(lake: Lake, home: Path, count: int, **settings: str) -> list[subprocess.CompletedProcess[str]]:
    """Run `lakehouse run` in some processes at once."""
    env = scenario.environment(lake, home, **settings)
    return [process.finish() for process in [Forked("run", env=env) for _ in range(count)]]


def odd_runs(home: Path) -> list[str]:
    with dg.DagsterInstance.from_config(str(home)) as instance:
        return [f"{r.run_id} {r.status}" for r in instance.get_runs() if r.status is not dg.DagsterRunStatus.SUCCESS]


def test_eight_processes_on_one_landing_do_the_work_of_one(lake: Lake, by_one: OneWriter) -> None:
    # A fresh lake: they also race for creating every table and the Dagster instance.
    objects = scenario.first_landing() | scenario.filler(40 if EVERYTHING else 3)
    scenario.land_all(lake, objects)
    home = lake.settings.dagster_home

    done = at_once(lake, home, 8, LAKEHOUSE_INGEST_BATCH_BYTES="1")

    assert [process.returncode for process in done] == [0] * 8, "\n".join(p.stdout + p.stderr for p in done)
    assert differences(tables_of(lake, without=ORDER), by_one(objects)) == []
    assert unsettled(lake, home) == []
    assert odd_runs(home) == []


def test_three_processes_on_one_bucket_do_the_work_of_one(s3_lake: Lake, tmp_path: Path, by_one: OneWriter) -> None:
    objects = scenario.first_landing()
    scenario.land_all(s3_lake, objects)

    done = at_once(s3_lake, tmp_path / "home", 3)

    assert [process.returncode for process in done] == [0] * 3, "\n".join(p.stdout + p.stderr for p in done)
    assert differences(tables_of(s3_lake, without=ORDER), by_one(objects)) == []
    assert unsettled(s3_lake, tmp_path / "home") == []


def _publish_share() -> None:
    lake = current()
    list(silver.publish(lake, sales(lake), json.loads(os.environ["SHARE"]), "a run"))


@pytest.mark.parametrize("place", ["lake", "s3_lake"] if EVERYTHING else ["lake"])  # on S3: the test before
def test_shares_of_a_publishing_at_once_give_the_tables_of_one_writer(
    place: str, request: pytest.FixtureRequest, by_one: OneWriter
) -> None:
    lake: Lake = request.getfixturevalue(place)
    objects = scenario.first_landing()
    scenario.land_all(lake, objects)
    retail.ingest(lake)
    dates, env = FeedState.of(lake, sales(lake)).pending, scenario.environment(lake, LAKEHOUSE_PUBLISH_BATCH_ROWS="30")

    shares = [env | {"SHARE": json.dumps(dates[number::3])} for number in range(3)]
    done = [process.finish() for process in [Forked(env=share, program=_publish_share) for share in shares]]

    assert [process.returncode for process in done] == [0] * 3, "\n".join(p.stdout + p.stderr for p in done)
    assert FeedState.of(lake, sales(lake)).pending == []
    retail.run(lake)
    assert differences(tables_of(lake, without=ORDER), by_one(objects)) == []
    assert unsettled(lake) == []


def test_maintenance_meanwhile_changes_no_answer(prepared: Prepared, tmp_path: Path) -> None:
    lake = scenario.copy_of(prepared.lake, tmp_path)
    env = scenario.environment(lake)
    running = [Forked(verb, env=env) for verb in ("maintain", "run", "maintain", "run")]

    done = [process.finish() for process in running]

    assert [process.returncode for process in done[::2]] == [0, 0], "\n".join(p.stdout + p.stderr for p in done)
    assert not any("failed:" in p.stdout or "Traceback" in p.stderr for p in done), [p.stdout + p.stderr for p in done]
    found, wanted = (tables_of(each, without=ORDER) for each in (lake, prepared.undisturbed))
    assert differences(found, wanted) == []
    assert unsettled(lake, lake.settings.dagster_home) == []


def _dagster() -> None:
    from dagster._cli import main

    main()  # type: ignore[no-untyped-call]


def test_two_backfills_that_overlap_leave_the_tables_as_they_are(lake: Lake) -> None:
    scenario.land_all(lake, scenario.first_landing())
    env = scenario.environment(lake)
    assert scenario.lakehouse("run", env=env).returncode == 0
    before = tables_of(lake)

    def backfill(days: str) -> None:
        command = ("asset", "materialize", "-m", "lakehouse_assets.definitions", "--partition-range", days)
        for table in ("silver/sales", "gold/daily_sales"):
            home = {"DAGSTER_HOME": str(lake.settings.dagster_home)}
            done = Forked(*command, "--select", table, env=env | home, program=_dagster).finish()
            assert done.returncode == 0, done.stderr

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(backfill, [f"{march(1)}...{march(6)}", f"{march(3)}...{march(8)}"]))

    assert differences(tables_of(lake), before) == []
    assert unsettled(lake) == []
