"""What `discover` drafts from a file is a module that compiles, and whose feed takes every record of that file."""

import json
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
from lakehouse_assets.parsing.discover import draft, snake_case
from lakehouse_assets.storage import delta
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
    found = _module(folder, draft(file, feed, LIMIT)).FEED
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
        "invoice_date": "Datetime", "unit_price": "Decimal", "customer_id": "Decimal", "country": "String",
    }  # fmt: skip
    assert [header for origin in feed.sources.values() for header in origin.headers] == list(HEADERS)
    assert {name for name, origin in feed.sources.items() if origin.personal} == {"customer_id"}
    assert {name for name, column in feed.contract.columns().items() if column.nullable} == {"customer_id"}
    assert _published(tmp_path, feed, data).height == 5


def test_a_draft_names_the_header_only_where_it_is_not_the_column_name(tmp_path: Path) -> None:
    file = tmp_path / "things.csv"
    file.write_text("id,long_name,Size\n1,x,2\n")
    text = draft(file, None, LIMIT)
    assert text.count("metadata=") == 1
    assert 'metadata=source("Size")' in text
    assert _feed(tmp_path, b"id,size,email\n1,2,a@b\n").sources["email"].personal
    file.write_text("id,size\n1,2\n")
    assert "source" not in draft(file, None, LIMIT)


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
        draft(file, None, LIMIT)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"gone.csv: no such file\. Nothing was discovered\.$"):
        draft(tmp_path / "gone.csv", None, LIMIT)


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
