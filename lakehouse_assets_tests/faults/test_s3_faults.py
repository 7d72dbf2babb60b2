"""A bucket on a bad day: kills at any write, refusals, cut connections. Healed, or a clear failure and healed later."""

import itertools
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.faults import scenario
from lakehouse_assets_tests.faults.conftest import EVERYTHING, TIMEOUT, Tell
from lakehouse_assets_tests.faults.proxy import Cut, Delay, Fault, FaultyProxy, Kill, Plan, Refuse, Request, no_faults
from lakehouse_assets_tests.faults.reading import Tables, clear_failure, differences, tables_of, torn, unsettled
from lakehouse_assets_tests.forked import Forked
from lakehouse_assets_tests.s3_server import S3Server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(TIMEOUT)]


@dataclass(frozen=True)
class Prepared:
    """A lake in a bucket about to be run, its Dagster instance, what its readers see before and after, its writes."""

    lake: Lake
    home: Path
    before: Tables
    after: Tables
    writes: list[str]


@pytest.fixture(scope="module")
def proxy(s3_server: S3Server) -> Iterator[FaultyProxy]:
    with FaultyProxy(s3_server.port) as running:
        yield running


@pytest.fixture(autouse=True)
def _aws(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests read past the proxy."""
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def prepared(s3_server: S3Server, proxy: FaultyProxy, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    folder = tmp_path_factory.mktemp("s3-faults")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in s3_server.environment.items():
            patch.setenv(name, value)
        base = lake_at(f"s3://lake/{folder.name}")  # prepared once more where a worker gets tests of another
        scenario.land_all(base, scenario.first_landing())
        assert run(base, folder / "base", proxy).returncode == 0
        before = tables_of(base)
        scenario.land_all(base, scenario.second_landing())
        undisturbed = copy_of(s3_server, base, folder / "base", folder / "undisturbed")
        proxy.follow(no_faults)
        assert run(undisturbed, folder / "undisturbed", proxy).returncode == 1, "it holds and rejects"
        return Prepared(base, folder / "base", before, tables_of(undisturbed), proxy.writes)


_COPIES = itertools.count(1)


def copy_of(server: S3Server, base: Lake, home: Path, new_home: Path) -> Lake:
    """Copy a lake within its bucket, objects keeping their ETags, and its Dagster instance."""
    client = server.client()
    old = base.settings.root.rpartition("/")[2]
    new = f"{old}-{next(_COPIES)}"
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=server.bucket, Prefix=f"{old}/")
    keys = [found["Key"] for page in pages for found in page["Contents"]]

    def copy(key: str) -> Any:
        source = {"Bucket": server.bucket, "Key": key}
        return client.copy_object(Bucket=server.bucket, Key=key.replace(old, new, 1), CopySource=source)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(copy, keys))
    if home.exists():
        shutil.copytree(home, new_home)
    return lake_at(f"s3://{server.bucket}/{new}")


def run(lake: Lake, home: Path, proxy: FaultyProxy, timeout: float = 240) -> subprocess.CompletedProcess[str]:
    """Run `lakehouse run` through the proxy, which may kill it."""
    env = scenario.environment(lake, home, AWS_ENDPOINT_URL=f"http://127.0.0.1:{proxy.port}")
    process = Forked("run", env=env)
    proxy.victim = process.pid
    return process.finish(timeout)


def healed(lake: Lake, home: Path, prepared: Prepared, proxy: FaultyProxy) -> list[str]:
    """Run again without faults; return what is not as if there had been none."""
    proxy.follow(no_faults)
    done = run(lake, home, proxy)
    bad = done.returncode not in {0, 1} or "Traceback" in done.stderr or "failed:" in done.stdout
    told = [f"the next run failed: {done.stdout[-500:]} {done.stderr[-500:]}"] if bad else []
    return told + differences(tables_of(lake), prepared.after) + unsettled(lake, home)


def commit(request: Request) -> bool:
    return request.write > 0 and "/_delta_log/" in request.key


def every(count: int, fault: Fault, where: Callable[[Request], bool] = lambda _: True, burst: int = 1) -> Plan:
    """Return a plan that does something to a burst of requests out of so many that match."""
    known_versions = itertools.count()
    return lambda request: fault if where(request) and next(known_versions) % count < burst else None


def first_of_each_table(fault: Fault, where: Callable[[Request], bool]) -> Plan:
    """Return a plan that does something to the first request of each table that matches."""
    known_versions: set[str] = set()

    def plan(request: Request) -> Fault:
        table = request.key.split("/_delta_log")[0]
        if not where(request) or table in known_versions:
            return None
        known_versions.add(table)
        return fault

    return plan


def first_of(*plans: Plan) -> Plan:
    """Return a plan that does what the first of some plans that does anything does."""
    return lambda request: next((fault for plan in plans if (fault := plan(request)) is not None), None)


BAD_DAYS: dict[str, Callable[[], Plan]] = {
    "503 in bursts, and slow": lambda: first_of(every(150, Refuse(503), burst=4), every(80, Delay(0.2))),
    "500 to commits": lambda: first_of_each_table(Refuse(500), commit),
    "writes cut half-way": lambda: every(6, Cut.REQUEST, lambda request: request.method == "PUT"),
    "commits done, answers lost": lambda: first_of_each_table(Cut.ANSWER, commit),
    "reads cut half-way": lambda: every(70, Cut.RESPONSE, lambda request: request.method == "GET"),
}


BROKEN: dict[str, Callable[[Request], bool]] = {
    "landing cannot be read": lambda request: "/landing/" in request.key and request.method == "GET",
    "the ledger cannot be read": lambda request: "/ops/ledger/" in request.key,
    "nothing can be listed": lambda request: request.method == "GET" and not request.key,
    "bronze cannot be written": lambda request: "/bronze/" in request.key and request.write > 0,
    "bronze cannot be read": lambda request: "/bronze/" in request.key and request.method == "GET",
    "silver cannot be committed": lambda request: "/silver/" in request.key and commit(request),
    "gold cannot be written": lambda request: "/gold/" in request.key and request.write > 0,
}


class End(Enum):
    """How a run that meets a trouble ends."""

    KILLED = auto()
    FAILED = auto()
    ANY = auto()
    """Healed by what was tried again, or failed."""


@dataclass(frozen=True)
class Trouble:
    """What a run meets, given what an undisturbed one writes, and how it ends."""

    plan: Callable[[list[str]], Plan]
    end: End


def day(plan: Callable[[], Plan]) -> Trouble:
    return Trouble(lambda _: plan(), End.ANY)


def refused(where: Callable[[Request], bool]) -> Trouble:
    return Trouble(lambda _: lambda request: Refuse(403) if where(request) else None, End.FAILED)


def killed_at(number: int, moment: Kill) -> Trouble:
    return Trouble(lambda _: lambda request: moment if request.write == number else None, End.KILLED)


def killed_at_the_last(kind: str, moment: Kill) -> Trouble:
    """Return the death of a run at the last write of a kind, where most is at stake."""

    def plan(writes: list[str]) -> Plan:
        number, last = itertools.count(1), sum(kind in write for write in writes)
        return lambda request: moment if request.write and kind in request.key and next(number) == last else None

    return Trouble(plan, End.KILLED)


TROUBLES = {
    "killed, files of a commit of the ledger are there": killed_at_the_last("ops/ledger/_delta_log", Kill.BEFORE),
    "killed, some files of a commit of silver are there": killed_at_the_last("silver/sales/dt=", Kill.AFTER),
    **{name: day(plan) for name, plan in BAD_DAYS.items()},
    **{name: refused(where) for name, where in BROKEN.items()},
}
# Each run of a lake meets the next trouble; in full each trouble has a lake of its own. Of each place where it can
# happen, one: a request, an answer. A body that is sent is cut in test_every_feed_at_once.
_SAMPLE = ("landing cannot be read", "the ledger cannot be read", "commits done, answers lost")
_KILLS = (
    "killed, files of a commit of the ledger are there",
    "silver cannot be committed",
    "killed, some files of a commit of silver are there",
    "503 in bursts, and slow",
)


@pytest.mark.parametrize("names", [(name,) for name in TROUBLES] if EVERYTHING else [_SAMPLE], ids=", then ".join)
def test_the_last_good_version_stands_through_trouble_and_all_is_healed(
    names: tuple[str, ...], s3_server: S3Server, prepared: Prepared, proxy: FaultyProxy, tmp_path: Path
) -> None:
    told = lived_through({name: TROUBLES[name] for name in names}, s3_server, prepared, proxy, tmp_path / "home")
    assert not told, "\n".join(told)


def test_a_run_killed_at_a_write_loses_and_doubles_nothing(
    s3_server: S3Server, prepared: Prepared, proxy: FaultyProxy, tmp_path: Path, tell: Tell
) -> None:
    points = {
        f"{moment.name} write {number}, {write}": killed_at(number, moment)
        for number, write in enumerate(prepared.writes, 1)
        for moment in Kill
    }
    stories = [{name: kill} for name, kill in points.items()] if EVERYTHING else [{n: TROUBLES[n] for n in _KILLS}]
    told = []
    for number, story in enumerate(stories):
        told += lived_through(story, s3_server, prepared, proxy, tmp_path / str(number))
    tell(f"{len(points) if EVERYTHING else 2} of {len(points)} kill points tried on S3")
    assert not told, "\n".join(told)


def lived_through(
    troubles: Mapping[str, Trouble], server: S3Server, prepared: Prepared, proxy: FaultyProxy, home: Path
) -> list[str]:
    """Run a copy of the lake through each trouble, then without; return what is not as promised."""
    lake = copy_of(server, prepared.lake, prepared.home, home)
    told, are_whole, is_done = [], True, False
    for name, trouble in troubles.items():
        proxy.follow(trouble.plan(prepared.writes))
        done = run(lake, home, proxy)
        now = tables_of(lake)
        are_whole &= trouble.end is End.KILLED
        found = torn(now, prepared.before, prepared.after, snapshots=are_whole)
        is_done = trouble.end is End.ANY and not differences(now, prepared.after) + unsettled(lake, home)
        if trouble.end is End.KILLED:
            found += [] if done.returncode == -signal.SIGKILL else [f"not killed, but exit code {done.returncode}"]
        elif not is_done:
            found += clear_failure(done)
        told += [f"{name}: {line}" for line in found]
    return told if is_done else told + healed(lake, home, prepared, proxy)
