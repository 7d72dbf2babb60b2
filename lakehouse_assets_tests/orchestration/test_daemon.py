"""The real daemon: a file dropped into landing reaches gold without a click; what the UI launches works by date."""

import datetime as dt
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from lakehouse_assets import defs
from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed, Model
from lakehouse_assets.orchestration.follow_up import FOLLOWS_TAG
from lakehouse_assets.orchestration.pending_runs import PUBLISH, WAVE_TAG
from lakehouse_assets.query import sql as answers
from lakehouse_assets_tests import sales_tables
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.orchestration.dev_server import DevServer, wait_for
from lakehouse_assets_tests.orchestration.event_log import instance_of, known_versions
from lakehouse_assets_tests.retail import day, line, sales_csv

pytestmark = pytest.mark.slow
# Every partition of a run is an event: with the default first date, "everything" is thousands of them.
START = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=100)
LAST = str(START + dt.timedelta(days=99))
DAYS = tuple(str(START + dt.timedelta(days=after)) for after in (3, 4, 40))
FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
GATE_STATUS = """
query($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode {
    assetChecksOrError { ... on AssetChecks { checks { name executionForLatestMaterialization { status } } } } } } }"""
BACKFILL = """
mutation($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    """`lakehouse dev` on a lake in which nothing has ever landed."""
    folder = tmp_path_factory.mktemp("dev")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder))
        definitions = _recent_only(folder)
        with DevServer(str(folder / "lake"), folder / "dev.log", definitions=definitions) as running:
            yield running


def _recent_only(folder: Path) -> str:
    """Write the declarations of sales anew, with a first date of their own; return the name of their package."""
    wanted = {table.name for table in vars(sales_tables).values() if isinstance(table, Feed | Model)}

    def others(at: str, names: list[str]) -> list[str]:
        return [name for name in names if Path(at).name in {"silver", "gold"} and Path(name).stem not in wanted]

    package = Path(shutil.copytree(Path(defs.__file__).parent, folder / "recent", ignore=others))
    for module in package.rglob("*.py"):
        text = module.read_text().replace(defs.__name__, package.name)
        first = f"start_date=__import__('datetime').date.fromisoformat('{START}')"
        module.write_text(text.replace("    business_date=", f"    {first},\n    business_date="))
    return package.name


@pytest.fixture
def served(server: DevServer) -> Lake:
    """The lake that the server serves."""
    return lake_at(server.root)


def drop(lake: Lake, folder: Path, name: str, data: bytes) -> None:
    """Copy a file into landing, as any program does."""
    source, landing = folder / name, Path(lake.settings.root) / "landing/sales"
    source.write_bytes(data)
    landing.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, landing)


def gold(lake: Lake) -> dict[str, int]:
    return dict(answers.run(lake, "SELECT dt::VARCHAR, sum(lines)::BIGINT FROM gold.daily_sales GROUP BY dt").rows)


def runs_since(lake: Lake, before: int) -> list[dg.DagsterRun]:
    with instance_of(lake) as instance:
        return [record.dagster_run for record in instance.get_run_records(ascending=True)][before:]


def have_days(lake: Lake, folder: Path) -> dict[str, int]:
    """Have some lines of each day in gold, those that other tests left or three; return how many."""
    there = gold(lake)
    for date in DAYS:
        if date not in there:
            drop(lake, folder, f"{date}.csv", sales_csv(3, date))
    wait_for(f"gold.daily_sales of {DAYS}", lambda: gold(lake).keys() == {*DAYS}, 240)
    return gold(lake)


def test_a_file_dropped_into_landing_shows_in_gold_without_a_click(
    served: Lake, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begun = time.monotonic()
    assert have_days(served, tmp_path) == dict.fromkeys(DAYS, 3)
    taken = time.monotonic() - begun
    published = [run for run in runs_since(served, 0) if run.tags.get(WAVE_TAG) == PUBLISH]
    assert any(FOLLOWS_TAG in run.tags for run in published), "the process that ingested did not publish"

    with capsys.disabled():
        print(f"\nfrom landing to gold.daily_sales, under `lakehouse dev`: {taken:.1f} s")  # noqa: T201 - a measurement


def test_a_held_date_is_red_in_the_ui_and_is_released_by_good_data(
    server: DevServer, served: Lake, tmp_path: Path
) -> None:
    there = have_days(served, tmp_path)
    before = len(runs_since(served, 0))
    bad = [*day(DAYS[0], 3), line(InvoiceDate=f"{DAYS[0]} 09:00:00", Quantity="1.5")]
    drop(served, tmp_path, f"{DAYS[0]}.csv", sales_csv(bad))
    wait_for("a failed run", lambda: [r for r in runs_since(served, before) if r.is_failure], 240)
    assert gate_in_the_ui(server) == "FAILED"
    assert gold(served) == there

    drop(served, tmp_path, f"{DAYS[0]}.csv", sales_csv(4, DAYS[0]))
    wait_for("the good data in gold", lambda: gold(served)[DAYS[0]] == 4, 240)
    assert gate_in_the_ui(server) == "SUCCEEDED"


def gate_in_the_ui(server: DevServer) -> str:
    node = server.graphql(GATE_STATUS, key={"path": ["silver", "sales"]})["assetNodeOrError"]
    [gate] = [check for check in node["assetChecksOrError"]["checks"] if check["name"] == "gate"]
    return str(gate["executionForLatestMaterialization"]["status"])


def test_materialize_in_the_ui_is_one_run_with_events_per_date(server: DevServer, served: Lake, tmp_path: Path) -> None:
    have_days(served, tmp_path)
    silver = {"path": ["silver", "sales"]}
    dates = {"range": {"start": DAYS[1], "end": LAST}}
    everything: dict[str, Any] = {"assetSelection": [silver], "allPartitions": True}
    a_range: dict[str, Any] = {"partitionsByAssets": [{"assetKey": silver, "partitions": dates}]}
    # Both at once: the daemon looks for backfills every half a minute.
    wanted = [(launched(server, asked), expected) for asked, expected in ((a_range, DAYS[1:]), (everything, DAYS))]
    for backfill, expected in wanted:
        by_hand = wait_for("its run", lambda backfill=backfill: backfilled(served, backfill), 180)  # type: ignore[misc]

        assert [run.status for run in by_hand] == [dg.DagsterRunStatus.SUCCESS]
        with instance_of(served) as instance:
            events = known_versions(instance, [run.run_id for run in by_hand])
        assert events.materialized == {"silver/sales": list(expected)}
        assert events.gates == {date: [True] for date in expected}


def launched(server: DevServer, asked: dict[str, Any]) -> str:
    """Launch a backfill as the UI does; return its id."""
    params = {**asked, "tags": [], "title": "by hand"}
    answer = server.graphql(BACKFILL, params=params)["launchPartitionBackfill"]
    assert answer["__typename"] == "LaunchBackfillSuccess", answer
    return str(answer["backfillId"])


def backfilled(lake: Lake, backfill: str) -> list[dg.DagsterRun]:
    runs = [run for run in runs_since(lake, 0) if run.tags.get("dagster/backfill") == backfill]
    return runs if runs and all(run.status in FINISHED for run in runs) else []
