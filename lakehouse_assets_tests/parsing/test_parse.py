"""Whatever form the records come in, bronze holds the same text; what cannot be taken says why."""

import csv
import datetime as dt
import io
import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import dataframely as dy
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lakehouse_assets.contracts.declare import source
from lakehouse_assets.contracts.registry import registry
from lakehouse_assets.parsing.archives import Rejection
from lakehouse_assets.parsing.csv_text import read_csv
from lakehouse_assets.parsing.parse import parse, read
from lakehouse_assets_tests.contracts.orders import orders
from lakehouse_assets_tests.retail import HEADERS, day, gzipped, line, sales_csv

LIMIT = 2**24
FEED = registry().feed("sales")
RECORDS = [
    line(Description='ASSORTED, "COLOUR" BIRD\nORNAMENT £1', CustomerID=None),
    line(Quantity="-7", StockCode="post", InvoiceNo="C536365"),
    line(InvoiceNo="A563185", UnitPrice="-11062.06", Description=None),
]


def _parse(data: bytes) -> pl.DataFrame:
    return parse(data, FEED, LIMIT)[0]


def _records(data: bytes) -> list[dict[str, str | None]]:
    """What bronze says, blank as null, which is what publishing makes of it."""
    rows = _parse(data).select(HEADERS).rows(named=True)
    return [{name: value or None for name, value in row.items()} for row in rows]


def _problems(data: bytes) -> list[str | None]:
    return _parse(data)["_problem"].to_list()


def _reason(data: bytes) -> str:
    with pytest.raises(Rejection) as error:
        _parse(data)
    assert "\n" not in str(error.value)
    return str(error.value)


def _json(records: list[dict[str, Any]], *, lines: bool) -> bytes:
    texts = [json.dumps(record, ensure_ascii=False) for record in records]
    return ("\n".join(texts) + "\n" if lines else "[" + ", ".join(texts) + "]").encode()


def _parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


def _shuffled() -> list[str]:
    columns = list(HEADERS)
    return columns[5:] + columns[2::-1] + columns[3:5]


PLAIN = sales_csv(RECORDS)
FORMS = {
    "csv": PLAIN,
    "csv with CR LF": sales_csv(RECORDS, newline="\r\n"),
    "csv with semicolons": sales_csv(RECORDS, separator=";"),
    "csv with tabs": sales_csv(RECORDS, separator="\t"),
    "csv with bars": sales_csv(RECORDS, separator="|"),
    "csv without a last line end": PLAIN.rstrip(b"\n"),
    "csv with blank lines": PLAIN.replace(b"United Kingdom\n", b"United Kingdom\n\n") + b"\n\n",
    "csv after blank lines": b"\n\r\n" + PLAIN,
    "csv with a byte order mark": b"\xef\xbb\xbf" + PLAIN,
    "csv in Windows-1252": sales_csv(RECORDS, encoding="cp1252"),
    "csv with shuffled columns": sales_csv(RECORDS, columns=_shuffled()),
    "csv with spaces around headers": PLAIN.replace(b",StockCode,", b", StockCode ,", 1),
    "gzip": gzipped(PLAIN),
    "json array": _json(RECORDS, lines=False),
    "json array with a byte order mark": b"\xef\xbb\xbf" + _json(RECORDS, lines=False),
    "json lines": _json(RECORDS, lines=True),
    "json lines with CR LF and blank lines": _json(RECORDS, lines=True).replace(b"}\n", b"}\r\n\r\n"),
    "parquet": _parquet(pl.DataFrame(RECORDS)),
    "gzip of parquet": gzipped(_parquet(pl.DataFrame(RECORDS))),
}


@pytest.mark.parametrize("data", FORMS.values(), ids=FORMS.keys())
def test_the_same_records_come_out_of(data: bytes) -> None:
    assert _records(data) == RECORDS
    found = _parse(data)
    assert found["_line"].to_list() == [1, 2, 3]
    assert found["_problem"].to_list() == found["_extra"].to_list() == [None] * 3
    assert found.columns == [*HEADERS, "_extra", "_problem", "_line"]


def test_lines_may_end_in_a_bare_carriage_return() -> None:
    records = day(count=3)
    assert _records(sales_csv(records, newline="\r")) == records


