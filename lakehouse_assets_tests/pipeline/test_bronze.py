"""Landed objects become bronze files that are never overwritten, and one ledger commit makes a batch of them live."""

import datetime as dt
import io
import re
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.pipeline.bronze import read_bronze
from lakehouse_assets.pipeline.ingest import ingest as ingest_objects
from lakehouse_assets.sources.landing import pending
from lakehouse_assets.storage.stores import StorageError, Store, Stored
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.retail import DAY, day, gzipped, ingest, land, line, sales, sales_csv, zipped

NEXT = "2011-03-02"


def _bronze_files(lake: Lake) -> dict[str, bytes]:
    return {stored.path: lake.store.read(stored.path) for stored in lake.store.list("bronze/sales")}


def _live(lake: Lake) -> dict[tuple[str, str], int]:
    rows = lake.ledger_of(sales(lake)).live.select("part", "source_key", "rows").iter_rows()
    return {(partition, key): count for partition, key, count in rows}


def _records(lake: Lake) -> pl.DataFrame:
    feed = sales(lake)
    return read_bronze(lake, feed, lake.ledger_of(feed).live).collect()


def _touched(lake: Lake) -> Mapping[str, int]:
    [result] = ingest(lake)
    return result.touched


def test_the_records_of_an_object_are_split_by_business_date(lake: Lake) -> None:
    land(lake, "x.csv", sales_csv([*day(count=2), *day(NEXT, 3), line(InvoiceDate="yesterday")]))
    assert _touched(lake) == {DAY: 2, NEXT: 3, "undated": 1}
    assert _live(lake) == {(DAY, "x.csv"): 2, (NEXT, "x.csv"): 3, ("undated", "x.csv"): 1}
    assert {path.split("/")[2] for path in _bronze_files(lake)} == {
        f"dt={DAY}", f"dt={NEXT}", "dt=__HIVE_DEFAULT_PARTITION__",
    }  # fmt: skip
    found = _records(lake)
    assert found["dt"].to_list() == [dt.date(2011, 3, 1)] * 2 + [dt.date(2011, 3, 2)] * 3 + [None]
    assert found["_line"].to_list() == [1, 2, 3, 4, 5, 6]
    assert found["_part"].to_list() == [DAY] * 2 + [NEXT] * 3 + ["undated"]


def test_bronze_is_compressed_as_every_reader_of_parquet_knows(lake: Lake) -> None:
    land(lake, "x.csv", sales_csv(day(count=50)))
    ingest(lake)
    for data in _bronze_files(lake).values():
        group = pq.ParquetFile(io.BytesIO(data)).metadata.row_group(0)
        assert {group.column(at).compression for at in range(group.num_columns)} == {"SNAPPY"}


def test_bronze_keeps_every_value_as_it_came(lake: Lake) -> None:
    record = line(StockCode=" 85123a ", CustomerID="17850.0", Quantity="six", UnitPrice="1e3")
    land(lake, "x.csv", sales_csv([record]))
    ingest(lake)
    [found] = _records(lake).select(list(record)).rows(named=True)
    assert found == record


def test_the_line_is_the_ordinal_in_the_whole_object_not_in_the_date(lake: Lake) -> None:
    land(lake, "x.csv", sales_csv([*day(count=1), *day(NEXT, 1), *day(count=1)]))
    ingest(lake)
    assert _records(lake).select("_part", "_line").rows() == [(DAY, 1), (DAY, 3), (NEXT, 2)]


def test_members_of_a_zip_are_source_objects_and_a_bad_one_is_rejected_alone(lake: Lake) -> None:
    land(lake, "drop.zip", zipped({"a.csv": sales_csv(2), "b.csv": b"\xff\xfex", "c.csv.gz": gzipped(sales_csv(3))}))
    [result] = ingest(lake)
    assert _live(lake) == {(DAY, "drop.zip!a.csv"): 2, (DAY, "drop.zip!c.csv.gz"): 3}
    assert result.refused == ["drop.zip!b.csv: rejected: the text is UTF-16; save it as UTF-8 and land it again."]


def test_one_bad_object_does_not_keep_the_others_of_its_batch(lake: Lake) -> None:
    land(lake, "a.csv", sales_csv(1))
    land(lake, "b.csv", b"")
    land(lake, "c.csv", sales_csv(2))
    [result] = ingest(lake)
    assert [version.object_key for version in result.versions] == ["a.csv", "b.csv", "c.csv"]
    assert len(result.refused) == 1
    assert _live(lake) == {(DAY, "a.csv"): 1, (DAY, "c.csv"): 2}


def test_ingesting_again_does_nothing(lake: Lake) -> None:
    land(lake, "x.csv", sales_csv(2))
    ingest(lake)
    before = _bronze_files(lake), lake.ledger_of(sales(lake)).rows
    assert ingest(lake) == []
    assert _bronze_files(lake) == before[0]
    assert lake.ledger_of(sales(lake)).rows.equals(before[1])


def test_a_resend_touches_the_dates_that_it_leaves_and_keeps_the_old_file(lake: Lake) -> None:
    land(lake, "x.csv", sales_csv([*day(count=2), *day(NEXT, 1)]))
    ingest(lake)
    before = _bronze_files(lake)
    land(lake, "x.csv", sales_csv(day(NEXT, 3)))
    assert _touched(lake) == {DAY: 0, NEXT: 3}
    assert _live(lake) == {(NEXT, "x.csv"): 3}
    after = _bronze_files(lake)
    assert before.items() < after.items()


