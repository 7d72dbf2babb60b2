"""A large object that is read in windows becomes the same records as one that is read whole."""

from pathlib import Path
from typing import Any

import dataframely as dy
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakehouse_assets.contracts.declare import Csv, Feed, Json, source
from lakehouse_assets.parsing.archives import Rejection
from lakehouse_assets.parsing.parse import parse
from lakehouse_assets.parsing.parse_windows import parse_in_windows
from lakehouse_assets.parsing.windows import NotInWindowsError
from lakehouse_assets.query.verify import verify
from lakehouse_assets_tests.pipeline.declared import feed_of, lake_of, stored
from lakehouse_assets_tests.retail import ingest, land, publish

COLUMNS: dict[str, Any] = {
    "id": dy.Int64(nullable=False),
    "name": dy.String(nullable=True, metadata=source("Name")),
    "price": dy.Decimal(9, 2, nullable=True),
}
FEED = feed_of(COLUMNS)
LIMIT = 2**20
VALUES = ["1", "22", "x", "", "Crème", '"quoted"', '"a,b"', '"two\nlines"', '"say ""yes"""', '"two\n\nlines"']
ODD = ['5" pipe', '"open', 'after" it', "a,b", "bare\rreturn"]


def in_windows(data: bytes, size: int, feed: Feed = FEED) -> tuple[pl.DataFrame, str]:
    found = list(parse_in_windows(data, feed, size, size))
    return pl.concat([records for records, _ in found]), found[-1][1].words


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize("odd", [False, True])
@settings(max_examples=40, deadline=None, derandomize=True, database=None, suppress_health_check=[*HealthCheck])
@given(st.data())
def test_windows_read_the_same_or_leave_it(odd: bool, data: st.DataObject) -> None:  # noqa: FBT001
    values = st.sampled_from(VALUES + ODD if odd else VALUES)
    records = data.draw(st.lists(st.lists(values, min_size=3, max_size=3).map(",".join), min_size=1, max_size=12))
    ends = data.draw(st.sampled_from(["\n", "\r\n"]))
    text = ends.join(["id,Name,price", *records, ""]).encode()
    try:
        found, words = in_windows(text, data.draw(st.integers(20, 60)))
    except NotInWindowsError:
        return
    whole, drift = parse(text, FEED, LIMIT)
    assert found.equals(whole)
    assert words == drift.words


def _stock(rows: int) -> bytes:
    lines = [f'{at},"Name, {at}",{at % 9}.50' for at in range(rows)]
    return "\n".join(["id,Name,price", *lines, ""]).encode()


def test_an_object_is_read_in_as_many_windows_as_it_takes() -> None:
    text = _stock(200)
    parts = list(parse_in_windows(text, FEED, 400, 400))
    assert len(parts) >= 10
    assert max(records.height for records, _ in parts) < 30
    assert pl.concat([records for records, _ in parts]).equals(parse(text, FEED, LIMIT)[0])


