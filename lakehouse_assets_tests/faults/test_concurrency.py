"""Many writers at once, and slow ones that wake up late: the tables of one writer, and no stale commit ever wins."""

import dataclasses
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from lakehouse_assets.catalog import duckdb_views
from lakehouse_assets.context import Lake
from lakehouse_assets.ledger.ledger import Ledger
from lakehouse_assets.pipeline.gold import build as build_model
from lakehouse_assets.pipeline.pending import FeedState, ModelState
from lakehouse_assets.pipeline.silver import publish as publish_parts
from lakehouse_assets.storage import delta
from lakehouse_assets.storage.stores import LocalStore
from lakehouse_assets_tests import retail
from lakehouse_assets_tests.conftest import copied, lake_at
from lakehouse_assets_tests.faults import scenario
from lakehouse_assets_tests.faults.conftest import EVERYTHING, TIMEOUT, Prepared
from lakehouse_assets_tests.faults.reading import Tables, differences, tables_of, unsettled
from lakehouse_assets_tests.faults.scenario import march, some, spoilt
from lakehouse_assets_tests.forked import Forked
from lakehouse_assets_tests.retail import sales_csv

pytestmark = [pytest.mark.slow, pytest.mark.timeout(TIMEOUT)]
OneWriter = Callable[[dict[str, bytes]], Tables]
_ORDER = frozenset({"version", "object_token"})
"""What may differ between lakes that took in the same objects: which landed copy it was, and which came first."""


def at_once(lake: Lake, home: Path, count: int, **settings: str) -> list[subprocess.CompletedProcess[str]]:
    """Run `lakehouse run` in some processes at once."""
    env = scenario.environment(lake, home, **settings)
    return [process.finish() for process in [Forked("run", env=env) for _ in range(count)]]


@pytest.fixture(scope="module")
def by_one(tmp_path_factory: pytest.TempPathFactory) -> OneWriter:
    """Return a function that gives the tables of a lake that one writer made of some objects."""
    made: dict[frozenset[tuple[str, bytes]], Tables] = {}

    def tables(objects: dict[str, bytes]) -> Tables:
        if (wanted := frozenset(objects.items())) not in made:
            lake = lake_at(str(tmp_path_factory.mktemp("one") / "lake"))
            scenario.land_all(lake, objects)
            retail.run(lake)
            made[wanted] = tables_of(lake, without=_ORDER)
        return made[wanted]

    return tables


def odd_runs(home: Path) -> list[str]:
    with dg.DagsterInstance.from_config(str(home)) as instance:
        return [f"{r.run_id} {r.status}" for r in instance.get_runs() if r.status is not dg.DagsterRunStatus.SUCCESS]


def test_eight_processes_on_one_landing_do_the_work_of_one(lake: Lake, by_one: OneWriter) -> None:
    # A fresh lake: they also race for creating every table and the Dagster instance.
    objects = scenario.first_landing() | scenario.filler(40 if EVERYTHING else 3)
    scenario.land_all(lake, objects)
    home = lake.settings.dagster_home

    done = at_once(lake, home, 8, LAKEHOUSE_INGEST_BATCH_BYTES="1")

    assert [process.returncode for process in done] == [0] * 8, "\n".join(p.stdout + p.stderr for p in done)
    assert differences(tables_of(lake, without=_ORDER), by_one(objects)) == []
    assert unsettled(lake, home) == []
    assert odd_runs(home) == []


def test_three_processes_on_one_bucket_do_the_work_of_one(s3_lake: Lake, tmp_path: Path, by_one: OneWriter) -> None:
    objects = scenario.first_landing()
    scenario.land_all(s3_lake, objects)

    done = at_once(s3_lake, tmp_path / "home", 3)

    assert [process.returncode for process in done] == [0] * 3, "\n".join(p.stdout + p.stderr for p in done)
    assert differences(tables_of(s3_lake, without=_ORDER), by_one(objects)) == []
    assert unsettled(s3_lake, tmp_path / "home") == []


def test_maintenance_meanwhile_changes_no_answer(prepared: Prepared, tmp_path: Path) -> None:
    lake = scenario.copy_of(prepared.lake, tmp_path)
    env = scenario.environment(lake)
    running = [Forked(verb, env=env) for verb in ("maintain", "run", "maintain", "run")]

    done = [process.finish() for process in running]

    assert [process.returncode for process in done[::2]] == [0, 0], "\n".join(p.stdout + p.stderr for p in done)
    assert not any("failed:" in p.stdout or "Traceback" in p.stderr for p in done), [p.stdout + p.stderr for p in done]
    found, wanted = (tables_of(each, without=_ORDER) for each in (lake, prepared.undisturbed))
    assert differences(found, wanted) == []
    assert unsettled(lake, lake.settings.dagster_home) == []


