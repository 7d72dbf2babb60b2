"""What `discover` drafts from a file is a module that compiles, and whose feed takes every record of that file."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse_assets.contracts.declare import Contract
from lakehouse_assets.parsing.archives import Rejection
from lakehouse_assets.parsing.discover import draft
from lakehouse_assets.parsing.draft_text import snake_case
from lakehouse_assets_tests.conftest import SHARED
from lakehouse_assets_tests.parsing.drafted import LIMIT, drafted, published, types_of
from lakehouse_assets_tests.retail import HEADERS, day, sales_csv


def test_sales_are_discovered_with_their_types_and_published_whole(tmp_path: Path) -> None:
    data = sales_csv([*day(count=3), *day("2011-03-02", 2, CustomerID=None)])
    feed = drafted(tmp_path, data)
    assert feed.name == "orders"
    assert issubclass(feed.contract, Contract)
    assert feed.business_date == "invoice_date"
    assert types_of(feed) == {
        "invoice_no": "Int64", "stock_code": "String", "description": "String", "quantity": "Int64",
        "invoice_date": "Datetime", "unit_price": "Decimal", "customer_id": "Int64", "country": "String",
    }  # fmt: skip
    assert [header for origin in feed.sources.values() for header in origin.headers] == list(HEADERS)
    assert {name for name, origin in feed.sources.items() if origin.personal} == {"customer_id"}
    assert {name for name, column in feed.contract.columns().items() if column.nullable} == {"customer_id"}
    assert published(tmp_path, feed, data).height == 5


def test_a_draft_names_the_header_only_where_it_is_not_the_column_name(tmp_path: Path) -> None:
    file = tmp_path / "things.csv"
    file.write_text("id,long_name,Size\n1,x,2\n")
    text = draft([file], None, LIMIT)
    assert text.count("metadata=") == 1
    assert 'metadata=source("Size")' in text
    assert drafted(tmp_path, b"id,size,email\n1,2,a@b\n").sources["email"].personal
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


@pytest.mark.slow
@pytest.mark.parametrize(("values", "kind"), KINDS.values(), ids=KINDS.keys())
def test_a_column_has_the_narrowest_type_that_every_value_fits(
    tmp_path: Path, values: list[str | None], kind: str
) -> None:
    data = "".join(json.dumps({"k": str(at), "v": value}) + "\n" for at, value in enumerate(values)).encode()
    feed = drafted(tmp_path, data, "things.json")
    assert types_of(feed)["v"] == kind
    found = published(tmp_path, feed, data)
    assert found["v"].null_count() == values.count(None)


@pytest.mark.slow
@pytest.mark.parametrize("digits", [18, 19, 20, 30])
@pytest.mark.parametrize("end", ["", ".25"])
def test_numbers_of_any_length_are_taken_whole(tmp_path: Path, digits: int, end: str) -> None:
    data = f"k,v\n1,{'9' * digits}\n2,-{'9' * digits}{end}\n".encode()
    assert published(tmp_path, drafted(tmp_path, data), data).height == 2


def test_any_separator_is_discovered(tmp_path: Path) -> None:
    for separator in ",;\t|":
        feed = drafted(tmp_path, sales_csv(separator=separator))
        assert [origin.headers[0] for origin in feed.sources.values()] == list(HEADERS)


NAMES = {
    "InvoiceNo": "invoice_no", "CustomerID": "customer_id", "HTTPServer2": "http_server2",
    "Unit Price (£)": "unit_price",
    "Größe (cm)": "grosse_cm",
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


@pytest.mark.slow
@pytest.mark.parametrize("headers", ODD_HEADERS.values(), ids=ODD_HEADERS.keys())
def test_a_file_with_odd_headers_is_discovered_whole(tmp_path: Path, headers: list[str]) -> None:
    records = [{"key": str(at)} | {name: f"value {name}" for name in headers} for at in range(2)]
    data = json.dumps(records).encode()
    feed = drafted(tmp_path, data, "odd.json")
    assert [origin.headers[-1] for origin in feed.sources.values()] == ["key", *headers]
    found = published(tmp_path, feed, data)
    assert found.height == 2
    assert {value for name in feed.sources for value in found[name].to_list()} == {
        *[f"value {name}" for name in headers], 0, 1,
    }  # fmt: skip


@pytest.mark.slow
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
    assert published(tmp_path, drafted(tmp_path, data, name), data).height == 3


@pytest.mark.parametrize("name", ["My Feed", "Sales", "o'rders", "a\nb", "", "1st"])
def test_a_name_that_no_feed_can_have_is_corrected_or_refused(tmp_path: Path, name: str) -> None:
    try:
        feed = drafted(tmp_path, sales_csv(), feed=name)
    except (Rejection, ValueError) as error:
        assert "\n" not in str(error)  # noqa: PT017 - either way is right
    else:
        assert feed.name.isidentifier()


@pytest.mark.parametrize("first", ["", '""', " "])
def test_the_index_that_data_frames_write_is_a_column_without_a_name(tmp_path: Path, first: str) -> None:
    data = f"{first},self,size\n0,a,2\n1,b,3\n".encode()
    feed = drafted(tmp_path, data)
    assert types_of(feed) == {"unnamed": "Int64", "self": "String", "size": "Int64"}
    assert published(tmp_path, feed, data).sort("unnamed")["unnamed"].to_list() == [0, 1]


def test_numbers_over_a_table_whose_rows_are_named_are_names(tmp_path: Path) -> None:
    data = b'"","1","2"\n"a",5,6\n"b",7,8\n'
    feed = drafted(tmp_path, data)
    assert types_of(feed) == {"unnamed": "String", "n1": "Int64", "n2": "Int64"}
    assert published(tmp_path, feed, data).height == 2


def test_names_that_only_case_tells_apart_have_others_in_bronze(tmp_path: Path) -> None:
    data = b"p95,P95,Dt\n1,2,3\n4,5,6\n"
    feed = drafted(tmp_path, data)
    assert published(tmp_path, feed, data).sort("p95").select("p95", "p95_", "dt_").rows() == [(1, 2, 3), (4, 5, 6)]


def test_a_separator_at_the_end_of_each_line_makes_no_column(tmp_path: Path) -> None:
    data = b"id,size,\n1,2,\n2,3,\n"
    feed = drafted(tmp_path, data)
    assert types_of(feed) == {"id": "Int64", "size": "Int64"}
    assert published(tmp_path, feed, data).height == 2


def test_a_name_given_is_the_name_of_the_feed(tmp_path: Path) -> None:
    assert drafted(tmp_path, sales_csv(), feed="till_sales").name == "till_sales"


def _dumps() -> list[Path]:
    return sorted((SHARED / "data" / "bestbuy").rglob("*.json"))


@pytest.mark.slow
@pytest.mark.parametrize("file", _dumps() or [None], ids=lambda file: "none" if file is None else file.stem)
def test_a_real_dump_is_discovered_and_published_whole(tmp_path: Path, file: Path | None) -> None:
    if file is None:
        pytest.skip(f"the real data is not at {SHARED / 'data' / 'bestbuy'}")
    data = file.read_bytes()
    feed = drafted(tmp_path, data, file.name)
    assert published(tmp_path, feed, data).height == len(json.loads(data))


COMMENTS: dict[str, tuple[list[str], str, str]] = {
    "numbers, but for some": ([*map(str, range(30)), "few"], "String", "# text: 1 of 31 values is no number: 'few'"),
    "numbers, and words for none": (["7", "n/a", "8", "NA"], "Int64", "# missing: 2 of 4 values are 'NA' or 'n/a'"),
    "dates, and a word for none": (["2011-03-01", "\\N"], "Date", 'missing=("\\\\N",)'),
    "a word for none in a text": (["Kenya", "NA"], "String", "1 of 2 values is 'NA'; if that means missing: source("),
    "nothing but a word for none": (["-", "-"], "String", "# text: 2 of 2 values are '-'; if that means missing"),
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


@pytest.mark.slow
@pytest.mark.parametrize(("values", "kind", "said"), COMMENTS.values(), ids=COMMENTS.keys())
def test_a_draft_says_how_values_are_written_and_why_they_stay_text(
    tmp_path: Path, values: list[str], kind: str, said: str
) -> None:
    data = json.dumps([{"k": f"k{at}", "v": value} for at, value in enumerate(values)]).encode()
    (file := tmp_path / "things.json").write_bytes(data)
    text = draft([file], None, LIMIT)
    feed = drafted(tmp_path, data, "things.json")
    assert types_of(feed)["v"] == kind
    assert said in text
    assert published(tmp_path, feed, data).height == len(values)


def test_a_comment_shows_no_personal_value(tmp_path: Path) -> None:
    (file := tmp_path / "x.csv").write_text("id,E-Mail\n" + "".join(f"{at},{at}\n" for at in range(20)) + "20,secret\n")
    text = draft([file], None, LIMIT)
    assert "1 of 21 values is no number" in text
    assert "secret" not in text


@pytest.mark.slow
def test_other_columns_tell_what_a_point_in_a_number_is(tmp_path: Path) -> None:
    data = b"id;price;units\n1;1,5;1.234\n2;2,25;5.678\n"
    feed = drafted(tmp_path, data)
    assert types_of(feed) == {"id": "Int64", "price": "Decimal", "units": "Int64"}
    assert published(tmp_path, feed, data)["units"].to_list() == [1234, 5678]


@pytest.mark.slow
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
    feed = drafted(tmp_path, text.encode())
    assert (feed.format is None) == has_header
    assert published(tmp_path, feed, text.encode()).height == text.count("\n") - has_header


def test_columns_and_pairs_that_tell_records_apart_are_named(tmp_path: Path) -> None:
    (file := tmp_path / "x.csv").write_text("shop,till,n\nA,1,1.5\nA,2,1.5\nB,1,1.5\n")
    assert "# Unique in these records: shop with till." in draft([file], None, LIMIT)


def test_objects_that_are_not_alike_stay_text(tmp_path: Path) -> None:
    data = json.dumps([{"id": 1, "x": {"a": {"b": 1}}}, {"id": 2, "x": {"a": 5}}]).encode()
    (file := tmp_path / "x.json").write_bytes(data)
    assert "# text: JSON objects" in draft([file], None, LIMIT)
    assert published(tmp_path, drafted(tmp_path, data, "x.json"), data).height == 2
