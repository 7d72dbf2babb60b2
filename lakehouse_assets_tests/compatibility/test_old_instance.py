"""A Dagster instance that commit 1551d4f wrote is opened, searched and written on by the code of now.

`old_instance.tar.xz` is `.dagster` after `LAKEHOUSE_ROOT=... lakehouse demo --days 3` of that checkout, without
what the steps printed. All of its business dates are of November 2026.
"""

import tarfile
from pathlib import Path

import dagster as dg
import pytest

from lakehouse_assets.orchestration import instance_search
from lakehouse_assets.orchestration.instance import opened
from lakehouse_assets.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("every_table")]
RUNS, DAYS = 5, 3


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A lake with a copy of the old instance."""
    with tarfile.open(Path(__file__).with_name("old_instance.tar.xz")) as archive:
        archive.extractall(tmp_path, filter="data")
    return Settings(root=str(tmp_path))


@dg.job
def _nothing() -> None: ...


def test_its_runs_their_events_and_what_was_materialized_are_there(settings: Settings) -> None:
    with opened(settings) as instance:
        runs = instance.get_runs()
        assert [run.status for run in runs] == [dg.DagsterRunStatus.SUCCESS] * RUNS
        assert all(instance.all_logs(run.run_id) for run in runs)
        materialized = instance.get_materialized_partitions(dg.AssetKey(["gold", "daily_sales"]))
        assert len(materialized) == DAYS


def test_it_is_searched_and_goes_on(settings: Settings) -> None:
    assert instance_search.forget(settings, lambda _: False, dry_run=True) == instance_search.Searched()
    everything = instance_search.forget(settings, lambda text: "daily_sales" in text, dry_run=True)
    assert everything.runs
    with opened(settings) as instance:
        run = instance.create_run_for_job(_nothing)
        instance.report_engine_event("said", run)
        assert instance.get_records_for_run(run.run_id).records
        assert instance.get_runs_count() == RUNS + 1