def test_v1_v2_v1_ends_at_v1_without_writing_its_records_twice(lake: Lake) -> None:
    for data in (sales_csv(2), sales_csv(3), sales_csv(2)):
        land(lake, "x.csv", data)
        ingest(lake)
    assert _live(lake) == {(DAY, "x.csv"): 2}
    assert len(_bronze_files(lake)) == 2
    assert _records(lake).height == 2


def test_the_same_content_under_another_key_is_an_alias_and_counts_once(lake: Lake) -> None:
    land(lake, "x.csv", sales_csv(2))
    ingest(lake)
    land(lake, "z.csv", sales_csv(2))
    land(lake, "a.zip", zipped({"m": sales_csv(2)}))
    ingest(lake)
    assert _live(lake) == {(DAY, "a.zip!m"): 2}
    assert len(_bronze_files(lake)) == 1
    assert set(_records(lake)["_source_key"]) == {"a.zip!m"}  # the ledger's key, not that of the first ingestion
    states = lake.ledger_of(sales(lake)).shown.select("source_key", "state")
    assert dict(states.iter_rows()) == {"x.csv": "alias", "z.csv": "alias", "a.zip!m": "accepted"}


def test_a_rejected_resend_leaves_the_last_good_version_live(lake: Lake) -> None:
    land(lake, "x.csv", sales_csv(2))
    ingest(lake)
    land(lake, "x.csv", b"a,b\n1,2\n")
    ingest(lake)
    assert _live(lake) == {(DAY, "x.csv"): 2}


def test_an_object_of_no_records_is_accepted(lake: Lake) -> None:
    land(lake, "x.csv", sales_csv([]))
    [result] = ingest(lake)
    assert (result.refused, result.touched, _live(lake)) == ([], {}, {})
    assert ingest(lake) == []


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
    assert [len(result.versions) for result in ingest(lake)] == [1, 1, 1]


def test_an_object_above_the_limit_is_rejected_and_a_higher_limit_takes_the_next_version(tmp_path: Path) -> None:
    lake = lake_at(str(tmp_path / "lake"), max_source_bytes=1000)
    land(lake, "x.csv.gz", gzipped(sales_csv(100)))
    [result] = ingest(lake)
    assert "x.csv.gz: rejected: it has more than 1,000 bytes when decompressed" in result.refused[0]
    assert _bronze_files(lake) == {}


def test_what_dies_before_the_ledger_commit_is_invisible_and_done_again(lake: Lake) -> None:
    land(lake, "x.csv", sales_csv(2))
    ingest(lake)
    orphans = _bronze_files(lake)
    fresh = lake_at(f"{lake.store.root}-again")
    for path, data in orphans.items():  # as a run leaves it that was killed before its commit
        fresh.store.create(path, data)
    assert _records(fresh).height == 0
    land(fresh, "x.csv", sales_csv(2))
    assert _touched(fresh) == {DAY: 2}
    assert _records(fresh).height == 2
    assert _bronze_files(fresh) == orphans


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
    assert sum(_live(lake).values()) == 12


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
    assert _live(lake) == {(DAY, "b.csv"): 2}


def test_an_object_that_is_replaced_before_it_is_read_is_recorded_as_what_it_became(lake: Lake) -> None:
    land(lake, "a.csv", sales_csv(1))
    assert ingest(disturbed(lake, "a.csv", lambda file: file.write_bytes(sales_csv(3)))) == []
    assert _live(lake) == {}
    ingest(lake)
    assert _live(lake) == {(DAY, "a.csv"): 3}
    assert ingest(lake) == []


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
    assert _live(lake) == {(DAY, "b.csv"): 2, (DAY, "c.csv"): 3}
    ingest(lake)
    assert _live(lake)[DAY, "a.csv"] == 1


def test_progress_counts_the_bytes_of_every_object(lake: Lake) -> None:
    land(lake, "a.csv", sales_csv(1))
    land(lake, "b.csv", b"")
    feed, known_versions = sales(lake), list[int]()
    objects: list[Stored] = list(pending(lake, feed, lake.ledger_of(feed)))
    list(ingest_objects(lake, feed, objects, "run", known_versions.append))
    assert sorted(known_versions) == [0, len(sales_csv(1))]


@pytest.mark.parametrize("name", ["a b", "é", "dt=2011-03-01", "a+b", "[x]*?", "100%25 #1"])
def test_a_lake_may_lie_in_a_folder_of_any_name_or_says_that_it_may_not(tmp_path: Path, name: str) -> None:
    try:
        lake = lake_at(str(tmp_path / name))
    except ValueError:
        assert not re.fullmatch(r"[\w= +]+", name)  # only what is really strange may be refused
        return
    land(lake, "x.csv", sales_csv(2))
    ingest(lake)
    assert _records(lake)["_part"].to_list() == [DAY, DAY]


def test_a_lake_may_be_named_by_a_roundabout_path(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    lake = lake_at(f"{tmp_path}/a/../lake//x/")
    land(lake, "x.csv", sales_csv(2))
    ingest(lake)
    assert _records(lake)["_part"].to_list() == [DAY, DAY]


def test_ingestion_time_is_recorded_with_each_record(lake: Lake) -> None:
    before = dt.datetime.now(dt.UTC)
    land(lake, "x.csv", sales_csv(1))
    ingest(lake)
    [moment] = _records(lake)["_ingested_at"].to_list()
    assert before <= moment <= dt.datetime.now(dt.UTC)
