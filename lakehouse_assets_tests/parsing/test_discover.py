"""What `discover` drafts from a file is a module that compiles, and whose feed takes every record of that file."""

import json
import re
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Contract, Feed
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.parsing.archives import Rejection
from lakehouse_assets.parsing.discover import draft
from lakehouse_assets.parsing.draft_text import snake_case
from lakehouse_assets.storage import delta
from lakehouse_assets_tests.bad_input.inputs import CORPUS
from lakehouse_assets_tests.conftest import SHARED, lake_at
from lakehouse_assets_tests.retail import HEADERS, day, gzipped, ingest, land, publish, sales_csv, zipped

LIMIT = 2**26


def _module(folder: Path, text: str) -> types.ModuleType:
    """Return the drafted module, imported from a file as a person would put it there."""
    file = folder / "drafted.py"
    file.write_text(text, encoding="utf-8")
    module = types.ModuleType("drafted")
    exec(compile(text, str(file), "exec"), module.__dict__)  # noqa: S102 - that it runs is what is tested
    return module


def _feed(folder: Path, data: bytes, name: str = "orders.csv", feed: str | None = None) -> Feed:
    file = folder / name
    file.write_bytes(data)
    found = _module(folder, draft([file], feed, LIMIT)).FEED
    assert isinstance(found, Feed)
    return found


def _types(feed: Feed) -> dict[str, str]:
    return {name: type(column).__name__ for name, column in feed.contract.columns().items()}


def _published(folder: Path, feed: Feed, data: bytes) -> pl.DataFrame:
    at = lake_at(str(folder / "lake"))
    lake = Lake(at.store, at.settings, Registry([feed], []))
    land(lake, "x", data, feed.name)
    ingest(lake, feed=feed.name)
    outcomes = publish(lake, feed=feed.name)
    assert {outcome.verdict for outcome in outcomes.values()} == {"published"}
    assert sum(outcome.quarantined for outcome in outcomes.values()) == 0
    return delta.scan(lake.store, feed.silver.path, {}).collect()


def test_sales_are_discovered_with_their_types_and_published_whole(tmp_path: Path) -> None:
    data = sales_csv([*day(count=3), *day("2011-03-02", 2, CustomerID=None)])
    feed = _feed(tmp_path, data)
    assert feed.name == "orders"
    assert issubclass(feed.contract, Contract)
    assert feed.business_date == "invoice_date"
    assert _types(feed) == {
        "invoice_no": "Int64", "stock_code": "String", "description": "String", "quantity": "Int64",
        "invoice_date": "Datetime", "unit_price": "Decimal", "customer_id": "Int64", "country": "String",
    }  # fmt: skip
    assert [header for origin in feed.sources.values() for header in origin.headers] == list(HEADERS)
    assert {name for name, origin in feed.sources.items() if origin.personal} == {"customer_id"}
    assert {name for name, column in feed.contract.columns().items() if column.nullable} == {"customer_id"}
    assert _published(tmp_path, feed, data).height == 5


def test_a_draft_names_the_header_only_where_it_is_not_the_column_name(tmp_path: Path) -> None:
    file = tmp_path / "things.csv"
    file.write_text("id,long_name,Size\n1,x,2\n")
    text = draft([file], None, LIMIT)
    assert text.count("metadata=") == 1
    assert 'metadata=source("Size")' in text
    assert _feed(tmp_path, b"id,size,email\n1,2,a@b\n").sources["email"].personal
    file.write_text("id,size\n1,2\n")
    assert "source" not in draft([file], None, LIMIT)


KINDS: dict[str, tuple[list[str | None], str]] = {
    "integers": (["1", "-20", "+3", "0"], "Int64"),
    "leading zeros are text": (["007", "010"], "String"),
    "decimals": (["1.5", "-2", ".25"], "Decimal"),
    "exponents are text": (["1e3"], "String"),
    "truth values": (["true", "False"], "Bool"),
    "dates": (["2011-03-01", "2012-02-29"], "Date"),
    "times": (["2011-03-01 08:26:00", "2011-03-01T08:26:00Z"], "Datetime"),
    "dates and times": (["2011-03-01", "2011-03-01 08:26:00"], "Datetime"),
    "other dates are text": (["01/03/2011"], "String"),
    "impossible dates are text": (["2011-02-30"], "String"),
    "numbers and words": (["1", "x"], "String"),
    "nothing": ([None, None], "String"),
}


