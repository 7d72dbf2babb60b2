"""Landed objects become bronze files that are never overwritten; the ledger says which of them are live."""

import datetime as dt
import io
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.pipeline.in_bronze import bronze_files, live_rows, records, touched
from lakehouse_assets_tests.retail import DAY, day, gzipped, ingest, land, line, sales, sales_csv, zipped

NEXT = "2011-03-02"


def test_the_records_of_an_object_are_split_by_business_date(lake: Lake) -> None:
    land(lake, "x.csv", sales_csv([*day(count=2), *day(NEXT, 3), line(InvoiceDate="yesterday")]))
    assert touched(lake) == {DAY: 2, NEXT: 3, "undated": 1}
    assert live_rows(lake) == {(DAY, "x.csv"): 2, (NEXT, "x.csv"): 3, ("undated", "x.csv"): 1}
    assert {path.split("/")[2] for path in bronze_files(lake)} == {
        f"dt={DAY}", f"dt={NEXT}", "dt=__HIVE_DEFAULT_PARTITION__",
    }  # fmt: skip
    found = records(lake)
    assert found["dt"].to_list() == [dt.date(2011, 3, 1)] * 2 + [dt.date(2011, 3, 2)] * 3 + [None]
    assert found["_line"].to_list() == [1, 2, 3, 4, 5, 6]
    assert found["_part"].to_list() == [DAY] * 2 + [NEXT] * 3 + ["undated"]


def test_bronze_is_compressed_as_every_reader_of_parquet_knows(lake: Lake) -> None:
    land(lake, "x.csv", sales_csv(day(count=50)))
    ingest(lake)
    for data in bronze_files(lake).values():
        group = pq.ParquetFile(io.BytesIO(data)).metadata.row_group(0)
        assert {group.column(at).compression for at in range(group.num_columns)} == {"SNAPPY"}


def test_bronze_keeps_every_value_as_it_came(lake: Lake) -> None:
    record = line(StockCode=" 85123a ", CustomerID="17850.0", Quantity="six", UnitPrice="1e3")
    land(lake, "x.csv", sales_csv([record]))
    ingest(lake)
    [found] = records(lake).select(list(record)).rows(named=True)
    assert found == record


def test_the_line_is_the_ordinal_in_the_whole_object_not_in_the_date(lake: Lake) -> None:
    land(lake, "x.csv", sales_csv([*day(count=1), *day(NEXT, 1), *day(count=1)]))
    ingest(lake)
    assert records(lake).select("_part", "_line").rows() == [(DAY, 1), (DAY, 3), (NEXT, 2)]


def test_members_of_a_zip_are_source_objects_and_a_bad_one_is_rejected_alone(lake: Lake) -> None:
    land(lake, "drop.zip", zipped({"a.csv": sales_csv(2), "b.csv": b"\xff\xfex", "c.csv.gz": gzipped(sales_csv(3))}))
    [result] = ingest(lake)
    assert live_rows(lake) == {(DAY, "drop.zip!a.csv"): 2, (DAY, "drop.zip!c.csv.gz"): 3}
    assert result.refused == ["drop.zip!b.csv: rejected: the text is UTF-16; save it as UTF-8 and land it again."]


def test_a_resend_touches_the_dates_that_it_leaves_and_keeps_the_old_file(lake: Lake) -> None:
    land(lake, "x.csv", sales_csv([*day(count=2), *day(NEXT, 1)]))
    ingest(lake)
    before = bronze_files(lake)
    land(lake, "x.csv", sales_csv(day(NEXT, 3)))
    assert touched(lake) == {DAY: 0, NEXT: 3}
    assert live_rows(lake) == {(NEXT, "x.csv"): 3}
    after = bronze_files(lake)
    assert before.items() < after.items()


def test_v1_v2_v1_ends_at_v1_without_writing_its_records_twice(lake: Lake) -> None:
    for data in (sales_csv(2), sales_csv(3), sales_csv(2)):
        land(lake, "x.csv", data)
        ingest(lake)
    assert live_rows(lake) == {(DAY, "x.csv"): 2}
    assert len(bronze_files(lake)) == 2
    assert records(lake).height == 2


def test_the_same_content_under_another_key_is_an_alias_and_counts_once(lake: Lake) -> None:
    land(lake, "x.csv", sales_csv(2))
    ingest(lake)
    land(lake, "z.csv", sales_csv(2))
    land(lake, "a.zip", zipped({"m": sales_csv(2)}))
    ingest(lake)
    assert live_rows(lake) == {(DAY, "a.zip!m"): 2}
    assert len(bronze_files(lake)) == 1
    assert set(records(lake)["_source_key"]) == {"a.zip!m"}  # the ledger's key, not that of the first ingestion
    states = lake.ledger_of(sales(lake)).shown.select("source_key", "state")
    assert dict(states.iter_rows()) == {"x.csv": "alias", "z.csv": "alias", "a.zip!m": "accepted"}


def test_a_rejected_resend_leaves_the_last_good_version_live(lake: Lake) -> None:
    land(lake, "x.csv", sales_csv(2))
    ingest(lake)
    land(lake, "x.csv", b"a,b\n1,2\n")
    ingest(lake)
    assert live_rows(lake) == {(DAY, "x.csv"): 2}


def test_an_object_of_no_records_is_accepted(lake: Lake) -> None:
    land(lake, "x.csv", sales_csv([]))
    [result] = ingest(lake)
    assert (result.refused, result.touched, live_rows(lake)) == ([], {}, {})
    assert ingest(lake) == []


@pytest.mark.parametrize("name", ["a b", "é", "dt=2011-03-01", "a+b", "[x]*?", "100%25 #1"])
def test_a_lake_may_lie_in_a_folder_of_any_name_or_says_that_it_may_not(tmp_path: Path, name: str) -> None:
    try:
        lake = lake_at(str(tmp_path / name))
    except ValueError:
        assert not re.fullmatch(r"[\w= +]+", name)  # only what is really strange may be refused
        return
    land(lake, "x.csv", sales_csv(2))
    ingest(lake)
    assert records(lake)["_part"].to_list() == [DAY, DAY]


def test_a_lake_may_be_named_by_a_roundabout_path(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    lake = lake_at(f"{tmp_path}/a/../lake//x/")
    land(lake, "x.csv", sales_csv(2))
    ingest(lake)
    assert records(lake)["_part"].to_list() == [DAY, DAY]


def test_ingestion_time_is_recorded_with_each_record(lake: Lake) -> None:
    before = dt.datetime.now(dt.UTC)
    land(lake, "x.csv", sales_csv(1))
    ingest(lake)
    [moment] = records(lake)["_ingested_at"].to_list()
    assert before <= moment <= dt.datetime.now(dt.UTC)