def test_a_header_alone_is_no_records() -> None:
    for data in (sales_csv([]), sales_csv([]).rstrip(b"\n"), _parquet(pl.DataFrame(RECORDS).head(0))):
        assert _parse(data).height == 0


@pytest.mark.parametrize("data", [b"", b" \r\n\t\n", gzipped(b"")], ids=["no bytes", "blanks", "gzip of nothing"])
def test_an_empty_object_is_rejected(data: bytes) -> None:
    assert _reason(data).startswith("the object is empty; land it again with its records")


REJECTED = {
    "UTF-16": (PLAIN.decode().encode("utf-16"), "the text is UTF-16; save it as UTF-8 and land it again."),
    "UTF-16 without a mark": (PLAIN.decode().encode("utf-16-le"), "every other byte is NUL, as in UTF-16"),
    "mixed encodings": (
        sales_csv([line(Description="£1")]) + sales_csv([line(Description="£2")], encoding="cp1252"),
        "line 2 is UTF-8 but other lines are not; save all of it in one encoding and land it again.",
    ),
    "neither encoding": (
        sales_csv() + b"\x81\x8d",
        f"byte {len(sales_csv()):,} is neither UTF-8 nor Windows-1252; save it as UTF-8 and land it again.",
    ),
    "a missing column": (
        sales_csv(RECORDS, columns=[name for name in HEADERS if name != "UnitPrice"]),
        "the column UnitPrice is missing; the columns found are 'InvoiceNo', 'StockCode', 'Description', 'Quantity', ",
    ),
    "no header": (
        PLAIN.split(b"\n", 1)[1].replace(b'"', b"'"),
        "its first line has none of the contract's names: perhaps the header is missing",
    ),
    "an unknown separator": (sales_csv(day(), separator="^"), "are missing; the columns found are 'InvoiceNo^Stock"),
    "a column twice": (
        PLAIN.replace(b"Country", b"Quantity", 1),
        "the column 'Quantity' is there twice; give each column a name of its own and land it again.",
    ),
    "a column twice but for spaces": (PLAIN.replace(b"Country", b" Quantity", 1), "'Quantity' is there twice"),
    "a quote never closed": (
        sales_csv(day()) + b'536365,85123A,"WHITE HANGING\nHEART,6,2011-03-01 08:26:00,2.55,17850,France\n',
        "a quote that opens after record 3 is never closed; land it again, whole.",
    ),
    "a damaged gzip": (gzipped(PLAIN)[:-9], "the gzip is damaged or cut short"),
    "a cut json array": (_json(RECORDS, lines=False)[:-20], "the JSON array cannot be read "),
    "a json array nested too deeply": (b"[" * 100_000, "the JSON array cannot be read (nested too deeply)"),
    "a json array of numbers": (b"[1, 2, 3]", "are missing; the columns found are none."),
    "a cut parquet": (_parquet(pl.DataFrame(RECORDS))[:-20], "the Parquet file cannot be read "),
    "only a parquet magic": (b"PAR1", "the Parquet file cannot be read "),
    "a web page": (b"<html><body>503 Service Unavailable</body></html>", "its first line has none"),
    "a zip in a gzip": (gzipped(b"PK\x03\x04" + bytes(range(256))), "; "),
}


@pytest.mark.parametrize(("data", "reason"), REJECTED.values(), ids=REJECTED.keys())
def test_an_object_is_rejected_for(data: bytes, reason: str) -> None:
    assert reason in _reason(data)


def test_a_rejection_names_at_most_eight_columns() -> None:
    header = ",".join(["InvoiceNo", *(f"column{at}" for at in range(1, 10_000))]).encode()
    reason = _reason(header + b"\n" + b"1," * 9_999 + b"1\n")
    assert reason.count("'column") == 7
    assert "and 9,992 more" in reason


def test_a_parquet_larger_than_the_limit_is_rejected() -> None:
    data = _parquet(pl.DataFrame({name: ["same"] * 100_000 for name in HEADERS}))
    with pytest.raises(Rejection, match="it holds 100,000 rows of 8 columns, more than memory is set aside for"):
        parse(data, FEED, 2**20)