@pytest.mark.parametrize(("values", "kind"), KINDS.values(), ids=KINDS.keys())
def test_a_column_has_the_narrowest_type_that_every_value_fits(
    tmp_path: Path, values: list[str | None], kind: str
) -> None:
    data = "".join(json.dumps({"k": str(at), "v": value}) + "\n" for at, value in enumerate(values)).encode()
    feed = _feed(tmp_path, data, "things.json")
    assert _types(feed)["v"] == kind
    found = _published(tmp_path, feed, data)
    assert found["v"].null_count() == values.count(None)


@pytest.mark.parametrize("digits", [18, 19, 20, 30])
@pytest.mark.parametrize("end", ["", ".25"])
def test_numbers_of_any_length_are_taken_whole(tmp_path: Path, digits: int, end: str) -> None:
    data = f"k,v\n1,{'9' * digits}\n2,-{'9' * digits}{end}\n".encode()
    assert _published(tmp_path, _feed(tmp_path, data), data).height == 2


def _with_another(data: bytes) -> bytes:
    return zipped({"a.csv": data, "b.csv": b"other"})


@pytest.mark.parametrize("wrap", [gzipped, _with_another])
def test_a_packed_file_is_discovered_by_its_first_member(tmp_path: Path, wrap: Callable[[bytes], bytes]) -> None:
    assert list(_feed(tmp_path, wrap(sales_csv())).sources)[:2] == ["invoice_no", "stock_code"]


def test_any_separator_is_discovered(tmp_path: Path) -> None:
    for separator in ",;\t|":
        feed = _feed(tmp_path, sales_csv(separator=separator))
        assert [origin.headers[0] for origin in feed.sources.values()] == list(HEADERS)


NAMES = {
    "InvoiceNo": "invoice_no", "CustomerID": "customer_id", "HTTPServer2": "http_server2",
    "Unit Price (£)": "unit_price",
    " trimmed ": "trimmed", "2nd line": "n2nd_line", "class": "class_", "filter": "filter_", "validate": "validate_",
    "dt": "dt_", "year": "year_", "!!!": "field", "a-b.c": "a_b_c", "already_snake": "already_snake",
}  # fmt: skip


@pytest.mark.parametrize(("name", "expected"), NAMES.items(), ids=NAMES.keys())
def test_a_field_becomes_a_column_name(name: str, expected: str) -> None:
    assert snake_case(name) == expected


@pytest.mark.slow
@given(st.text(max_size=12))
@settings(max_examples=200, deadline=None)
def test_any_field_becomes_an_identifier(name: str) -> None:
    assert snake_case(name).isidentifier()


ODD_HEADERS = {
    "names that become one": ["A b", "a_b", "a-b"],
    "words of Python": ["class", "def", "None"],
    "names that the contract uses itself": ["filter", "columns", "validate", "dt", "source", "Contract", "dy"],
    "quotes and backslashes": ['say "x"', "back\\slash", "it's", "new\\nline"],
    "other scripts": ["Größe", "名前", "ﬁ"],
    "names that begin with an underscore": ["_id", "_rev", "__v"],
    "names of ours": ["rules", "_line", "_source_key"],
    "a name that is text": ["text", "number"],
}


