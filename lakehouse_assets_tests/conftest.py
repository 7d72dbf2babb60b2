"""Fixtures that every test may ask for: a lake in a folder or on a real S3 server, and the command line on it."""

import gc
import io
import os
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from botocore.loaders import create_loader

from lakehouse_assets.cli.main import main
from lakehouse_assets.cli.process import LOOKS_FOR_GARBAGE
from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.registry import registry, registry_of
from lakehouse_assets.settings import Settings, settings
from lakehouse_assets.storage.stores import store_for
from lakehouse_assets_tests import aws_emulator as aws
from lakehouse_assets_tests import migrations, retries, steady_environ, unsynced
from lakehouse_assets_tests.forked import Forked
from lakehouse_assets_tests.prepared import Once
from lakehouse_assets_tests.s3_server import S3Server

TABLES = "lakehouse_assets_tests.sales_tables"
# Also for what is prepared once, before any test's own environment. A page takes a second after each publish.
TESTED = {"LAKEHOUSE_DEFINITIONS": TABLES, "LAKEHOUSE_REPORT": "false"}
os.environ.update(TESTED)

SHARED = Path(__file__).resolve().parents[2] / "shared"
REAL_DAYS = SHARED / "data" / "online_retail_by_day.tar.xz"
Cli = Callable[..., subprocess.CompletedProcess[str]]


class Said(NamedTuple):
    """What a command answered: exit code, standard output, standard error."""

    code: int
    out: str
    err: str


Lakehouse = Callable[..., Said]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave slow tests out of coverage unless they ask for it: tracing doubles their time."""
    for item in items:
        slow = item.get_closest_marker("slow")
        if slow and not slow.kwargs.get("covered"):
            item.add_marker("no_cover")


def pytest_collection_finish() -> None:
    """Take what was imported out of the garbage collection, and look for garbage as seldom as a command does.

    Else all of it is looked at, many times meanwhile and several times at the end.
    """
    gc.freeze()
    gc.set_threshold(*LOOKS_FOR_GARBAGE)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the settings or the cloud of the person who runs it."""
    for name in list(os.environ):
        if name.startswith(("LAKEHOUSE_", "AWS_", "DAGSTER_")):
            monkeypatch.delenv(name)
    for name, value in TESTED.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def every_table(_clean_environment: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The test is about the tables that this lake declares, all of them."""
    monkeypatch.delenv("LAKEHOUSE_DEFINITIONS")
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.fixture(scope="session", autouse=True)
def _steady_environ() -> Iterator[None]:
    """No native thread reads the variables while their list moves."""
    end = steady_environ.begin()
    yield
    end()


@pytest.fixture(scope="session", autouse=True)
def _quick_dagster() -> Iterator[None]:
    """No scripts read for each database, no waiting for the disk."""
    unsynced.begin()
    with pytest.MonkeyPatch.context() as patch:
        migrations.read_once(patch)
        yield
    unsynced.end()


@pytest.fixture(scope="session", autouse=True)
def _quick_boto() -> Iterator[None]:
    """No file of botocore is read twice: each emulated AWS begins a session of its own, which would read them all.

    Nor does it wait long before it asks again.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.session.create_loader", cache(create_loader))
        retries.at_once(patch)
        yield


def lake_at(root: str, **settings: object) -> Lake:
    """Return the lake at a root, with some settings other than the default."""
    chosen = Settings(root=root, **settings)  # type: ignore[arg-type]
    return Lake(store_for(chosen.root), chosen, registry())


def copied(lake: Lake, folder: Path) -> Lake:
    """Return a copy of a local lake, for a test to change: many tests begin with one that was prepared once."""
    shutil.copytree(lake.settings.root, folder)
    return lake_at(str(folder))


def uploaded(lake: Lake, target: Lake) -> Lake:
    """Return a lake in a bucket that is now a copy of a local one, but for what only a folder has.

    That is its Dagster instance, its catalog and hidden files. To the copy, each landed object is a new version.
    """
    root, only_there = Path(lake.settings.root), re.compile(r"(^|/)\.|^catalog\.")
    paths = [file.relative_to(root).as_posix() for file in root.rglob("*") if file.is_file()]
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(
                lambda path: target.store.create(path, (root / path).read_bytes()),
                [path for path in paths if not only_there.search(path)],
            )
        )
    return target


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A fresh lake in a local folder whose name has a space and an umlaut."""
    return lake_at(str(tmp_path / "lake ü"))


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Once:
    """Have something made for all workers of this session: `once(make)`."""
    base = tmp_path_factory.getbasetemp()
    shared = (base if worker_id == "master" else base.parent) / "prepared"
    shared.mkdir(exist_ok=True)
    return Once(shared)


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A real S3 server on this machine, with a bucket `lake`."""
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="session")
def aws_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[aws.AwsEmulator]:
    """AWS on this machine; each test takes buckets, queues and tables by names of its own."""
    if not aws.COMMAND.exists():
        pytest.skip("the AWS emulator is not installed: make .venv/aws-emulator")
    with aws.AwsEmulator(tmp_path_factory.mktemp("aws")) as emulator:
        yield emulator


