"""Runs over all feeds that meet others, a full disk, a bucket that refuses or kills: the tables of one undisturbed run.

The suites of sales try more of each. Here is what feeds with histories, repeated events and joins add to it.
"""

import functools
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets_tests import shop
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.faults import scenario
from lakehouse_assets_tests.faults.conftest import EVERYTHING, TIMEOUT, Tell
from lakehouse_assets_tests.faults.proxy import FaultyProxy, Kill, no_faults
from lakehouse_assets_tests.faults.reading import Tables, differences, unsettled
from lakehouse_assets_tests.faults.test_disk import disk, leave
from lakehouse_assets_tests.faults.test_every_feed import FIRST, SECOND, compared, lake_with
from lakehouse_assets_tests.faults.test_s3_faults import (
    BAD_DAYS,
    End,
    Trouble,
    copy_of,
    day,
    killed_at,
    killed_at_the_last,
    refused,
)
from lakehouse_assets_tests.forked import Forked
from lakehouse_assets_tests.prepared import Once
from lakehouse_assets_tests.s3_server import S3Server

__all__ = ["disk"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(TIMEOUT)]
_BLOCK = 4096
SAMPLE = (
    ("silver/customers_history/_delta_log", Kill.AFTER),  # silver does not have it yet
    ("ops/sales_enriched_as_of", Kill.BEFORE),  # the table's dates are stale
)


def run(root: str) -> None:
    shop.run(shop.shop_in(lake_at(root)))


def begun(lake: Lake, **env: str) -> Forked:
    """Begin a run of what is pending, in a process."""
    return Forked(env=scenario.environment(lake) | env, program=functools.partial(run, lake.settings.root))


def wrong(lake: Lake, expected: Tables) -> list[str]:
    return differences(compared(lake), expected) + unsettled(lake)


class Prepared(NamedTuple):
    """A lake of all feeds about to be run, its tables afterwards, and the bytes of a disk that the run takes."""

    base: Lake
    expected: Tables
    needed: int


@pytest.fixture(scope="module")
def prepared(once: Once) -> Prepared:
    root, expected, needed = once(_prepared)
    return Prepared(shop.shop_in(lake_at(root)), expected, needed)


def _prepared(folder: Path) -> tuple[str, Tables, int]:
    base = lake_with(FIRST, str(folder / "base"))
    shop.land_all(base, SECOND)
    whole = shop.shop_in(scenario.copied_to(base, folder / "whole"))
    before = on_disk(whole)
    shop.run(whole)
    return base.settings.root, compared(whole), on_disk(whole) - before


