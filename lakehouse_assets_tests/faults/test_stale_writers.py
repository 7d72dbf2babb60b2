"""Slow writers that wake up late: no stale commit ever wins."""

import dataclasses
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import pytest
from filelock import FileLock

from lakehouse_assets.catalog import duckdb_views
from lakehouse_assets.context import Lake
from lakehouse_assets.ledger.ledger import Ledger
from lakehouse_assets.pipeline.gold import build as build_model
from lakehouse_assets.pipeline.pending import FeedState, ModelState
from lakehouse_assets.pipeline.silver import publish as publish_parts
from lakehouse_assets.storage import delta
from lakehouse_assets.storage.stores import LocalStore, StorageError
from lakehouse_assets_tests import retail
from lakehouse_assets_tests.conftest import copied, lake_at
from lakehouse_assets_tests.faults import scenario
from lakehouse_assets_tests.faults.conftest import EVERYTHING, ORDER, TIMEOUT, OneWriter
from lakehouse_assets_tests.faults.reading import differences, tables_of, unsettled
from lakehouse_assets_tests.faults.scenario import some, spoilt
from lakehouse_assets_tests.prepared import Once
from lakehouse_assets_tests.retail import sales_csv

pytestmark = [pytest.mark.slow, pytest.mark.timeout(TIMEOUT)]
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
def begun(once: Once) -> dict[str, Lake]:
    """Lakes in which a publishing is about to begin, by its kind."""
    return {kind: lake_at(root) for kind, root in once(_begun).items()}


def _begun(folder: Path) -> dict[str, str]:
    first, again = lake_at(str(folder / "first")), lake_at(str(folder / "again"))
    for lake in (first, again):
        scenario.land_all(lake, START)
    retail.run(again)
    scenario.land_all(again, {"day-01.csv": sales_csv(some(1, 26)), "day-02.csv": sales_csv(spoilt(some(2, 9), 3))})
    for lake in (first, again):
        retail.ingest(lake)
    return {"first publishing": first.settings.root, "republishing": again.settings.root}


CASES = [
    (meanwhile, time, sleeps_before)
    for meanwhile, time in [("other records", "first publishing"), *((name, "republishing") for name in MEANWHILE)]
    for sleeps_before in ("quarantine/sales", "ops/accounting", "silver/sales")
]
# Everything before the commit point, and one before each of the other commits.
SAMPLE = [case for case in CASES if case[0] == "other records" or case[2] == "silver/sales"]


@pytest.mark.parametrize(("meanwhile", "time", "sleeps_before"), CASES if EVERYTHING else SAMPLE)
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
    after_the_slow_one = tables_of(lake, without=ORDER)
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
    found, wanted = tables_of(lake, without=ORDER), by_one(landed)
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
    few = scenario.filler(8)
    monkeypatch.setattr("lakehouse_assets.ledger.ledger._COMPACT_ABOVE", len(few))
    scenario.land_all(lake, few)
    retail.ingest(single)
    assert len(Ledger.load(lake.store)._table.file_uris()) == len(few)
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
    objects = few | first | second
    assert differences(tables_of(lake, without=ORDER), by_one(objects)) == []


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


def test_of_two_rebuilds_of_the_catalog_at_once_the_later_one_waits_and_shows_everything(lake: Lake) -> None:
    may_write, waits = threading.Event(), threading.Event()
    paused = PausingStore(lake.store.root, {duckdb_views.PATH: may_write}, waits)
    retail.land(lake, "day-01.csv", sales_csv(some(1)))
    retail.run(lake)
    with ThreadPoolExecutor(2) as pool:
        try:
            slow = pool.submit(duckdb_views.rebuild, dataclasses.replace(lake, store=paused))
            assert waits.wait(60)
            retail.land(lake, "day-02.csv", sales_csv(some(2)))
            retail.run(lake)
            quick = pool.submit(duckdb_views.rebuild, lake)
            with pytest.raises(TimeoutError):
                quick.result(1)
        finally:
            may_write.set()
        slow.result()
        quick.result()

    assert not duckdb_views.state(lake).pending
    with duckdb.connect(f"{lake.store.root}/{duckdb_views.PATH}", read_only=True) as connection:
        assert connection.sql("SELECT count(*) FROM silver.sales").fetchall() == [(48,)]


def test_a_rebuild_of_the_catalog_that_another_one_keeps_from_writing_says_so(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duckdb_views, "_LONGEST_WAIT_SECONDS", 0.1)
    retail.land(lake, "day-01.csv", sales_csv(some(1)))
    retail.run(lake)
    with (
        FileLock(lake.store.uri(f".{duckdb_views.PATH}.lock")),
        pytest.raises(StorageError, match=r"another process .* `lakehouse run` writes the catalog"),
    ):
        duckdb_views.rebuild(lake)

    duckdb_views.rebuild(lake)
    assert not duckdb_views.state(lake).pending
