"""A bucket on a bad day: kills at any write, refusals, cut connections. Healed, or a clear failure and healed later."""

import itertools
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
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
SAMPLE = (
    ("ops/ledger/_delta_log", Kill.BEFORE),  # files of a commit that was never made
    ("silver/sales/dt=", Kill.AFTER),  # some files of the commit
)


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


@pytest.fixture
def lake(prepared: Prepared, s3_server: S3Server, home: Path) -> Lake:
    """A copy of the prepared lake, to run."""
    return copy_of(s3_server, prepared.lake, prepared.home, home)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where the Dagster instance of `lake` is."""
    return tmp_path / "home"


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


def test_a_run_killed_at_a_write_loses_and_doubles_nothing(
    prepared: Prepared, s3_server: S3Server, proxy: FaultyProxy, tmp_path: Path, tell: Tell
) -> None:
    points = [(number, moment) for number in range(1, len(prepared.writes) + 1) for moment in Kill]
    chosen = points if EVERYTHING else sampled(prepared.writes)
    told = []
    for number, moment in chosen:
        home = tmp_path / f"{number}-{moment.name}"
        lake = copy_of(s3_server, prepared.lake, prepared.home, home)
        proxy.follow(lambda request, n=number, kill=moment: kill if request.write == n else None)  # type: ignore[misc]
        done = run(lake, home, proxy)
        found = [] if done.returncode == -9 else [f"not killed, but exit code {done.returncode}"]
        found += torn(tables_of(lake), prepared.before, prepared.after)
        found += healed(lake, home, prepared, proxy)
        told += [f"{moment.name} write {number}, {prepared.writes[number - 1]}: {line}" for line in found]
    tell(f"{len(chosen)} of {len(points)} kill points tried on S3")
    assert not told, "\n".join(told)


def sampled(writes: list[str]) -> list[tuple[int, Kill]]:
    """Return a write of each kind of the sample: the last one, where most is at stake."""
    return [(max(n for n, write in enumerate(writes, 1) if kind in write), moment) for kind, moment in SAMPLE]


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


# Of each place where it can happen, one: a request, an answer. A body that is sent is cut in test_every_feed_at_once.
_BAD_SAMPLE = ("503 in bursts, and slow", "commits done, answers lost")


@pytest.mark.parametrize("kind", BAD_DAYS if EVERYTHING else _BAD_SAMPLE)
def test_a_bad_day_is_healed_by_retries_or_fails_clearly_and_is_healed_by_the_next_run(
    kind: str, lake: Lake, home: Path, prepared: Prepared, proxy: FaultyProxy
) -> None:
    proxy.follow(BAD_DAYS[kind]())

    done = run(lake, home, proxy)

    now = tables_of(lake)
    assert not torn(now, prepared.before, prepared.after, snapshots=False)
    if left := differences(now, prepared.after) + unsettled(lake, home):
        assert not clear_failure(done), "\n".join([*clear_failure(done), *left])
        left = healed(lake, home, prepared, proxy)
    assert not left, "\n".join(left)


BROKEN: dict[str, Callable[[Request], bool]] = {
    "landing cannot be read": lambda request: "/landing/" in request.key and request.method == "GET",
    "the ledger cannot be read": lambda request: "/ops/ledger/" in request.key,
    "nothing can be listed": lambda request: request.method == "GET" and not request.key,
    "bronze cannot be written": lambda request: "/bronze/" in request.key and request.write > 0,
    "bronze cannot be read": lambda request: "/bronze/" in request.key and request.method == "GET",
    "silver cannot be committed": lambda request: "/silver/" in request.key and commit(request),
    "gold cannot be written": lambda request: "/gold/" in request.key and request.write > 0,
}


_SAMPLE = ("landing cannot be read", "the ledger cannot be read", "silver cannot be committed")


@pytest.mark.parametrize("what", BROKEN if EVERYTHING else _SAMPLE)
def test_what_is_denied_is_one_clear_failure_and_the_last_good_version_stands(
    what: str, lake: Lake, home: Path, prepared: Prepared, proxy: FaultyProxy
) -> None:
    denied = BROKEN[what]
    proxy.follow(lambda request: Refuse(403) if denied(request) else None)

    done = run(lake, home, proxy)

    assert not clear_failure(done), "\n".join(clear_failure(done))
    assert not torn(tables_of(lake), prepared.before, prepared.after, snapshots=False)
    told = healed(lake, home, prepared, proxy)
    assert not told, "\n".join(told)
