"""Delta tables are created as declared and replaced by exactly the given partitions, under their fingerprints."""

import datetime as dt
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.partitioning import UNDATED, WHOLE, Partitioning
from lakehouse_assets.storage import delta, delta_files
from lakehouse_assets.storage.schema_evolution import open_table
from lakehouse_assets.storage.stores import StorageError, Store

DAYS = ["2011-02-28", "2011-03-01", "2012-02-29"]
Row = tuple[str | None, int]


@pytest.fixture
def store(lake: Lake) -> Store:
    return lake.store


def _columns(layout: Partitioning) -> dict[str, pl.DataType]:
    return {"n": pl.Int64(), **layout.columns}


def _open(store: Store, layout: Partitioning = Partitioning.BY_DATE, path: str = "t") -> DeltaTable:
    return open_table(store, path, _columns(layout), layout)


def _frame(rows: list[Row], layout: Partitioning = Partitioning.BY_DATE) -> pl.DataFrame:
    dates = [None if partition is None else dt.date.fromisoformat(partition) for partition, _ in rows]
    frame = pl.DataFrame({"n": [n for _, n in rows], "day": dates}, schema={"n": pl.Int64, "day": pl.Date})
    return frame.with_columns(layout.of_date("day")).select(*_columns(layout))


def _replace(
    table: DeltaTable, store: Store, partitions: dict[str, int], rows: list[Row], layout: Partitioning
) -> None:
    delta.replace(store, table, _frame(rows, layout), layout.sql_predicate(partitions), partitions)


def test_a_file_system_that_refuses_is_told_in_its_own_words(store: Store, lake: Lake) -> None:
    table = _open(store)
    Path(lake.settings.root, "t", f"dt={DAYS[1]}").write_text("a file in the place of a folder")
    with pytest.raises(
        StorageError, match=r"/t/?: Not a directory\. Earlier commits stand, .* check space, permissions"
    ):
        _replace(table, store, {DAYS[1]: 1}, [(DAYS[1], 1)], Partitioning.BY_DATE)
    assert delta.fingerprints(store, "t") == {}


def _put(
    store: Store, partitions: dict[str, int], rows: list[Row], layout: Partitioning = Partitioning.BY_DATE
) -> None:
    _replace(_open(store, layout), store, partitions, rows, layout)


def _rows(store: Store, layout: Partitioning = Partitioning.BY_DATE) -> list[Row]:
    found = delta.scan(store, "t", _columns(layout)).select(layout.date.cast(pl.String).alias("date"), "n")
    return sorted(found.collect().iter_rows(), key=str)


DATED = [Partitioning.BY_DATE, Partitioning.BY_YEAR_MONTH_DAY]


def test_a_table_not_yet_written_is_empty_with_its_columns(store: Store) -> None:
    columns = _columns(Partitioning.BY_DATE)
    assert not delta.exists(store, "t")
    assert delta.fingerprints(store, "t") == {}
    assert delta.scan(store, "t", columns).collect().schema == pl.Schema(columns)
    _open(store)
    assert delta.exists(store, "t")
    assert delta.scan(store, "t", columns).collect().equals(pl.DataFrame(schema=columns))


def test_writers_that_create_the_table_at_once_lose_no_row(store: Store) -> None:
    start = threading.Barrier(4)

    def write(number: int) -> None:
        start.wait()
        while True:
            table = _open(store)
            try:
                _replace(table, store, {f"2011-03-0{number}": number}, [(f"2011-03-0{number}", 0)], layout)
            except delta.Conflict:
                continue
            return

    layout, numbers = Partitioning.BY_DATE, range(1, 5)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, numbers))
    assert _rows(store) == [(f"2011-03-0{number}", 0) for number in numbers]
    assert delta.fingerprints(store, "t") == {f"2011-03-0{number}": number for number in numbers}


@pytest.mark.parametrize("layout", DATED, ids=lambda layout: layout.value)
def test_replace_replaces_exactly_the_given_dates(store: Store, layout: Partitioning) -> None:
    rows: list[Row] = [(day, at) for at, day in enumerate(DAYS)]
    _put(store, dict.fromkeys(DAYS, 1), rows, layout)
    _put(store, {DAYS[1]: 2}, [(DAYS[1], 10), (DAYS[1], 11)], layout)
    assert _rows(store, layout) == [(DAYS[0], 0), (DAYS[1], 10), (DAYS[1], 11), (DAYS[2], 2)]
    _put(store, {DAYS[0]: 2, DAYS[2]: 2}, [(DAYS[2], 20)], layout)
    assert _rows(store, layout) == [(DAYS[1], 10), (DAYS[1], 11), (DAYS[2], 20)]