def test_a_column_that_may_be_null_may_be_missing() -> None:
    columns = [name for name in HEADERS if name not in {"Description", "CustomerID"}]
    [record] = _records(sales_csv([line()], columns=columns))
    assert record == line(Description=None, CustomerID=None)


def test_a_record_with_too_few_or_too_many_fields_is_marked_and_keeps_what_it_has() -> None:
    short, long = b"536365,85123A,HEART,6", sales_csv([line()]).split(b"\n")[1] + b",surplus,more"
    data = sales_csv([line()]) + short + b"\n" + long + b"\n" + sales_csv([line()]).split(b"\n")[1] + b"\n"
    found = _parse(data)
    assert found["_problem"].to_list() == [None, "4 fields, 8 expected", "10 fields, 8 expected", None]
    assert found["_extra"].to_list() == [None, None, "surplus,more", None]
    assert found["Quantity"].to_list() == ["6", "6", "6", "6"]
    assert found["Country"].to_list() == ["United Kingdom", None, "United Kingdom", "United Kingdom"]
    assert found["_line"].to_list() == [1, 2, 3, 4]


@pytest.mark.parametrize("fields", [1, 4, 7, 9, 12])
def test_the_first_record_may_be_the_one_with_another_number_of_fields(fields: int) -> None:
    good = sales_csv([line()]).split(b"\n")[1]
    odd = b",".join((good.split(b",") + [b"x"] * 4)[:fields])
    found = _parse(sales_csv([]) + odd + b"\n" + good + b"\n")
    problem = f"{fields} fields, 8 expected"
    assert found["_problem"].to_list() == [problem, None]
    assert found.row(1)[:8] == tuple(line().values())


def test_a_short_and_a_long_record_do_not_make_up_for_each_other() -> None:
    row = sales_csv([line()]).split(b"\n")[1]
    data = sales_csv([]) + row.rsplit(b",", 1)[0] + b"\n" + row + b",surplus\n" + row + b"\n"
    assert _problems(data) == ["7 fields, 8 expected", "9 fields, 8 expected", None]


def test_a_nul_byte_marks_its_record_only() -> None:
    data = sales_csv([line(), line(Description="A\0B"), line()])
    assert _problems(data) == [None, "a value holds a NUL byte", None]


def test_unknown_columns_are_kept_beside_the_record() -> None:
    records = [line() | {"Till": "7", "Süß": 'a"b'}, line() | {"Till": None}]
    columns = [*HEADERS[:3], "Till", *HEADERS[3:], "Süß"]
    found = _parse(sales_csv(records, columns=columns))
    assert _records(sales_csv(records, columns=columns)) == [line(), line()]
    assert json.loads(found["_extra"][0]) == {"Till": "7", "Süß": 'a"b'}
    assert found["_extra"][1] is None
    assert found["_problem"].to_list() == [None, None]


@pytest.mark.parametrize("lines", [True, False], ids=["json lines", "json array"])
def test_json_fields_that_are_unknown_or_nested_are_kept_as_json(lines: bool) -> None:  # noqa: FBT001
    record = line() | {"lines": [{"sku": 1.50, "tags": ["a", None, True]}], "Description": {"en": "x"}}
    found = _parse(_json([record], lines=lines))
    assert json.loads(json.loads(found["_extra"][0])["lines"]) == [{"sku": 1.5, "tags": ["a", None, True]}]
    assert found["Description"][0] == '{"en": "x"}'


def test_json_numbers_keep_the_digits_that_they_were_written_with() -> None:
    text = json.dumps(line() | {"Quantity": "@q", "UnitPrice": "@p", "CustomerID": "@c"})
    for written, expected in {
        "6": "6", "6.0": "6", "12345678901234567890123": "12345678901234567890123", "2.50": "2.50",
        "1e3": "1000", "1.25E-2": "0.0125", "-6e0": "-6", "1.7850e4": "17850", "1e400": "1e400", "1E-99999": "1E-99999",
        "0.1000000000000000055511151231257827": "0.1000000000000000055511151231257827",
    }.items():  # fmt: skip
        data = text.replace('"@q"', written).replace('"@p"', written).replace('"@c"', written).encode()
        [record] = _records(data)
        assert [record[name] for name in ("Quantity", "UnitPrice", "CustomerID")] == [expected] * 3