def on_disk(lake: Lake) -> int:
    """Return the bytes that a lake takes of a disk, which gives out whole blocks."""
    files = [path.stat().st_size for path in Path(lake.settings.root).rglob("*") if path.is_file()]
    return sum(-(-size // _BLOCK) * _BLOCK for size in files)


def test_runs_at_once_do_the_work_of_one(prepared: Prepared, tmp_path: Path) -> None:
    lake = shop.shop_in(scenario.copied_to(prepared.base, tmp_path / "lake"))

    done = [process.finish() for process in [begun(lake) for _ in range(6 if EVERYTHING else 3)]]

    assert [process.returncode for process in done] == [0] * len(done), "\n".join(process.stderr for process in done)
    assert not wrong(lake, prepared.expected)


@pytest.mark.parametrize("twentieth", range(1, 20) if EVERYTHING else (6,))
def test_a_full_disk_is_healed_by_space(twentieth: int, disk: Path, prepared: Prepared) -> None:
    lake = shop.shop_in(scenario.copied_to(prepared.base, disk / "lake"))
    filler = leave(disk, prepared.needed * twentieth // 20)

    assert begun(lake).finish().returncode != 0

    filler.unlink()
    shop.run(lake)
    assert not wrong(lake, prepared.expected)


@dataclass(frozen=True)
class InBucket:
    """A lake of all feeds in a bucket, about to be run, its tables afterwards, and what the run writes."""

    base: Lake
    expected: Tables
    writes: list[str]
    address: str


@pytest.fixture(scope="module")
def proxy(s3_server: S3Server) -> Iterator[FaultyProxy]:
    with FaultyProxy(s3_server.port) as running:
        yield running


@pytest.fixture(scope="module")
def ran(s3_server: S3Server, proxy: FaultyProxy, tmp_path_factory: pytest.TempPathFactory) -> InBucket:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in s3_server.environment.items():
            patch.setenv(name, value)
        address = f"http://127.0.0.1:{proxy.port}"
        folder = tmp_path_factory.mktemp("every-feed-in-a-bucket").name
        base = lake_with(FIRST, f"s3://{s3_server.bucket}/{folder}-{proxy.port}")
        shop.land_all(base, SECOND)
        whole = fresh(s3_server, base)
        proxy.follow(no_faults)
        assert begun(whole, AWS_ENDPOINT_URL=address).finish().returncode == 0
        return InBucket(base, compared(whole), proxy.writes, address)


@pytest.fixture
def bucket(ran: InBucket, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> InBucket:
    """The same for each test, which reads past the proxy."""
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return ran


def fresh(server: S3Server, base: Lake) -> Lake:
    """Return a copy of the lake, which has no Dagster instance."""
    return shop.shop_in(copy_of(server, base, Path("none"), Path("none")))


def lived_through(troubles: Mapping[str, Trouble], bucket: InBucket, server: S3Server, proxy: FaultyProxy) -> list[str]:
    """Run a copy of the lake through each trouble, then without; return what is not as promised."""
    lake = fresh(server, bucket.base)
    told = []
    for name, trouble in troubles.items():
        proxy.follow(trouble.plan(bucket.writes))
        process = begun(lake, AWS_ENDPOINT_URL=bucket.address)
        proxy.victim = process.pid
        code = process.finish().returncode
        ended = {End.KILLED: code == -signal.SIGKILL, End.FAILED: code > 0, End.ANY: True}[trouble.end]
        told += [] if ended else [f"{name}: exit code {code}"]
    proxy.follow(no_faults)
    shop.run(lake)
    return told + [f"{', then '.join(troubles)}: {line}" for line in wrong(lake, bucket.expected)]


def test_kills_a_table_that_cannot_be_written_and_a_bad_day_of_a_bucket_lose_and_double_nothing(
    bucket: InBucket, s3_server: S3Server, proxy: FaultyProxy, tell: Tell
) -> None:
    points = {
        f"{moment.name} write {number}, {write}": killed_at(number, moment)
        for number, write in enumerate(bucket.writes, 1)
        for moment in Kill
    }
    tables = sorted({write.split(" ")[1].split("/_delta_log")[0] for write in bucket.writes if "/_delta_log/" in write})
    refusals = {
        f"{name} cannot be written": refused(lambda request, it=f"/{name}/": request.write > 0 and it in request.key)  # type: ignore[misc]
        for name in ["/".join(table.split("/")[-2:]) for table in tables]
    }
    troubles = points | refusals | {name: day(plan) for name, plan in BAD_DAYS.items()}
    # Each run of one lake meets the next trouble: the run after a kill is killed, too.
    refusal, cuts = "silver/customers_history cannot be written", "writes cut half-way"
    sample = {refusal: troubles[refusal]}
    sample |= {kind: killed_at_the_last(kind, moment) for kind, moment in SAMPLE}
    sample |= {cuts: troubles[cuts]}
    stories = [{name: trouble} for name, trouble in troubles.items()] if EVERYTHING else [sample]
    told = [line for story in stories for line in lived_through(story, bucket, s3_server, proxy)]
    tell(f"{sum(map(len, stories))} of {len(troubles)} troubles of a run over all feeds tried on S3")
    assert not told, "\n".join(told)