@pytest.mark.parametrize("layout", DATED, ids=lambda layout: layout.value)
def test_undated_rows_are_a_partition_of_their_own(store: Store, layout: Partitioning) -> None:
    _put(store, {DAYS[0]: 1, UNDATED: 1}, [(DAYS[0], 0), (None, 1), (None, 2)], layout)
    _put(store, {DAYS[0]: 2}, [(DAYS[0], 5)], layout)
    assert _rows(store, layout) == [(DAYS[0], 5), (None, 1), (None, 2)]
    _put(store, {UNDATED: 2}, [(None, 3)], layout)
    assert _rows(store, layout) == [(DAYS[0], 5), (None, 3)]
    _put(store, {UNDATED: 3, DAYS[1]: 3}, [(DAYS[1], 6)], layout)
    assert _rows(store, layout) == [(DAYS[0], 5), (DAYS[1], 6)]


@pytest.mark.parametrize("layout", DATED, ids=lambda layout: layout.value)
def test_readers_filter_the_same_partitions_that_writers_replace(store: Store, layout: Partitioning) -> None:
    rows: list[Row] = [*((day, at) for at, day in enumerate(DAYS)), (None, 9)]
    _put(store, dict.fromkeys([*DAYS, UNDATED], 1), rows, layout)
    scan = delta.scan(store, "t", _columns(layout))
    for partitions in (DAYS[:1], DAYS[1:], [UNDATED], [DAYS[2], UNDATED], ["2011-02-27"]):
        found = scan.filter(layout.filter(partitions)).select("n").collect()["n"].to_list()
        assert sorted(found) == [n for day, n in rows if (day or UNDATED) in partitions]


def test_a_snapshot_is_replaced_whole(store: Store) -> None:
    layout = Partitioning.SNAPSHOT
    _put(store, {WHOLE: 1}, [(DAYS[0], 0), (None, 1)], layout)
    _put(store, {WHOLE: 2}, [(DAYS[0], 2)], layout)
    assert _rows(store, layout) == [(None, 2)]
    _put(store, {WHOLE: 3}, [], layout)
    assert _rows(store, layout) == []
    assert delta.fingerprints(store, "t") == {WHOLE: 3}


@pytest.mark.parametrize("layout", DATED, ids=lambda layout: layout.value)
def test_an_empty_frame_clears_its_dates_and_leaves_the_fingerprint(store: Store, layout: Partitioning) -> None:
    _put(store, {DAYS[0]: 1, DAYS[1]: 1}, [(DAYS[0], 0), (DAYS[1], 1)], layout)
    _put(store, {DAYS[0]: 2}, [], layout)
    assert _rows(store, layout) == [(DAYS[1], 1)]
    assert delta.fingerprints(store, "t") == {DAYS[0]: 2, DAYS[1]: 1}


@pytest.mark.parametrize("before", [[], [(DAYS[0], 0)]], ids=["empty", "filled"])
@pytest.mark.parametrize("first", [[], [(DAYS[0], 1)]], ids=["clears", "writes"])
@pytest.mark.parametrize("second", [[], [(DAYS[0], 2)]], ids=["clears", "writes"])
def test_a_stale_handle_conflicts_on_its_date_even_an_empty_one(
    store: Store, before: list[Row], first: list[Row], second: list[Row]
) -> None:
    layout = Partitioning.BY_DATE
    _put(store, {DAYS[0]: 1}, before)
    stale = _open(store)
    _put(store, {DAYS[0]: 2}, first)
    with pytest.raises(delta.Conflict):
        _replace(stale, store, {DAYS[0]: 3}, second, layout)
    assert _rows(store) == first
    assert delta.fingerprints(store, "t") == {DAYS[0]: 2}


@pytest.mark.parametrize("layout", [*DATED, Partitioning.SNAPSHOT], ids=lambda layout: layout.value)
def test_a_stale_handle_conflicts_in_every_layout(store: Store, layout: Partitioning) -> None:
    partitions = [WHOLE] if layout is Partitioning.SNAPSHOT else [DAYS[0], UNDATED]
    for partition in partitions:
        row: list[Row] = [(None if partition == UNDATED else DAYS[0], 0)]
        stale = _open(store, layout)
        _put(store, {partition: 1}, row, layout)
        with pytest.raises(delta.Conflict):
            _replace(stale, store, {partition: 2}, row, layout)
        assert delta.fingerprints(store, "t")[partition] == 1


def test_a_stale_handle_conflicts_when_only_one_of_its_dates_was_written(store: Store) -> None:
    stale = _open(store)
    _put(store, {DAYS[1]: 1}, [])
    with pytest.raises(delta.Conflict):
        _replace(stale, store, {DAYS[0]: 2, DAYS[1]: 2}, [(DAYS[0], 2)], Partitioning.BY_DATE)
    assert _rows(store) == []


@pytest.mark.parametrize("layout", DATED, ids=lambda layout: layout.value)
def test_writers_of_distinct_dates_do_not_conflict(store: Store, layout: Partitioning) -> None:
    _put(store, dict.fromkeys(DAYS, 1), [(day, 0) for day in DAYS], layout)
    handles = [_open(store, layout) for _ in DAYS]
    for day, handle in zip(DAYS, handles, strict=True):
        _replace(handle, store, {day: 2}, [(day, 1)], layout)
    assert _rows(store, layout) == [(day, 1) for day in DAYS]
    assert delta.fingerprints(store, "t") == dict.fromkeys(DAYS, 2)


