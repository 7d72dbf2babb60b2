"""`lakehouse dev` untouched: what the simulated retailer drops and emits reaches gold by itself.

Not here: its API, which `dev` asks every five minutes; see test_retailer.py."""

from pathlib import Path

import dagster as dg
import psutil
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.query import sql as answers
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.orchestration.dev_server import DevServer, wait_for
from lakehouse_assets_tests.orchestration.event_log import instance_of

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("every_table")]
ARRIVED = {
    "files": "SELECT count(*) FROM gold.daily_sales",
    "events": "SELECT count(*) FROM gold.funnel_daily",
}


def arrived(lake: Lake) -> bool:
    return all(answers.run(lake, sql).rows[0][0] for sql in ARRIVED.values())


def test_files_and_events_reach_gold_untouched(tmp_path: Path) -> None:
    root = str(tmp_path / "lake")
    with DevServer(root, tmp_path / "dev.log", simulation_speed="5") as server:
        [shop] = [
            one for one in psutil.Process(server.pid).children() if "lakehouse_assets.simulation" in one.cmdline()
        ]
        wait_for("files and events in gold", lambda: arrived(lake_at(root)), 400)
        server.interrupt()
        shop.wait(20)
    with instance_of(lake_at(root)) as instance:
        assert instance.get_runs_count()
        assert not instance.get_runs_count(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]))
