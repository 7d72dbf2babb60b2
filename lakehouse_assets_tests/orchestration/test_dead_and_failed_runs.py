"""Real ticks after a kill or a failure: nothing is blocked, nothing is tried for ever."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.orchestration import instance
from lakehouse_assets.orchestration.pending_runs import WAVE_TAG
from lakehouse_assets.orchestration.run_requests import ATTEMPTS
from lakehouse_assets.pipeline import silver
from lakehouse_assets_tests import retail
from lakehouse_assets_tests.orchestration.daemon import Daemon
from lakehouse_assets_tests.orchestration.watched import (
    DATES,
    GOLD_BY_DATE,
    asked_parts,
    events_of,
    once_read,
    rows,
    sweep,
)
from lakehouse_assets_tests.retail import day, line, sales_csv

pytestmark = pytest.mark.slow


_HANGS_WHILE_PUBLISHING = """
import pathlib, sys, time
from lakehouse_assets.pipeline import silver
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
from lakehouse_assets.context import current
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
    assert f"silver.sales failed {ATTEMPTS} times" in (daemon.tick("tables_sensor").skip_message or "")

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