def _dagster() -> None:
    from dagster._cli import main

    main()  # type: ignore[no-untyped-call]


def test_two_backfills_that_overlap_leave_the_tables_as_they_are(lake: Lake) -> None:
    scenario.land_all(lake, scenario.first_landing())
    env = scenario.environment(lake)
    assert scenario.lakehouse("run", env=env).returncode == 0
    before = tables_of(lake)

    def backfill(days: str) -> None:
        command = ("asset", "materialize", "-m", "lakehouse_assets.definitions", "--partition-range", days)
        for table in ("silver/sales", "gold/daily_sales"):
            home = {"DAGSTER_HOME": str(lake.settings.dagster_home)}
            done = Forked(*command, "--select", table, env=env | home, program=_dagster).finish()
            assert done.returncode == 0, done.stderr

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(backfill, [f"{march(1)}...{march(6)}", f"{march(3)}...{march(8)}"]))

    assert differences(tables_of(lake), before) == []
    assert unsettled(lake) == []


# What the others do while a slow writer sleeps, to the objects that it has read: key and new bytes.
MEANWHILE: dict[str, dict[str, bytes]] = {
    "nothing new": {},
    "other records": {"day-01.csv": sales_csv(some(1, 30, first=5))},
    "the date is emptied": {"day-01.csv": sales_csv(some(2, 3))},
    "a bad version": {"day-01.csv": sales_csv(spoilt(some(1), 3))},
    "a good version after a bad one": {"day-02.csv": sales_csv(some(2, 25))},
    "another object of the date": {"late.csv": sales_csv(some(1, 4, first=60) + some(3, 2))},
}
START = {
    "day-01.csv": sales_csv(some(1)),
    "day-02.csv": sales_csv(spoilt(some(2), 3)),
    "day-03.csv": sales_csv([*spoilt(some(3, 30), 30), retail.line(InvoiceDate="someday")]),
}


def interrupted(patch: pytest.MonkeyPatch, owner: Any, name: str, when: Callable[..., bool], others: Any) -> list[int]:
    """Let others work just before the first matching call of a function; return a list with an item per such call."""
    original, calls, asleep = getattr(owner, name), list[int](), list[int]()

    def slow(*args: Any, **kwargs: Any) -> Any:
        if when(*args, **kwargs) and not asleep:
            calls.append(1)
            if len(calls) == 1:
                asleep.append(1)
                others()
                asleep.clear()
        return original(*args, **kwargs)

    patch.setattr(owner, name, slow)
    return calls


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Lake]:
    """Lakes in which a publishing is about to begin, by its kind."""
    folder = tmp_path_factory.mktemp("begun")
    first, again = lake_at(str(folder / "first")), lake_at(str(folder / "again"))
    for lake in (first, again):
        scenario.land_all(lake, START)
    retail.run(again)
    scenario.land_all(again, {"day-01.csv": sales_csv(some(1, 26)), "day-02.csv": sales_csv(spoilt(some(2, 9), 3))})
    for lake in (first, again):
        retail.ingest(lake)
    return {"first publishing": first, "republishing": again}