def test_a_broken_json_line_is_marked_and_the_others_stand() -> None:
    good = json.dumps(line())
    data = f'{good}\n{{"InvoiceNo": "5\n{good}\n[1]\n42\n{good}'.encode()
    found = _parse(data)
    problems = found["_problem"].to_list()
    assert [problem is None for problem in problems] == [True, False, True, False, False, True]
    assert problems[1].startswith("the line is not JSON (")
    assert problems[3] == "the record is an array, not a JSON object"
    assert problems[4] == "the record is a number, not a JSON object"
    assert found["_extra"][1] == '{"InvoiceNo": "5'
    assert found["_line"].to_list() == [1, 2, 3, 4, 5, 6]


def test_one_json_object_over_several_lines_is_one_record() -> None:
    assert _records(json.dumps(line(), indent=2).encode()) == [line()]


@pytest.mark.parametrize("space", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c"], ids=ascii)
def test_a_json_line_ends_at_a_line_feed_and_nowhere_else(space: str) -> None:
    record = line(Description=f"A{space}B")
    raw = json.dumps(record, ensure_ascii=False) if space > "\x1f" else json.dumps(record)
    assert _records(f"{raw}\n{raw}\n".encode()) == [record, record]


@pytest.mark.parametrize("where", ["value", "unknown field", "name of a field"])
def test_a_json_string_that_is_no_unicode_is_marked_or_kept_escaped(where: str) -> None:
    good = json.dumps(line())
    bad = json.dumps(
        {
            "value": line(Description="\ud800"),
            "unknown field": line() | {"x": ["\ud800"]},
            "name of a field": line() | {"\ud800": "x"},
        }[where]
    )
    for data in (f"{good}\n{bad}\n{good}", f"[{good}, {bad}, {good}]"):
        found = _parse(data.encode())
        assert found.height == 3
        assert found["_problem"][0] is found["_problem"][2] is None


@pytest.mark.parametrize("depth", [100, 300, 500, 900, 5_000, 100_000])
def test_a_json_line_of_any_depth_is_taken_or_marked(depth: int) -> None:
    good = json.dumps(line())
    deep = f'{good[:-1]}, "x": {"[" * depth}{"]" * depth}}}'
    found = _parse(f"{good}\n{deep}\n{good}".encode())
    assert found.height == 3
    assert found["_problem"][0] is found["_problem"][2] is None
    kept = found["_problem"][1] is None
    assert ("[" * depth in found["_extra"][1]) if kept else "nested too deeply" in found["_problem"][1]


@pytest.mark.parametrize("name", ["_problem", "_extra", "_line", "_source_key", "rules", "dt"])
@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_a_field_named_as_a_column_of_ours_is_an_unknown_field_like_any_other(name: str, form: str) -> None:
    records = [line() | {name: "theirs"}]
    data = {
        "csv": sales_csv(records, columns=[*HEADERS, name]),
        "json": _json(records, lines=True),
        "parquet": _parquet(pl.DataFrame(records)),
    }[form]
    found = _parse(data)
    assert found["_problem"][0] is None
    assert found["_line"][0] == 1
    assert json.loads(found["_extra"][0]) == {name: "theirs"}


def test_parquet_values_of_other_types_read_as_the_text_that_they_stand_for() -> None:
    frame = pl.DataFrame(
        {
            "InvoiceNo": [536365],
            "StockCode": pl.Series(["85123A"], dtype=pl.Categorical),
            "Description": ["é"],
            "Quantity": pl.Series([6], dtype=pl.UInt16),
            "InvoiceDate": [dt.datetime(2011, 3, 1, 8, 26)],  # noqa: DTZ001 - a file without time zone
            "UnitPrice": pl.Series([Decimal("2.5500")], dtype=pl.Decimal(10, 4)),
            "CustomerID": [17850.0],
            "Country": ["France"],
        }
    )
    [record] = _records(_parquet(frame))
    assert record == {
        "InvoiceNo": "536365", "StockCode": "85123A", "Description": "é", "Quantity": "6",
        "InvoiceDate": "2011-03-01 08:26:00", "UnitPrice": "2.5500", "CustomerID": "17850", "Country": "France",
    }  # fmt: skip


def test_parquet_times_keep_their_instant_and_nested_values_their_json() -> None:
    moment = dt.datetime(2011, 7, 1, 0, 30, 0, 250_000, tzinfo=dt.UTC)
    frame = pl.DataFrame([line()]).with_columns(
        InvoiceDate=pl.Series([moment]).dt.convert_time_zone("Europe/London"),
        tags=pl.Series([["a", "b"]]),
        till=pl.struct(pl.lit(7).alias("number")),
        day=pl.lit(dt.date(2011, 7, 1)),
        open=pl.lit(value=True),
    )
    found = _parse(_parquet(frame))
    assert dt.datetime.fromisoformat(found["InvoiceDate"][0]) == moment
    extra = json.loads(found["_extra"][0])
    assert (json.loads(extra["tags"]), json.loads(extra["till"])) == (["a", "b"], {"number": 7})
    assert (extra["day"], extra["open"]) == ("2011-07-01", "true")


def test_an_alternative_header_is_taken_and_the_first_one_named_counts() -> None:
    columns = {"number": dy.String(nullable=False, metadata=source("Number", "No", "Nr"))}
    feed = orders(columns=columns)
    rest = b",Units,At,Price,Code\n"
    found = parse(b"No" + rest + b"7,1,01/03/2011,2,x\n", feed, LIMIT)[0]
    assert found["Number"].to_list() == ["7"]
    both = parse(b"Nr,No" + rest + b"8,9,1,01/03/2011,2,x\n", feed, LIMIT)[0]
    assert both["Number"].to_list() == ["9"]
    assert json.loads(both["_extra"][0]) == {"Nr": "8"}


def _trimmed(rows: Sequence[Sequence[str | None]]) -> list[list[str]]:
    return [[(value or "").strip() for value in row] for row in rows]


VALUES = st.text(st.sampled_from(list("ab,;\t|\"\n\r 'é£😀.0")), max_size=6)


@given(
    rows=st.lists(st.lists(VALUES, min_size=3, max_size=3), max_size=6),
    separator=st.sampled_from(",;\t|"),
    newline=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
@settings(max_examples=150, deadline=None)
def test_what_a_csv_writer_writes_is_read_back(
    rows: list[list[str]],
    separator: str,
    newline: str,
    quoting: Any,
) -> None:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter=separator, lineterminator=newline, quoting=quoting)
    writer.writerow(["x", "y", "z"])
    writer.writerows(rows)
    found = read_csv(buffer.getvalue().encode(), ["x", "y", "z"])
    # Publishing trims: what a bare carriage return at an edge does makes no difference.
    assert _trimmed(found.frame.select("x", "y", "z").rows()) == _trimmed(rows)
    assert found.problems is None or found.problems.null_count() == found.frame.height


@given(
    rows=st.lists(st.lists(st.text(st.sampled_from(list('a,"\n')), max_size=3), min_size=1, max_size=5), max_size=5),
    newline=st.sampled_from(["\n", "\r\n"]),
    ended=st.booleans(),
)
@example(rows=[["a", "", "a"], ["a", ""], ["", "", "", ""]], newline="\n", ended=False)
@settings(max_examples=200, deadline=None)
def test_exactly_the_records_of_another_length_are_marked(rows: list[list[str]], newline: str, *, ended: bool) -> None:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator=newline).writerows([["x", "y", "z"], *rows])
    text = buffer.getvalue() if ended else buffer.getvalue().removesuffix(newline)
    found = read_csv(text.encode(), ["x", "y", "z"])
    problems = [None] * found.frame.height if found.problems is None else found.problems.to_list()
    assert problems == [None if len(row) == 3 else f"{len(row)} fields, 3 expected" for row in rows]
    assert _trimmed(found.frame.select("x", "y", "z").rows()) == _trimmed([[*row, "", "", ""][:3] for row in rows])


def test_reading_without_a_contract_keeps_every_field_as_it_is() -> None:
    found = read(b"a,b,c\n1, x ,\n2,,y\n", [], LIMIT)
    assert found.frame.select("a", "b", "c").rows() == [("1", " x ", None), ("2", None, "y")]
