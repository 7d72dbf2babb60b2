"""Temporary folders of killed processes are removed by the next one, and by nobody while their process lives."""

import fcntl
import gc
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.engines.duckdb_session import session
from lakehouse_assets.forgetting.history import forget_temporary
from lakehouse_assets.storage.temporary import TemporaryFolder, remove_abandoned

HOLDER = """
import sys, time
from lakehouse_assets.storage.temporary import TemporaryFolder
folder = TemporaryFolder()
(folder.path / "000000.parquet").write_text("secret")
(folder.path / "spilled").mkdir()
(folder.path / "spilled" / "part").write_text("secret")
print(folder.path, flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files, of this test's own."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def test_what_a_killed_process_left_goes_with_the_next_and_what_a_living_one_has_stays(temporary: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip())
        assert folder.parent == temporary
        first = TemporaryFolder()
        remove_abandoned()
        assert sorted(path.name for path in folder.iterdir()) == ["000000.parquet", "lock", "spilled"]
        process.send_signal(signal.SIGKILL)
    own = TemporaryFolder()
    assert sorted(temporary.iterdir()) == sorted([first.path, own.path])


@pytest.mark.slow(covered=True)
def test_it_goes_when_nobody_refers_to_it(temporary: Path) -> None:
    folder = TemporaryFolder()
    (folder.path / "x").write_text("x")
    del folder
    gc.collect()
    assert list(temporary.iterdir()) == []


def _abandoned(temporary: Path) -> Path:
    (folder := temporary / "lakehouse-dead").mkdir()
    (folder / "000000.parquet").write_text("secret")
    (folder / "lock").touch()
    return folder


def test_forgetting_removes_what_killed_processes_left(temporary: Path, lake: Lake) -> None:
    folder = _abandoned(temporary)
    forget_temporary(lake)
    assert not folder.exists()


def test_a_folder_that_another_process_removes_now_or_that_is_no_such_folder_stays(temporary: Path) -> None:
    folder = _abandoned(temporary)
    (other := temporary / "lakehouse-older").mkdir()
    with (folder / "lock").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        remove_abandoned()
        assert folder.exists()
    remove_abandoned()
    assert not folder.exists()
    assert other.exists()


def test_what_sql_puts_aside_lies_in_such_a_folder(temporary: Path) -> None:
    connection = session({})
    [(place,)] = connection.sql("SELECT current_setting('temp_directory')").fetchall()
    assert (Path(place).parent / "lock").exists()
    assert Path(place).parent.parent == temporary
