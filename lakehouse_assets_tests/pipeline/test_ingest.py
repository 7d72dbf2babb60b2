"""Batches are bounded, one ledger commit makes each live, and an object that cannot be read stops no other."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.pipeline.ingest import ingest as ingest_objects
from lakehouse_assets.sources.landing import pending
from lakehouse_assets.storage.stores import StorageError, Store, Stored
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.pipeline.in_bronze import bronze_files, live_rows, records, touched
from lakehouse_assets_tests.retail import DAY, gzipped, ingest, land, sales, sales_csv


def test_one_bad_object_does_not_keep_the_others_of_its_batch(lake: Lake) -> None:
    land(lake, "a.csv", sales_csv(1))
    land(lake, "b.csv", b"")
    land(lake, "c.csv", sales_csv(2))
    [result] = ingest(lake)
    assert [version.object_key for version in result.versions] == ["a.csv", "b.csv", "c.csv"]
    assert len(result.refused) == 1
    assert live_rows(lake) == {(DAY, "a.csv"): 1, (DAY, "c.csv"): 2}


def test_ingesting_again_does_nothing(lake: Lake) -> None:
    land(lake, "x.csv", sales_csv(2))
    ingest(lake)
    before = bronze_files(lake), lake.ledger_of(sales(lake)).rows
    assert ingest(lake) == []
    assert bronze_files(lake) == before[0]
    assert lake.ledger_of(sales(lake)).rows.equals(before[1])


def test_batches_are_bounded_in_bytes_and_each_is_one_ledger_commit(tmp_path: Path) -> None:
    size = len(sales_csv(2))
    lake = lake_at(str(tmp_path / "lake"), ingest_batch_bytes=2 * size)
    for number in range(5):
        land(lake, f"{number}.csv", sales_csv(2, f"2011-03-0{number + 1}"))
    results = ingest(lake)
    assert [len(result.versions) for result in results] == [2, 2, 1]
    from deltalake import DeltaTable

    assert DeltaTable(lake.store.uri("ops/ledger")).version() == 3


def test_an_object_larger_than_a_batch_is_a_batch_of_its_own(tmp_path: Path) -> None:
    lake = lake_at(str(tmp_path / "lake"), ingest_batch_bytes=1)
    for number in range(3):
        land(lake, f"{number}.csv", sales_csv(1, f"2011-03-0{number + 1}"))
    assert [(len(result.versions), result.refused) for result in ingest(lake)] == [(1, []), (1, []), (1, [])]


def test_an_object_above_the_limit_is_rejected_and_a_higher_limit_takes_the_next_version(tmp_path: Path) -> None:
    lake = lake_at(str(tmp_path / "lake"), max_source_bytes=1000)
    land(lake, "x.csv.gz", gzipped(sales_csv(100)))
    [result] = ingest(lake)
    assert "x.csv.gz: rejected: it has more than 1,000 bytes when decompressed" in result.refused[0]
    assert bronze_files(lake) == {}


def test_what_dies_before_the_ledger_commit_is_invisible_and_done_again(lake: Lake) -> None:
    land(lake, "x.csv", sales_csv(2))
    ingest(lake)
    orphans = bronze_files(lake)
    fresh = lake_at(f"{lake.store.root}-again")
    for path, data in orphans.items():  # as a run leaves it that was killed before its commit
        fresh.store.create(path, data)
    assert records(fresh).height == 0
    land(fresh, "x.csv", sales_csv(2))
    assert touched(fresh) == {DAY: 2}
    assert records(fresh).height == 2
    assert bronze_files(fresh) == orphans


@pytest.mark.slow(covered=True)
def test_two_ingests_at_once_record_each_object_once(lake: Lake) -> None:
    for number in range(6):
        land(lake, f"{number}.csv", sales_csv(1, f"2011-03-0{number + 1}"))
    ingest(lake)  # creates the ledger
    for number in range(6):
        land(lake, f"{number}.csv", sales_csv(2, f"2011-03-0{number + 1}"))
    start = threading.Barrier(3)
    feed = sales(lake)
    found = list(pending(lake, feed, lake.ledger_of(feed)))

    def run(number: int) -> int:
        start.wait()
        return sum(len(result.versions) for result in ingest_objects(lake, feed, found, f"run-{number}"))

    with ThreadPoolExecutor(3) as pool:
        recorded = list(pool.map(run, range(3)))
    assert sum(recorded) == 6
    assert lake.ledger_of(feed).rows.height == 12
    assert sum(live_rows(lake).values()) == 12


class _Disturbed:
    """A store in which something happens to an object between listing and reading."""

    def __init__(self, store: Store, path: str, happens: Callable[[Path], object]) -> None:
        self._store, self._path, self._happens = store, path, happens

    def read(self, path: str, token: str | None = None) -> bytes:
        if path == self._path:
            self._happens(Path(self._store.uri(path)))
        return self._store.read(path, token)

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)


def disturbed(lake: Lake, key: str, happens: Callable[[Path], object]) -> Lake:
    return replace(lake, store=_Disturbed(lake.store, f"landing/sales/{key}", happens))  # type: ignore[arg-type]


def test_an_object_that_vanishes_before_it_is_read_does_not_stop_the_others(lake: Lake) -> None:
    land(lake, "a.csv", sales_csv(1))
    land(lake, "b.csv", sales_csv(2))
    [result] = ingest(disturbed(lake, "a.csv", Path.unlink))
    assert [version.object_key for version in result.versions] == ["b.csv"]
    assert live_rows(lake) == {(DAY, "b.csv"): 2}


def test_an_object_that_is_replaced_before_it_is_read_is_recorded_as_what_it_became(lake: Lake) -> None:
    land(lake, "a.csv", sales_csv(1))
    assert ingest(disturbed(lake, "a.csv", lambda file: file.write_bytes(sales_csv(3)))) == []
    assert live_rows(lake) == {}
    ingest(lake)
    assert live_rows(lake) == {(DAY, "a.csv"): 3}
    assert ingest(lake) == []


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize("batch_bytes", [1, 2**20])
def test_an_object_that_cannot_be_read_stays_pending_and_stops_no_other(tmp_path: Path, batch_bytes: int) -> None:
    lake = lake_at(str(tmp_path / "lake"), ingest_batch_bytes=batch_bytes)

    def refuse(file: Path) -> None:
        msg = f"{file}: Input/output error."
        raise StorageError(msg)

    for key, rows in (("a.csv", 1), ("b.csv", 2), ("c.csv", 3)):
        land(lake, key, sales_csv(rows))
    with pytest.raises(StorageError, match=r"a\.csv: Input/output error\. What could be ingested was"):
        ingest(disturbed(lake, "a.csv", refuse))
    assert live_rows(lake) == {(DAY, "b.csv"): 2, (DAY, "c.csv"): 3}
    ingest(lake)
    assert live_rows(lake)[DAY, "a.csv"] == 1


def test_progress_counts_the_bytes_of_every_object(lake: Lake) -> None:
    land(lake, "a.csv", sales_csv(1))
    land(lake, "b.csv", b"")
    feed, known_versions = sales(lake), list[int]()
    objects: list[Stored] = list(pending(lake, feed, lake.ledger_of(feed)))
    list(ingest_objects(lake, feed, objects, "run", known_versions.append))
    assert sorted(known_versions) == [0, len(sales_csv(1))]