@pytest.mark.parametrize("sleeps_before", ["quarantine/sales", "ops/accounting", "silver/sales"])
@pytest.mark.parametrize(
    ("meanwhile", "time"), [("other records", "first publishing"), *((name, "republishing") for name in MEANWHILE)]
)
def test_a_slow_publisher_with_stale_inputs_loses_and_computes_again(
    meanwhile: str,
    time: str,
    sleeps_before: str,
    begun: dict[str, Lake],
    by_one: OneWriter,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lake = copied(begun[time], tmp_path / "lake")
    new = MEANWHILE[meanwhile]

    def others() -> None:
        scenario.land_all(lake, new)
        retail.run(lake)

    feed = retail.sales(lake)
    partitions = FeedState.read(lake, feed, lake.ledger_of(feed)).pending
    slept = interrupted(
        monkeypatch, delta, "replace", lambda _, table, *__: table.table_uri.rstrip("/").endswith(sleeps_before), others
    )
    list(publish_parts(lake, feed, partitions, "slow"))
    assert slept, "the slow writer got there"
    after_the_slow_one = tables_of(lake, without=_ORDER)
    retail.build(lake)

    landed = {p.path.rpartition("/")[2]: lake.store.read(p.path) for p in lake.store.list("landing/sales")}
    expected = by_one(landed)
    held = FeedState.read(lake, feed, lake.ledger_of(feed)).held
    for name in ("quarantine.sales", "ops.accounting", "silver.sales"):
        found, wanted = (
            {name: [row for row in tables[name] if row[0] not in held or not name.startswith("silver")]}
            for tables in (after_the_slow_one, expected)
        )
        assert differences(found, wanted) == []
    assert unsettled(lake) == []


@pytest.mark.parametrize("model", ["daily_sales", "daily_metrics", "product_performance"])
def test_a_slow_builder_with_stale_inputs_loses_and_computes_again(
    model: str, lake: Lake, monkeypatch: pytest.MonkeyPatch, by_one: OneWriter
) -> None:
    scenario.land_all(lake, START)
    retail.ingest(lake)
    retail.publish(lake)
    models = list(lake.registry.models.values())
    declared = lake.registry.models[model]
    retail.build(lake, models[: models.index(declared)])

    def others() -> None:
        scenario.land_all(lake, {"day-01.csv": sales_csv(some(1, 30, first=5)), "new.csv": sales_csv(some(9))})
        retail.run(lake)

    slept = interrupted(
        monkeypatch, delta, "replace", lambda _, table, *__: table.table_uri.rstrip("/").endswith(model), others
    )
    list(build_model(lake, declared, ModelState.read(lake, declared).pending))
    assert slept

    landed = {p.path.rpartition("/")[2]: lake.store.read(p.path) for p in lake.store.list("landing/sales")}
    found, wanted = tables_of(lake, without=_ORDER), by_one(landed)
    told = differences(found, dict(wanted) | {"ops.ledger": found["ops.ledger"]})  # which has the older versions too
    assert told == []
    assert unsettled(lake) == []


def test_a_slow_ingest_does_not_bring_an_older_version_back(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    retail.land(lake, "day.csv", sales_csv(some(1)))

    def others() -> None:
        retail.land(lake, "day.csv", sales_csv(some(1, 30)))
        retail.run(lake)

    slept = interrupted(monkeypatch, Ledger, "append", lambda *_: True, others)
    retail.ingest(lake)
    assert slept

    live = lake.ledger_of(retail.sales(lake)).live
    assert live["rows"].to_list() == [30], "the version that landing holds is live"
    retail.run(lake)
    assert unsettled(lake) == []


def test_two_compactions_of_the_ledger_at_once_double_no_entry(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, by_one: OneWriter
) -> None:
    single = lake_at(lake.settings.root, ingest_batch_bytes=1)
    scenario.land_all(lake, scenario.filler(scenario.COMPACTED_ABOVE))
    retail.ingest(single)
    assert len(Ledger.load(lake.store)._table.file_uris()) == scenario.COMPACTED_ABOVE
    first, second = {"day-01.csv": sales_csv(some(1))}, {"day-02.csv": sales_csv(some(2))}

    def others() -> None:
        scenario.land_all(lake, second)
        retail.ingest(single)

    scenario.land_all(lake, first)
    # The ledger compacts itself by putting all of it in place of all.
    compactions = interrupted(
        monkeypatch, delta, "write_serially", lambda *_, mode="append", **__: mode == "overwrite", others
    )
    retail.ingest(single)
    retail.run(lake)

    assert compactions
    objects = scenario.filler(scenario.COMPACTED_ABOVE) | first | second
    assert differences(tables_of(lake, without=_ORDER), by_one(objects)) == []


class PausingStore(LocalStore):
    """A local store in which writing some paths waits for a sign."""

    def __init__(self, root: str, gates: dict[str, threading.Event], reached: threading.Event) -> None:
        super().__init__(root)
        self._gates, self._reached = gates, reached

    def replace(self, path: str, data: bytes | Path, token: str | None = None) -> bool:
        if path in self._gates:
            self._reached.set()
            assert self._gates[path].wait(60)
        return super().replace(path, data, token)


def test_two_rebuilds_of_the_catalog_at_once_never_leave_an_old_one_that_passes_for_new(lake: Lake) -> None:
    def pausing(path: str) -> tuple[Lake, threading.Event, threading.Event]:
        go, there = threading.Event(), threading.Event()
        return dataclasses.replace(lake, store=PausingStore(lake.store.root, {path: go}, there)), go, there

    retail.land(lake, "day-01.csv", sales_csv(some(1)))
    retail.run(lake)
    old, old_may_write, old_waits = pausing(duckdb_views.PATH)
    new, new_may_say_so, new_waits = pausing("catalog.json")
    with ThreadPoolExecutor(2) as pool:
        try:
            slow = pool.submit(duckdb_views.rebuild, old)
            assert old_waits.wait(60)
            retail.land(lake, "day-02.csv", sales_csv(some(2)))
            retail.run(lake)
            quick = pool.submit(duckdb_views.rebuild, new)
            assert new_waits.wait(60)
            old_may_write.set()
            slow.result()
        finally:
            old_may_write.set()
            new_may_say_so.set()
        quick.result()

    if duckdb_views.state(lake).pending:
        duckdb_views.rebuild(lake)  # what the next run does
    with duckdb.connect(f"{lake.store.root}/{duckdb_views.PATH}", read_only=True) as connection:
        assert connection.sql("SELECT count(*) FROM silver.sales").fetchall() == [(48,)]
