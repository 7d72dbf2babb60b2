"""An instance is scrubbed while others hold it open, lock it, write to it, or kill the scrub."""

import functools
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from lakehouse_assets.orchestration import scrubbed_database
from lakehouse_assets.orchestration.scrubbing import scrub
from lakehouse_assets_tests.orchestration.person_told import ODD, REDACT, ToldLake, redacting, shown, traces

pytestmark = [
    pytest.mark.slow,
    # Dagster follows a step's log with `tail`, and does not always wait for it to end.
    pytest.mark.filterwarnings("ignore:Exception ignored in.*Popen:pytest.PytestUnraisableExceptionWarning"),
]


@contextmanager
def holding(database: Path, *statements: str) -> Iterator[sqlite3.Connection]:
    """Hold a database as another process would."""
    with closing(sqlite3.connect(database, isolation_level=None, check_same_thread=False)) as other:
        for statement in statements:
            other.execute(statement).fetchone()
        yield other


@pytest.mark.parametrize("mode", ["WAL", "DELETE", "PERSIST", "TRUNCATE"])
def test_an_open_database_of_any_mode_is_scrubbed(told: ToldLake, mode: str) -> None:
    index = told.home / "history/runs/index.db"
    with holding(
        index, f"PRAGMA journal_mode = {mode}", "UPDATE asset_keys SET last_run_id = 'x'", "SELECT * FROM asset_keys"
    ):
        assert scrub(told.home, REDACT).unsearched == []
        assert traces(told.home) == []
    assert traces(told.home) == []


@pytest.mark.parametrize("lock", ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE", "BEGIN"])
def test_a_lock_of_a_second_is_waited_for(told: ToldLake, lock: str) -> None:
    index = told.home / "history/runs/index.db"
    with holding(index, lock, "SELECT * FROM asset_keys") as other:
        timer = threading.Timer(1, lambda: other.execute("COMMIT"))
        timer.start()
        assert scrub(told.home, REDACT).unsearched == []
        timer.join()
        assert traces(told.home) == []


@pytest.mark.parametrize("lock", ["BEGIN IMMEDIATE", "BEGIN"])
def test_a_lock_that_stays_is_told_and_the_rest_is_scrubbed(
    told: ToldLake, lock: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scrubbed_database, "_PATIENCE", 0.3)
    index = told.home / "history/runs/index.db"
    with holding(index, lock, "SELECT * FROM asset_keys"):
        [line] = scrub(told.home, REDACT).unsearched
        assert line.startswith(f"{index}: another process keeps it locked")
        assert {Path(path).name.removesuffix("-wal") for path in traces(told.home)} <= {"index.db"}
    assert scrub(told.home, REDACT).unsearched == []
    assert traces(told.home) == []


def test_a_damaged_database_is_told(told: ToldLake) -> None:
    index = told.home / "history/runs/index.db"
    index.write_bytes(index.read_bytes()[:4096] + b"\xff" * 200_000)
    [line] = scrub(told.home, REDACT).unsearched
    assert line.startswith(f"{index}: cannot be used (")
    [line] = scrub(told.home, REDACT, dry_run=True).unsearched
    assert line.startswith(f"{index}: cannot be used (")


def test_runs_go_on_while_the_instance_is_scrubbed(told: ToldLake) -> None:
    failures: list[BaseException] = []
    stop = threading.Event()

    def work() -> None:
        try:
            with told.instance() as instance:
                while not stop.is_set():
                    instance.add_dynamic_partitions("others", [str(time.monotonic_ns())])
                    told.decide()
        except BaseException as error:  # noqa: BLE001 - told by the test
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for _ in range(5):
            assert scrub(told.home, redacting(ODD)).unsearched == []
    finally:
        stop.set()
        thread.join()
    assert failures == []
    assert scrub(told.home, REDACT).unsearched == []
    assert traces(told.home) == []


_SCRUBS_AND_IS_KILLED = """
import functools, os, pathlib, signal, sqlite3, sys
from lakehouse_assets_tests.orchestration.person_told import REDACT
from lakehouse_assets.orchestration import scrubbing
def counted(original):
    def call(*args):
        global left
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*args)
    return call
class Database(sqlite3.Connection):
    execute = counted(sqlite3.Connection.execute)
for at, home in enumerate(sys.argv[1:]):
    left = 60 + 55 * at
    if child := os.fork():
        os.waitpid(child, 0)
    else:
        sqlite3.connect = functools.partial(sqlite3.connect, factory=Database)
        pathlib.Path.replace = counted(pathlib.Path.replace)
        scrubbing.scrub(pathlib.Path(home), REDACT)
        os._exit(0)
"""


def test_a_scrub_that_is_killed_at_any_moment_is_repeated(told: ToldLake, tmp_path: Path) -> None:
    whole, copies = shown(told), []
    for at in range(8):
        shutil.copytree(told.settings.root, tmp_path / f"copy{at}")
        copies.append(ToldLake(tmp_path / f"copy{at}"))
    command = [sys.executable, "-c", _SCRUBS_AND_IS_KILLED, *(str(copy.home) for copy in copies)]
    subprocess.run(command, cwd=Path(__file__).parents[2], check=True)
    left = [len(traces(copy.home)) for copy in copies]
    for copy in copies:
        done = scrub(copy.home, REDACT)
        assert (traces(copy.home), done.unsearched) == ([], [])
        assert len(shown(copy)["events"]) == len(whole["events"])
        assert list(copy.home.rglob("*.scrubbing")) == []
    assert len({some for some in left if some}) > 3, left


def test_after_an_interrupted_scrub_clean_databases_are_written_anew_too(
    told: ToldLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewritten: list[str] = []
    interruptions = iter([False, False, True])

    class Database(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            if sql == "VACUUM":
                rewritten.append(Path(super().execute("PRAGMA database_list").fetchone()[2]).name)
                if next(interruptions, False):
                    raise KeyboardInterrupt
            return super().execute(sql, *values)

    monkeypatch.setattr(sqlite3, "connect", functools.partial(sqlite3.connect, factory=Database))
    with pytest.raises(KeyboardInterrupt):
        scrub(told.home, REDACT)
    databases = {path.name for path in told.home.rglob("*.db")}
    assert scrub(told.home, REDACT).unsearched == []
    assert set(rewritten[3:]) == databases

    del rewritten[:]
    scrub(told.home, REDACT)
    assert set(rewritten) == {"index.db", "runs.db", "schedules.db"}
