"""The image's processes on Postgres and S3: each is killed while a backfill is under way, and nothing is lost.

`FAULTS=all`: 300 dates and each process killed three times, instead of 12 and once.
"""

import datetime as dt
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.query import sql as answers
from lakehouse_assets_tests.deploy.image import Installed
from lakehouse_assets_tests.deploy.processes import PROCESSES, Processes
from lakehouse_assets_tests.orchestration.postgres import Postgres
from lakehouse_assets_tests.retail import sales_csv
from lakehouse_assets_tests.s3_server import S3Server

pytestmark = pytest.mark.slow
EVERYTHING = os.environ.get("FAULTS") == "all"
DATES = [str(dt.date(2024, 1, 1) + dt.timedelta(days=after)) for after in range(300 if EVERYTHING else 12)]
STEPS_UNDER_WAY = """
SELECT DISTINCT run_id FROM event_logs JOIN runs USING (run_id)
WHERE status = 'STARTED' AND dagster_event_type = 'STEP_START'"""
KILLED = ("code", "postgres", "daemon", "web") * (3 if EVERYTHING else 1)
PART = len(DATES) // len(KILLED) if EVERYTHING else len(DATES)
"""How many dates land before each kill: with few dates, the runs that the first ones lead to are enough."""
BACKFILL = """
mutation($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""


@pytest.fixture
def processes(tmp_path: Path, installed: Installed, s3_server: S3Server, s3_lake: Lake) -> Iterator[Processes]:
    """All processes, on a Postgres of their own."""
    with (
        Postgres.started() as postgres,
        Processes(tmp_path, installed, postgres, s3_server, s3_lake.settings.root).all_started() as started,
    ):
        yield started


@pytest.mark.timeout(3_600 if EVERYTHING else 600)
def test_each_process_is_killed_during_a_backfill_and_nothing_is_lost(processes: Processes, s3_lake: Lake) -> None:
    begun = time.monotonic()
    hit: set[str] = set()

    def newly_hit() -> set[str]:
        found = {run for (run,) in processes.asked(STEPS_UNDER_WAY)} - hit
        hit.update(found)
        return found

    for at, name in enumerate(KILLED):
        for date in DATES[at * PART : (at + 1) * PART]:
            s3_lake.store.replace(f"landing/sales/{date}.csv", sales_csv(3, date))
        processes.wait_for(f"another step, for {name} to be killed in", newly_hit)
        processes.kill(name)
        processes.start(name)

    wanted = dict.fromkeys(DATES, 3)
    processes.wait_for("the runs", lambda: not processes.under_way())
    processes.wait_for("all in gold", lambda: gold(s3_lake) == wanted, 600)
    processes.wait_for("the end of every run", lambda: not processes.under_way())

    if EVERYTHING:
        compute_again(processes)
    assert gold(s3_lake) == wanted
    code, said = processes.said("lakehouse", "verify")
    assert (code, said.split()) == (0, ["disagreements:", "none"]), said
    # The one that was killed last may still be starting.
    processes.wait_for("every process at work", lambda: all(processes.works(name) for name in PROCESSES))
    processes.wait_for("the end of the run that makes the page", lambda: not processes.under_way())
    print(f"{len(DATES)} dates, {len(KILLED)} kills: {time.monotonic() - begun:.0f} s")  # noqa: T201 - a measurement


def gold(lake: Lake) -> dict[str, int]:
    with suppress(Exception):
        return dict(answers.run(lake, "SELECT dt::VARCHAR, sum(lines)::BIGINT FROM gold.daily_sales GROUP BY dt").rows)
    return {}


def compute_again(processes: Processes) -> None:
    """Have the web server launch a backfill of all dates, as "Materialize" in the UI does."""
    processes.wait_for("the web server", lambda: processes.works("web"))
    silver = {"path": ["silver", "sales"]}
    dates = {"range": {"start": DATES[0], "end": DATES[-1]}}
    asked = {"partitionsByAssets": [{"assetKey": silver, "partitions": dates}], "tags": [], "title": "by hand"}
    launched = processes.graphql(BACKFILL, params=asked)["launchPartitionBackfill"]
    processes.wait_for(
        "the backfill",
        lambda: processes.asked(
            f"SELECT 1 FROM bulk_actions WHERE key = '{launched['backfillId']}' AND status = 'COMPLETED_SUCCESS'"  # noqa: S608
        ),
    )
