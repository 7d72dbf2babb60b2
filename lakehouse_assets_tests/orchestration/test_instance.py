"""The Dagster instance of a lake: what is done to open one, and that it follows a lake that was moved."""

import re
from datetime import timedelta
from pathlib import Path

import dagster as dg
import psutil
import pytest
from alembic.script import ScriptDirectory

from lakehouse_assets.orchestration.events import PROCESS_TAG, this_process
from lakehouse_assets.orchestration.instance import close_dead_runs, opened, prepare_home
from lakehouse_assets.orchestration.run_storage import is_prepared
from lakehouse_assets.settings import Settings
from lakehouse_assets.storage.stores import StorageError


def test_an_instance_that_is_prepared_is_opened_without_a_look_at_dagster_s_migrations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(root=str(tmp_path))
    with opened(settings) as instance:  # with one run, which leaves an empty database to copy for the next one
        instance.report_engine_event("said", instance.create_run_for_job(_nothing))
    looks: list[object] = []
    monkeypatch.setattr(ScriptDirectory, "from_config", looks.append)
    with opened(settings) as instance:
        run = instance.create_run_for_job(_nothing)
        instance.report_engine_event("said", run)
        assert instance.get_records_for_run(run.run_id).records
        assert instance.all_instigator_state() == []
    assert not looks


def test_a_damaged_configuration_is_told_with_its_place(tmp_path: Path) -> None:
    home = prepare_home(settings := Settings(root=str(tmp_path)))
    (home / "dagster.yaml").write_text(": : [")
    with pytest.raises(
        StorageError, match=r"cannot be used \(.*dagster\.yaml\", line 1.* check space, .* then run again"
    ):
        opened(settings).__enter__()


@dg.job
def _nothing() -> None: ...


def test_a_database_that_is_not_dagster_s_yet_is_not_prepared(tmp_path: Path) -> None:
    assert not is_prepared(tmp_path / "runs.db")
    (tmp_path / "runs.db").touch()
    assert not is_prepared(tmp_path / "runs.db")


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize("known", ["", "/elsewhere/.dagster/history/runs"])
def test_the_configuration_of_an_older_lake_is_kept_and_follows_the_lake(tmp_path: Path, known: str) -> None:
    settings = Settings(root=str(tmp_path))
    home = settings.dagster_home
    home.mkdir()
    older = f"""\
telemetry: {{enabled: false}}
event_log_storage:
  module: lakehouse_assets.orchestration.event_log
  class: KeptSqliteEventLogStorage
  config: {{base_dir: "{known}"}}
"""
    (home / "dagster.yaml").write_text(older)
    with opened(settings) as instance:
        assert instance.get_runs_count() == 0
    assert (home / "dagster.yaml").read_text() == older.replace(f'"{known}"', f'"{home}/history/runs"')


def test_every_storage_follows_a_lake_that_was_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare_home(Settings(root=str(tmp_path / "before")))
    monkeypatch.delenv("DAGSTER_HOME")
    (tmp_path / "before").rename(tmp_path / "after")
    settings = Settings(root=str(tmp_path / "after"))
    with opened(settings) as instance:
        assert instance.get_runs_count() == 0
    assert settings.dagster_home == tmp_path / "after" / ".dagster"
    folders = re.findall('base_dir: "(.*)"', (settings.dagster_home / "dagster.yaml").read_text())
    below = ("history/runs", "history", "schedules", "storage")
    assert folders == [str(settings.dagster_home / name) for name in below]
    assert not (tmp_path / "before").exists()


@pytest.mark.parametrize(("moved_s", "is_closed"), [(1, False), (-1, False), (60, True)])
def test_a_run_of_a_living_process_stays_open_when_the_clock_is_adjusted(
    moved_s: int, *, is_closed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = psutil.Process().create_time()
    with dg.DagsterInstance.ephemeral() as instance:
        instance.create_run_for_job(_nothing, tags={PROCESS_TAG: this_process()})
        monkeypatch.setattr(psutil.Process, "create_time", lambda _: began + moved_s)
        assert bool(close_dead_runs(instance)) == is_closed


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize(
    ("status", "within", "is_closed"),
    [
        (dg.DagsterRunStatus.NOT_STARTED, timedelta(), True),
        (dg.DagsterRunStatus.NOT_STARTED, timedelta(minutes=1), False),
        (dg.DagsterRunStatus.STARTED, timedelta(), False),
    ],
)
def test_a_run_that_another_machine_made_and_did_not_begin_is_closed_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: dg.DagsterRunStatus, within: timedelta, *, is_closed: bool
) -> None:
    monkeypatch.setattr("lakehouse_assets.orchestration.instance._CLAIMED_WITHIN", within)
    with opened(Settings(root=str(tmp_path))) as instance:
        instance.create_run_for_job(_nothing, status=status, tags={PROCESS_TAG: "elsewhere:1:2.00"})
        assert bool(close_dead_runs(instance)) == is_closed