@pytest.mark.parametrize("headers", ODD_HEADERS.values(), ids=ODD_HEADERS.keys())
def test_a_file_with_odd_headers_is_discovered_whole(tmp_path: Path, headers: list[str]) -> None:
    records = [{"key": str(at)} | {name: f"value {name}" for name in headers} for at in range(2)]
    data = json.dumps(records).encode()
    feed = _feed(tmp_path, data, "odd.json")
    assert [origin.headers[-1] for origin in feed.sources.values()] == ["key", *headers]
    found = _published(tmp_path, feed, data)
    assert found.height == 2
    assert {value for name in feed.sources for value in found[name].to_list()} == {
        *[f"value {name}" for name in headers], 0, 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        "feed.json",
        "source.csv",
        "contract.csv",
        "dy.csv",
        "2024 sales.csv",
        "My-Export.v2.csv",
        "class.csv",
        "größe.csv",
    ],
)
def test_a_file_of_any_name_is_discovered_as_a_feed_that_works(tmp_path: Path, name: str) -> None:
    data = sales_csv()
    assert _published(tmp_path, _feed(tmp_path, data, name), data).height == 3


@pytest.mark.parametrize("name", ["My Feed", "Sales", "o'rders", "a\nb", "", "1st"])
def test_a_name_that_no_feed_can_have_is_corrected_or_refused(tmp_path: Path, name: str) -> None:
    try:
        feed = _feed(tmp_path, sales_csv(), feed=name)
    except (Rejection, ValueError) as error:
        assert "\n" not in str(error)  # noqa: PT017 - either way is right
    else:
        assert feed.name.isidentifier()


def test_a_name_given_is_the_name_of_the_feed(tmp_path: Path) -> None:
    assert _feed(tmp_path, sales_csv(), feed="till_sales").name == "till_sales"


@pytest.mark.parametrize("data", [b"", b"a,b\n", b"[]", b"PK\x03\x04", b"\xff\xfeab"])
def test_a_file_without_records_is_refused_in_one_line(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "x.csv"
    file.write_bytes(data)
    with pytest.raises(Rejection) as error:
        draft([file], None, LIMIT)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"gone.csv: no such file\. Nothing was discovered\.$"):
        draft([tmp_path / "gone.csv"], None, LIMIT)


def _dumps() -> list[Path]:
    return sorted((SHARED / "data" / "bestbuy").rglob("*.json"))


@pytest.mark.slow
@pytest.mark.parametrize("file", _dumps() or [None], ids=lambda file: "none" if file is None else file.stem)
def test_a_real_dump_is_discovered_and_published_whole(tmp_path: Path, file: Path | None) -> None:
    if file is None:
        pytest.skip(f"the real data is not at {SHARED / 'data' / 'bestbuy'}")
    data = file.read_bytes()
    feed = _feed(tmp_path, data, file.name)
    assert _published(tmp_path, feed, data).height == len(json.loads(data))


# Several files, and odd ones


def _written(folder: Path, files: dict[str, bytes]) -> Path:
    (landing := folder / "drops").mkdir()
    for name, data in files.items():
        (landing / name).write_bytes(data)
    return landing


def test_types_hold_for_every_file_of_a_folder(tmp_path: Path) -> None:
    files = {
        "1.csv": b"id,price,note\n1,2,a\n2,3,b\n",
        "2.csv": b"id,price,note,late\n3,2.55,,\n4,1,x,y\n5,1,z,\n",
        "3.json": b'[{"id": "x7", "price": 1}]',
    }
    text = draft([_written(tmp_path, files)], None, LIMIT)
    feed = _module(tmp_path, text).FEED
    assert feed.name == "drops"
    assert _types(feed) == {"id": "String", "price": "Decimal", "note": "String", "late": "String"}
    assert {name for name, column in feed.contract.columns().items() if column.nullable} == {"note", "late"}
    assert "# Drafted from 6 records of 3 of 3 files." in text


def test_what_cannot_be_read_or_has_other_fields_is_left_out_and_said(tmp_path: Path) -> None:
    files = {
        "1.csv": b"id,price\n1,2\n",
        "2.csv": b"\x00\xff" * 9,
        "3.csv": b"store,city\n1,x\n",
        "4.csv": b"id,price\n",
    }
    text = " ".join(draft([_written(tmp_path, files)], None, LIMIT).replace("#", " ").split())
    assert "1 records of 1 of 4 files" in text
    assert "Left out: 2.csv: " in text
    assert "And 1 more." in text


