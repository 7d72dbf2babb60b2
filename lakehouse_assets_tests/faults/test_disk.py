"""A full disk, or one that refuses: a clear failure, the last good version readable, healed by the next run."""

import ctypes
import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.faults import scenario
from lakehouse_assets_tests.faults.conftest import EVERYTHING, TIMEOUT, Prepared
from lakehouse_assets_tests.faults.reading import clear_failure, differences, tables_of, torn, unsettled
from lakehouse_assets_tests.forked import Forked

pytestmark = [pytest.mark.slow, pytest.mark.timeout(TIMEOUT)]
_KIB = 1024
_DISK_MIB = 64
_CAPABILITY_VERSION_3, _OVERRIDES = 0x20080522, (1, 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={_DISK_MIB}m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def leave(disk: Path, free: int) -> Path:
    """Fill a disk but for some bytes; return the file that does it."""
    filler, left = disk / "filler", shutil.disk_usage(disk).free - free
    assert left > 0
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, left)
    return filler


def run(
    lake: Lake, home: Path | None = None, limit: Callable[[], None] | None = None
) -> subprocess.CompletedProcess[str]:
    return Forked("run", env=scenario.environment(lake, home), before=limit).finish()


def healed(lake: Lake, home: Path | None, prepared: Prepared) -> list[str]:
    """Run again without the fault; return what is not as if there had been none."""
    done = run(lake, home)
    bad = done.returncode not in {0, 1} or "Traceback" in done.stderr or "failed:" in done.stdout
    told = [f"the next run failed: {done.stdout[-500:]} {done.stderr[-500:]}"] if bad else []
    found = tables_of(lake)
    return told + differences(found, prepared.after) + unsettled(lake, home or lake.settings.dagster_home)


_FREE = [at * 20 * _KIB for at in (range(40) if EVERYTHING else (3,))]


@pytest.mark.parametrize("free", _FREE)
def test_a_full_disk_is_one_clear_failure_and_healed_by_space(
    free: int, disk: Path, prepared: Prepared, tmp_path: Path
) -> None:
    lake = scenario.copy_of(prepared.lake, disk)
    home = tmp_path / "home"
    shutil.move(lake.settings.dagster_home, home)
    filler = leave(disk, free)

    done = run(lake, home)

    now = tables_of(lake)
    if left := differences(now, prepared.after):
        assert not clear_failure(done), "\n".join([*clear_failure(done), *left])
    assert not torn(now, prepared.before, prepared.after)
    filler.unlink()
    told = healed(lake, home, prepared)
    assert not told, "\n".join(told)


def test_a_disk_too_full_for_the_dagster_instance_is_one_clear_failure(disk: Path, prepared: Prepared) -> None:
    lake = scenario.copy_of(prepared.lake, disk)
    filler = leave(disk, 0)

    done = run(lake)

    assert not clear_failure(done), "\n".join(clear_failure(done))
    assert not torn(tables_of(lake), prepared.before, prepared.after)
    filler.unlink()
    told = healed(lake, None, prepared)
    assert not told, "\n".join(told)


def test_landing_on_a_full_disk_says_so_and_leaves_landing_as_it_was(disk: Path, tmp_path: Path) -> None:
    lake = lake_at(str(disk / "lake"))
    scenario.land_all(lake, {"day.csv": b"old"})
    file = tmp_path / "day.csv"
    file.write_bytes(b"new" * 100 * _KIB)
    leave(disk, 20 * _KIB)

    done = scenario.lakehouse("land", "sales", str(file), env=scenario.environment(lake))

    assert done.returncode == 1
    assert done.stderr.startswith("lakehouse: ")
    assert "No space left on device. Nothing was written" in done.stderr
    assert done.stderr.count("\n") == 1
    assert [path.name for path in disk.joinpath("lake/landing/sales").iterdir()] == ["day.csv"]
    assert lake.store.read("landing/sales/day.csv") == b"old"