HEADERS = {
    "bom": b"\xef\xbb\xbfid,Name,price\n",
    "blank lines before": b"\r\n\nid,Name,price\n",
    "semicolons": b"id;Name;price\n",
    "new column": b"id,Name,price,more\n",
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_the_first_line_says_how_all_windows_are_read(header: bytes) -> None:
    between = ";" if b";" in header else ","
    width = header.count(between.encode()) + 1
    lines = [between.join([str(at), "x", "1", "" if at < 30 else "n"][:width]) + "\n" for at in range(60)]
    text = header + "".join(lines).encode()
    found, words = in_windows(text, 80)
    whole, drift = parse(text, FEED, LIMIT)
    assert found.equals(whole)
    assert words == drift.words
    assert ("written like 'a'" in words) == (width == 4)


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-16-be", "mac_roman", "shift_jis", "utf-8-sig", None])
def test_text_in_another_encoding_is_decoded_in_pieces(encoding: str | None) -> None:
    text = _stock(30).decode() + "".join(
        f"{at},{'表' if encoding == 'shift_jis' else 'Crème'},1\r\n" for at in range(30)
    )
    feed = feed_of(COLUMNS, format=Csv(encoding=encoding)) if encoding else FEED
    data = text.encode(encoding or "cp1252")
    for size in (61, 62, 63, 100):
        found, words = in_windows(data, size, feed)
        whole, drift = parse(data, feed, LIMIT)
        assert found.equals(whole)
        assert words == drift.words


def test_a_column_whose_first_values_come_late_is_judged_by_these() -> None:
    lines = [f"{at},x,{'' if at < 30 else 'dear'}" for at in range(60)]
    text = "\n".join(["id,Name,price", *lines, ""]).encode()
    assert parse(text, FEED, LIMIT)[1].retyped
    with pytest.raises(NotInWindowsError):
        in_windows(text, 100)


def test_declared_headers_and_quotes() -> None:
    form = Csv(header=("id", "Name", "price"), delimiter="|", quote="'")
    text = "".join(f"{at}|'a\n|{at}'|1\n" for at in range(50)).encode()
    feed = feed_of(COLUMNS, format=form)
    assert in_windows(text, 60, feed)[0].equals(parse(text, feed, LIMIT)[0])


WHOLE = {
    "two encodings": (FEED, _stock(50) + "51,Crème,1\n".encode("cp1252") + "52,Crème,1\n".encode()),
    "in no encoding": (FEED, _stock(50) + b"51,Cr\x81me,1\n"),
    "UTF-16 not declared": (FEED, _stock(50).decode().encode("utf-16")),
    "not in the declared encoding": (feed_of(COLUMNS, format=Csv(encoding="ascii")), _stock(50) + "51,é,1\n".encode()),
    "short record": (FEED, _stock(50) + b"51,x\n"),
    "JSON": (FEED, b'[{"id": "' + b"1" * 500 + b'"}]'),
    "declared JSON": (feed_of(COLUMNS, format=Json()), _stock(50)),
    "path into a field": (feed_of(COLUMNS | {"city": dy.String(metadata=source("at.city"))}), _stock(50)),
    "repeated header": (FEED, _stock(50).replace(b"Name", b"id", 1)),
    "quotes never closed": (FEED, _stock(50) + b'51,"x,1\n' * 30),
    "column of another type": (FEED, b"id,Name,price\n" + b"one,x,1\n" * 50),
    "step that looks at other records": (
        feed_of(COLUMNS | {"name": dy.String(metadata=source("Name", normalise=(lambda t: t.fill_null(t.first()),)))}),
        _stock(50),
    ),
}


@pytest.mark.parametrize(("feed", "text"), WHOLE.values(), ids=WHOLE)
def test_what_has_to_be_read_whole(feed: Feed, text: bytes) -> None:
    with pytest.raises((NotInWindowsError, Rejection)):
        in_windows(text, 100, feed)


@pytest.mark.slow
@pytest.mark.parametrize("where", ["folder", "s3"])
def test_a_large_object_is_ingested_in_windows(where: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    root = tmp_path / "large" if where == "folder" else request.getfixturevalue("s3_lake").settings.root
    small = {"ingest_batch_bytes": 2000, "publish_batch_rows": 40}
    lakes = [lake_of(tmp_path / "whole", FEED), lake_of(root, FEED, **small)]
    for lake in lakes:
        land(lake, "stock.csv", _stock(200), "things")
        land(lake, "stock.csv.manifest.json", b'{"rows": 200, "sums": {"price": 893, "id": 19900}}', "things")
        [batch] = ingest(lake, feed="things")
        assert [entry.partitions for version in batch.versions for entry in version.entries] == [{"whole": 200}]
        assert batch.refused == []
        publish(lake, feed="things")
    whole, windows = (stored(lake, "silver", "id", "name", "price", "_line") for lake in lakes)
    assert windows == whole
    assert len(windows) == 200
    assert list(verify(lakes[1], deep=True)) == []


@pytest.mark.slow
def test_a_large_object_of_many_dates_is_split_as_a_small_one(tmp_path: Path) -> None:
    feed = feed_of(COLUMNS | {"on": dy.Date(nullable=False)}, business_date="on")
    text = "id,Name,price,on\n" + "".join(f"{at},x,1,2026-03-{1 + at % 5:02}\n" for at in range(100))
    rows = []
    for size in (512, 2**20):
        lake = lake_of(tmp_path / str(size), feed, ingest_batch_bytes=size)
        land(lake, "a.csv", text.encode(), "things")
        ingest(lake, feed="things")
        publish(lake, feed="things")
        rows.append(stored(lake, "silver", "id", "on", "_line"))
        assert lake.ledger_of(feed).live["rows"].to_list() == [20] * 5
    assert rows[0] == rows[1]