def test_a_folder_of_many_files_is_looked_at_here_and_there(tmp_path: Path) -> None:
    files = {f"{at:03d}.csv": f"id,at\n{at},2011-03-01\n".encode() for at in range(100)}
    files["050.csv.manifest.json"] = b"{}"
    text = draft([_written(tmp_path, files)], None, LIMIT)
    assert "24 records of 24 of 100 files" in text


@pytest.mark.parametrize("pack", [bytes, gzipped, lambda data: zipped({"day.csv": data})])
@pytest.mark.parametrize("kind", ["csv", "json"])
def test_a_long_file_is_looked_at_from_its_beginning(
    tmp_path: Path, kind: str, pack: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lakehouse_assets.parsing.sample._MOST_BYTES_EACH", 100_000)
    records = [{"id": at, "text": 'two\nlines, "quoted"', "late": at if at == 9_999 else None} for at in range(10_000)]
    if kind == "csv":
        data = pl.DataFrame(records, infer_schema_length=None).write_csv().encode()
    else:
        data = json.dumps({"n": 1, "items": records}).encode()
    (file := tmp_path / f"long.{kind}").write_bytes(pack(data))
    text = draft([file], None, LIMIT)
    feed = _module(tmp_path, text).FEED
    assert "the first " in text
    assert _types(feed) == {"id": "Int64", "text": "String", "late": "String"}
    assert "# text: no value in the sample" in text


def test_a_large_parquet_file_is_read_from_its_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakehouse_assets.parsing.sample._MOST_BYTES_EACH", 1_000)
    file = tmp_path / "x.parquet"
    pl.DataFrame({"id": range(100_000), "opened": ["2011-03-01"] * 100_000}).write_parquet(file)
    text = draft([file], None, LIMIT)
    assert _types(_module(tmp_path, text).FEED) == {"id": "Int64", "opened": "Date"}
    assert "the first 50,000 records" in " ".join(text.replace("#", " ").split())


COMMENTS: dict[str, tuple[list[str], str, str]] = {
    "numbers, but for some": ([*map(str, range(30)), "n/a"], "String", "# text: 1 of 31 values is no number: 'n/a'"),
    "leading zeros": (["01", "02"], "String", "# text: leading zeros"),
    "decimals or thousands": (["1,234", "5,678"], "String", "does not tell decimals from thousands"),
    "thousands": (["1,234", "1,234,567"], "Int64", 'thousands=","'),
    "decimal comma": (["1,23", "4,5"], "Decimal", 'decimal=","'),
    "day first": (["13/01/2011", "01/02/2011"], "Date", 'formats=("%d/%m/%Y",)'),
    "two formats that differ": (["13/01/2011", "2011/01/13", "01/13/2011 "], "String", ""),
    "long decimals": (["0.123456789012345", "0.5"], "Float64", "# float: too many decimals"),
    "codes that look like exponents": (["12e3", "12", "1.5"], "String", ""),
    "identifiers that look like dates": (["20110301", "20110302"], "Int64", ""),
    "times without seconds": (["1.3.2011 8:26", "13.3.2011 18:26"], "Datetime", 'formats=("%d.%m.%Y %H:%M",)'),
}


@pytest.mark.parametrize(("values", "kind", "said"), COMMENTS.values(), ids=COMMENTS.keys())
def test_a_draft_says_how_values_are_written_and_why_they_stay_text(
    tmp_path: Path, values: list[str], kind: str, said: str
) -> None:
    data = json.dumps([{"k": f"k{at}", "v": value} for at, value in enumerate(values)]).encode()
    (file := tmp_path / "things.json").write_bytes(data)
    text = draft([file], None, LIMIT)
    assert _types(_feed(tmp_path, data, "things.json"))["v"] == kind
    assert said in text
    assert _published(tmp_path, _feed(tmp_path, data, "things.json"), data).height == len(values)


def test_a_comment_shows_no_personal_value(tmp_path: Path) -> None:
    (file := tmp_path / "x.csv").write_text("id,E-Mail\n" + "".join(f"{at},{at}\n" for at in range(20)) + "20,secret\n")
    text = draft([file], None, LIMIT)
    assert "1 of 21 values is no number" in text
    assert "secret" not in text


def test_other_columns_tell_what_a_point_in_a_number_is(tmp_path: Path) -> None:
    data = b"id;price;units\n1;1,5;1.234\n2;2,25;5.678\n"
    feed = _feed(tmp_path, data)
    assert _types(feed) == {"id": "Int64", "price": "Decimal", "units": "Int64"}
    assert _published(tmp_path, feed, data)["units"].to_list() == [1234, 5678]


@pytest.mark.parametrize(
    ("text", "has_header"),
    [
        ("country,2010,2011\nUK,1,2\nFR,3,4\n", True),
        ("name,city\nann,York\nbob,Leeds\n", True),
        ("1,ann,2011-03-01\n2,bob,2011-03-02\n", False),
        ("ann,York\nbob,York\nann,Leeds\n", False),
    ],
)
def test_a_first_line_that_looks_like_data_is_taken_as_a_record(tmp_path: Path, text: str, *, has_header: bool) -> None:
    feed = _feed(tmp_path, text.encode())
    assert (feed.format is None) == has_header
    assert _published(tmp_path, feed, text.encode()).height == text.count("\n") - has_header


def test_columns_and_pairs_that_tell_records_apart_are_named(tmp_path: Path) -> None:
    (file := tmp_path / "x.csv").write_text("shop,till,n\nA,1,1.5\nA,2,1.5\nB,1,1.5\n")
    assert "# Unique in these records: shop with till." in draft([file], None, LIMIT)


def test_objects_that_are_not_alike_stay_text(tmp_path: Path) -> None:
    data = json.dumps([{"id": 1, "x": {"a": {"b": 1}}}, {"id": 2, "x": {"a": 5}}]).encode()
    (file := tmp_path / "x.json").write_bytes(data)
    assert "# text: JSON objects" in draft([file], None, LIMIT)
    assert _published(tmp_path, _feed(tmp_path, data, "x.json"), data).height == 2


@pytest.mark.parametrize(
    "name",
    [
        *["zip without members", "zip with folders only", "zip packed with LZMA, damaged", "encrypted zip"],
        *["truncated gzip", "nested zip", "a PNG image", "UTF-32", "JSON array cut short", "JSON nested 100,000 deep"],
        *["commas only", "header only", "NUL bytes only", "truncated Parquet", "an Excel workbook of the old kind"],
    ],
)
def test_a_damaged_file_is_refused_in_one_line_or_gives_a_module(tmp_path: Path, name: str) -> None:
    (file := tmp_path / f"x.{CORPUS[name].suffix}").write_bytes(CORPUS[name].make())
    try:
        text = draft([file], None, LIMIT)
    except Rejection as rejection:
        assert "\n" not in str(rejection)  # noqa: PT017 - either way is right
    else:
        assert isinstance(_module(tmp_path, text).FEED, Feed)


def test_an_empty_folder_is_said_in_one_line(tmp_path: Path) -> None:
    (empty := tmp_path / "empty").mkdir()
    with pytest.raises(Rejection, match=r"empty: it holds no file\. Nothing was discovered\.$"):
        draft([empty], None, LIMIT)


@pytest.mark.slow
def test_a_large_file_is_discovered_in_little_memory(tmp_path: Path) -> None:
    block = "".join(f'{at},2011-03-01 08:00:00,"Flat white, large",{at / 8}\n' for at in range(20_000)).encode()
    with (file := tmp_path / "big.csv").open("wb") as stream:
        stream.write(b"id,at,article,price\n")
        for _ in range(300):  # 250 MB; the peak is the same with more
            stream.write(block)
    # Not `getrusage`: its peak begins with that of the process which this one was forked from.
    code = "import sys; from pathlib import Path; from lakehouse_assets.parsing.discover import draft; "
    code += "draft([Path(sys.argv[1])], None, 2**30); print(Path('/proc/self/status').read_text())"
    ran = subprocess.run([sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=True)
    [peak] = re.findall(r"VmHWM:\s+(\d+) kB", ran.stdout)
    assert int(peak) < 400_000
