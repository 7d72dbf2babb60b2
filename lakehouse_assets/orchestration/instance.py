"""The Dagster instance of a lake: where it is, its first initialisation, and runs whose process is dead."""

import datetime as dt
import json
import os
import re
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import dagster as dg
import psutil
import yaml
from filelock import FileLock
from sqlalchemy.exc import DBAPIError

from lakehouse_assets.orchestration.events import PROCESS_TAG
from lakehouse_assets.settings import Settings
from lakehouse_assets.storage.stores import StorageError

_CLAIMED_WITHIN = dt.timedelta(minutes=1)
# The start of a process is told from the clock of now, which a time server moves a little while it lives.
_CLOCK_ADJUSTED_S = 2
_UNFINISHED = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.CANCELING,
]
_CONFIG = """\
# Instance of one lake, written once; edit it freely.
telemetry: {enabled: false}
nux: {enabled: false}
run_monitoring: {enabled: true, start_timeout_seconds: 180, poll_interval_seconds: 30}
run_coordinator:
  module: dagster.core.run_coordinator
  class: QueuedRunCoordinator
  config: {max_concurrent_runs: 4, dequeue_interval_seconds: 1}
event_log_storage:
  module: lakehouse_assets.orchestration.event_log
  class: KeptSqliteEventLogStorage
  config: {base_dir: "/history/runs"}
run_storage:
  module: lakehouse_assets.orchestration.run_storage
  class: KnownSqliteRunStorage
  config: {base_dir: "/history"}
schedule_storage:
  module: lakehouse_assets.orchestration.run_storage
  class: KnownSqliteScheduleStorage
  config: {base_dir: "/schedules"}
compute_logs:
  module: lakehouse_assets.orchestration.captured_output
  class: CapturedOutput
  config: {base_dir: "/storage"}
"""
_EVENTS = "/history/runs"
_OWN_FOLDER = re.compile(rf'base_dir: "(?:[^"]*({_EVENTS}|/history|/schedules|/storage))?"')
_EVENTS_AT_ONCE = "500"


def prepare_home(settings: Settings) -> Path:
    """Create the instance's folder, configuration and databases if need be, one process at a time.

    Two processes that migrate a fresh SQLite instance at once crash one another. A folder that cannot be written is
    that of an image: its configuration names storages elsewhere, which prepare themselves.
    """
    home = settings.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    if os.access(home, os.W_OK):
        _prepare(home)
    os.environ["DAGSTER_HOME"] = str(home)
    # What a run is about to do is then recorded in one go; one by one, that is a tenth of a small run.
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", _EVENTS_AT_ONCE)
    return home


def _prepare(home: Path) -> None:
    config = home / "dagster.yaml"
    with FileLock(home / ".initialise.lock"):
        before = config.read_text(encoding="utf-8") if config.exists() else _CONFIG
        # The folders of the storages are absolute: they follow a lake that was moved.
        after = _OWN_FOLDER.sub(lambda found: f"base_dir: {json.dumps(f'{home}{found[1] or _EVENTS}')}", before)
        if after != before:
            config.write_text(after, encoding="utf-8")
        if not (home / ".initialised").exists():
            with dg.DagsterInstance.from_config(str(home)) as instance:
                instance.get_runs_count()
                instance.event_log_storage.get_maximum_record_id()
                instance.all_instigator_state()
            (home / ".initialised").touch()


@contextmanager
def opened(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """Open the instance of a lake, prepared if need be.

    Raises:
        StorageError: Its files cannot be used, now or while the block runs.
    """
    try:
        home = prepare_home(settings)
        with dg.DagsterInstance.from_config(str(home)) as instance:
            yield instance
    except (DBAPIError, sqlite3.Error, OSError, yaml.YAMLError) as error:
        # Of the block's own files, such as a pipe that was closed, this says nothing.
        if isinstance(error, BrokenPipeError):
            raise
        why = " ".join(str(getattr(error, "orig", None) or error).split())
        msg = (
            f"{settings.dagster_home}: the Dagster instance cannot be used ({why}). What was committed to tables "
            "stands, the rest is still pending; check space, permissions and configuration there, then run again."
        )
        raise StorageError(msg) from error


def close_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark the unfinished runs of dead processes on this machine as failed; return their ids.

    A run killed by SIGKILL says nothing: without this it stays started for good.
    """
    closed = []
    for record in instance.get_run_records(dg.RunsFilter(statuses=_UNFINISHED)):
        run, tag = record.dagster_run, record.dagster_run.tags.get(PROCESS_TAG)
        if _may_live(record, tag) if tag else _may_yet_be_claimed(record):
            continue
        process = f"The process of this run ({tag}) is dead." if tag else "No process has claimed this run."
        instance.report_run_failed(run, f"{process} Its pending work is still pending.")
        closed.append(run.run_id)
    return closed


def _may_yet_be_claimed(record: dg.RunRecord) -> bool:
    """Return whether a run that no step has claimed may still come to its first one, a second after its start."""
    if record.dagster_run.status is dg.DagsterRunStatus.NOT_STARTED:  # nobody has launched it
        return True
    since = dt.datetime.now(dt.UTC).timestamp() - (record.start_time or dt.datetime.now(dt.UTC).timestamp())
    return since < _CLAIMED_WITHIN.total_seconds()


def _may_live(record: dg.RunRecord, tag: str) -> bool:
    host, pid, started = tag.rsplit(":", 2)
    if host != socket.gethostname():
        # What a process executes itself, it begins as soon as it has made it.
        is_begun = record.dagster_run.status is not dg.DagsterRunStatus.NOT_STARTED
        return is_begun or dt.datetime.now(dt.UTC) - record.create_timestamp < _CLAIMED_WITHIN
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(int(pid))
        is_same = abs(process.create_time() - float(started)) <= _CLOCK_ADJUSTED_S
        return is_same and process.status() != psutil.STATUS_ZOMBIE
    return False