def small_files_only() -> None:
    """Let the process write no file larger than a few KB."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (3 * _KIB, resource.RLIM_INFINITY))


def test_files_that_may_not_grow_are_one_clear_failure(prepared: Prepared, tmp_path: Path) -> None:
    lake = scenario.copy_of(prepared.lake, tmp_path)

    done = run(lake, limit=small_files_only)

    assert not clear_failure(done), "\n".join(clear_failure(done))
    assert not torn(tables_of(lake), prepared.before, prepared.after)
    told = healed(lake, None, prepared)
    assert not told, "\n".join(told)


def modes_count() -> None:
    """Have file modes count for root too: give up the capabilities that override them."""
    if os.geteuid() == 0:
        libc, header, sets = ctypes.CDLL(None), (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0), (ctypes.c_uint32 * 6)()
        assert libc.capget(header, sets) == 0
        for kind in range(3):  # effective, permitted, inheritable
            for capability in _OVERRIDES:
                sets[kind] &= ~(1 << capability)
        assert libc.capset(header, sets) == 0


@dataclass(frozen=True)
class Locked:
    """Paths below the lake root that get another mode."""

    pattern: str
    mode: int


LOCKED = {
    "the root is read-only": Locked("", 0o555),
    "landing cannot be listed": Locked("landing/sales", 0o000),
    "one landed file cannot be read": Locked("landing/sales/locked.csv", 0o000),
    "the ledger is read-only": Locked("ops/ledger/_delta_log", 0o555),
    "the ledger cannot be read": Locked("ops/ledger/*/*.parquet", 0o000),
    "bronze is read-only": Locked("bronze/sales", 0o555),
    "bronze cannot be read": Locked("bronze/sales/dt=2011-03-01/*", 0o000),
    "quarantine is read-only": Locked("quarantine/sales/_delta_log", 0o555),
    "silver is read-only": Locked("silver/sales/_delta_log", 0o555),
    "silver cannot be read": Locked("silver/sales/_delta_log/*", 0o000),
    "gold is read-only": Locked("gold/*/_delta_log", 0o555),
    "the Dagster instance is read-only": Locked(".dagster/history/runs", 0o555),
    "the Dagster instance cannot be opened": Locked(".dagster/history/runs/index.db", 0o000),
}


# Of a lake each run meets the next; in full each has a lake of its own.
_SAMPLE = (
    "landing cannot be listed",
    "the ledger cannot be read",
    "quarantine is read-only",
    "bronze cannot be read",
    "the Dagster instance cannot be opened",
)


@pytest.mark.parametrize("names", [(name,) for name in LOCKED] if EVERYTHING else [_SAMPLE], ids=", then ".join)
def test_denied_permission_is_one_clear_failure_and_healed_by_granting_it(
    names: tuple[str, ...], prepared: Prepared, tmp_path: Path
) -> None:
    lake = scenario.copy_of(prepared.lake, tmp_path)
    has_alias = "one landed file cannot be read" in names
    if has_alias:  # the same content under a greater key: an alias, no more
        scenario.land_all(lake, {"locked.csv": scenario.second_landing()["day-02.csv"]})

    told = [f"{name}: {line}" for name in names for line in denied(lake, LOCKED[name], prepared)]

    told += healed(lake, None, prepared)
    # Some objects are seen before others then: that of the places which are not locked.
    is_seen_otherwise = has_alias or "bronze is read-only" in names
    told = [line for line in told if not (is_seen_otherwise and line.startswith("ops.ledger"))]
    assert not told, "\n".join(told)


def denied(lake: Lake, locked: Locked, prepared: Prepared) -> list[str]:
    """Run while something is locked; return what is not as it should be."""
    root = Path(lake.settings.root)
    paths = [path for path in root.glob(locked.pattern) if not path.is_symlink()] if locked.pattern else [root]
    assert paths, locked.pattern
    modes = {path: path.stat().st_mode for path in paths}
    for path in paths:
        path.chmod(locked.mode)
    try:
        done = run(lake, limit=modes_count)
    finally:
        for path, mode in modes.items():
            path.chmod(mode)
    return clear_failure(done) + torn(tables_of(lake), prepared.before, prepared.after, snapshots=False)