@pytest.fixture
def s3_lake(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A fresh lake under a prefix of its own on the S3 server."""
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return lake_at(f"s3://{s3_server.bucket}/{uuid.uuid4().hex}")


def _environment(lake: Lake, tmp_path: Path) -> dict[str, str]:
    """Return what `lakehouse` takes from the environment to work on a lake, with a Dagster instance of the test's."""
    home = str(tmp_path / f"dagster-{lake.settings.root.rsplit('/', 1)[-1]}") if lake.settings.is_s3 else ""
    return {"LAKEHOUSE_ROOT": lake.settings.root, "DAGSTER_HOME": home, "COLUMNS": "200"}


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Run `lakehouse` in this process: `cli(lake, "run")`; text in, text out, exit code not checked.

    A start of its own costs seconds. Where the process is the point, use `cli_process`.
    """

    def run(lake: Lake, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = ["lakehouse", *map(str, arguments)]
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            for name, value in _environment(lake, tmp_path).items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", command)
            settings.cache_clear()
            with pytest.raises(SystemExit) as end:
                main()
        settings.cache_clear()
        return subprocess.CompletedProcess(command, int(end.value.code or 0), out.getvalue(), err.getvalue())

    return run


@pytest.fixture
def lakehouse(lake: Lake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Lakehouse]:
    """Run `lakehouse` in this process on the lake of the test: `lakehouse("query", sql)`.

    Not for verbs that run Dagster: its definitions belong to the lake that a process first imported them with.
    """
    monkeypatch.setenv("LAKEHOUSE_ROOT", lake.settings.root)
    monkeypatch.setenv("COLUMNS", "300")

    def call(*arguments: object) -> Said:
        settings.cache_clear()
        monkeypatch.setattr(sys, "argv", ["lakehouse", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        return Said(int(end.value.code or 0), *capsys.readouterr())

    yield call
    settings.cache_clear()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of an empty package that declares the lake: a module is written into it as a person would."""
    folder = tmp_path / "packages" / f"lake_{tmp_path.name.replace('-', '_')}"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(folder.parent))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # what is written twice in a second is read twice
    monkeypatch.setenv("LAKEHOUSE_DEFINITIONS", folder.name)
    yield folder
    registry_of.cache_clear()


@pytest.fixture
def cli_process(tmp_path: Path) -> Cli:
    """Run `lakehouse` in a process of its own, forked after the imports, otherwise as `cli` does."""

    def run(lake: Lake, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return Forked(*map(str, arguments), env=os.environ | _environment(lake, tmp_path)).finish(300)

    return run


@pytest.fixture(scope="session")
def real_days(once: Once) -> list[Path]:
    """The 305 daily files of Online Retail; skips where the data is not there."""
    if not REAL_DAYS.exists():
        pytest.skip(f"the real data is not at {REAL_DAYS}")
    return sorted(once(_real_days).rglob("*.csv"))


def _real_days(folder: Path) -> Path:
    subprocess.run(["tar", "xJf", str(REAL_DAYS), "-C", str(folder)], check=True)
    return folder