def test_rows_outside_the_replaced_dates_are_refused(store: Store) -> None:
    _put(store, {DAYS[0]: 1}, [(DAYS[0], 0)])
    with pytest.raises(DeltaError):
        _put(store, {DAYS[0]: 2}, [(DAYS[0], 1), (DAYS[1], 1)])
    assert _rows(store) == [(DAYS[0], 0)]
    assert delta.fingerprints(store, "t") == {DAYS[0]: 1}


def test_an_overwrite_without_predicate_of_a_partitioned_table_is_refused(store: Store) -> None:
    _put(store, {DAYS[0]: 1}, [(DAYS[0], 0)])
    with pytest.raises(ValueError, match="without a predicate would wipe it"):
        delta.replace(store, _open(store), _frame([(DAYS[1], 1)]), None, {})
    assert _rows(store) == [(DAYS[0], 0)]


@pytest.mark.slow(covered=True)
def test_fingerprints_survive_checkpoints(store: Store) -> None:
    expected = {}
    for number in range(27):
        partition = str(dt.date(2011, 1, 1) + dt.timedelta(days=number))
        expected[partition] = 2**60 - number
        _put(store, {partition: expected[partition]}, [])
        if number in {0, 18, 19, 20, 26}:
            assert delta.fingerprints(store, "t") == expected, number
    assert store.stat("t/_delta_log/_last_checkpoint") is not None
    expected["2011-01-01"] = 7  # a fingerprint of before the checkpoint, replaced after it
    _put(store, {"2011-01-01": 7}, [])
    assert delta.fingerprints(store, "t") == expected
    table = _open(store)
    assert {partition: table.transaction_version(partition) for partition in expected} == expected


def test_fingerprints_survive_the_removal_of_old_log_entries(store: Store) -> None:
    for number in range(1, 4):
        partitions = {DAYS[0]: number, f"held:{DAYS[1]}": number}
        delta.replace(store, _open(store), _frame([]), Partitioning.BY_DATE.sql_predicate(DAYS[:2]), partitions)
    table = _open(store)
    table.create_checkpoint()
    table.cleanup_metadata()
    assert delta.fingerprints(store, "t") == {DAYS[0]: 3, f"held:{DAYS[1]}": 3}


def test_a_serial_append_loses_against_any_other_and_reloading_heals_it(store: Store) -> None:
    layout = Partitioning.SNAPSHOT
    first, second = _open(store, layout), _open(store, layout)
    delta.write_serially(store, first, _frame([(None, 1)], layout), ["stream"])
    with pytest.raises(delta.Conflict):
        delta.write_serially(store, second, _frame([(None, 2)], layout), ["stream"])
    assert _rows(store, layout) == [(None, 1)]
    delta.write_serially(store, _open(store, layout), _frame([(None, 2)], layout), ["stream"])
    delta.write_serially(store, first, _frame([(None, 3)], layout), ["other stream"])
    assert _rows(store, layout) == [(None, 1), (None, 2), (None, 3)]


def test_the_files_of_a_table_tell_rows_bytes_and_date(store: Store) -> None:
    _put(store, dict.fromkeys(DAYS[:2], 1), [(DAYS[0], 0), (DAYS[1], 1), (DAYS[1], 2)])
    files = delta_files.files(store, "t").sort("dt")
    assert files["num_records"].to_list() == [1, 2]
    assert files["dt"].to_list() == [dt.date.fromisoformat(day) for day in DAYS[:2]]
    assert files["size_bytes"].min() > 0  # type: ignore[operator]
    written = files["modification_time"].to_list()
    now = dt.datetime.now(dt.UTC)
    assert all(now - dt.timedelta(minutes=5) < moment < now + dt.timedelta(seconds=1) for moment in written)


@pytest.mark.slow
def test_on_s3_too_a_stale_handle_conflicts_and_fingerprints_read_back(s3_lake: Lake) -> None:
    store, expected = s3_lake.store, {}
    stale = _open(store)
    for number in range(23):
        expected[DAYS[number % 3]] = number
        _put(store, {DAYS[number % 3]: number}, [(DAYS[number % 3], number)])
    assert delta.fingerprints(store, "t") == expected
    with pytest.raises(delta.Conflict):
        _replace(stale, store, {DAYS[0]: 99}, [], Partitioning.BY_DATE)
    assert _rows(store) == sorted((partition, n) for partition, n in expected.items())


def test_a_column_of_different_values_gets_no_dictionary_of_all_of_them(store: Store) -> None:
    rows = pl.DataFrame({"n": range(100_000)}).with_columns(pl.lit(None, pl.Date).alias("dt"))
    delta.replace(store, _open(store), rows.select("n", "dt"), "dt is null", {UNDATED: 1})
    [path] = delta_files.file_uris(store, "t")
    column = pq.ParquetFile(path).metadata.row_group(0).column(0)
    assert column.data_page_offset - (column.dictionary_page_offset or 0) < 150_000
    assert _rows(store)[-1] == (None, 99_999)
