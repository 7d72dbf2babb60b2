"""Whatever form the records come in, bronze holds the same text; what cannot be taken says why."""

import json

import dataframely as dy
import polars as pl
import pytest

from lakehouse_assets.contracts.declare import source
from lakehouse_assets.parsing.parse import parse, read
from lakehouse_assets_tests.contracts.orders import orders
from lakehouse_assets_tests.parsing.parsed import LIMIT, RECORDS, as_json, as_parquet, parsed, reason_of, records_of
from lakehouse_assets_tests.retail import HEADERS, day, gzipped, line, sales_csv


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
    "json array": as_json(RECORDS, lines=False),
    "json array with a byte order mark": b"\xef\xbb\xbf" + as_json(RECORDS, lines=False),
    "json lines": as_json(RECORDS, lines=True),
    "json lines with CR LF and blank lines": as_json(RECORDS, lines=True).replace(b"}\n", b"}\r\n\r\n"),
    "parquet": as_parquet(pl.DataFrame(RECORDS)),
    "gzip of parquet": gzipped(as_parquet(pl.DataFrame(RECORDS))),
}


@pytest.mark.parametrize("data", FORMS.values(), ids=FORMS.keys())
def test_the_same_records_come_out_of(data: bytes) -> None:
    assert records_of(data) == RECORDS
    found = parsed(data)
    assert found["_line"].to_list() == [1, 2, 3]
    assert found["_problem"].to_list() == found["_extra"].to_list() == [None] * 3
    assert found.columns == [*HEADERS, "_extra", "_problem", "_line"]


def test_a_header_alone_is_no_records() -> None:
    for data in (sales_csv([]), sales_csv([]).rstrip(b"\n"), as_parquet(pl.DataFrame(RECORDS).head(0))):
        assert parsed(data).height == 0


@pytest.mark.parametrize("data", [b"", b" \r\n\t\n", gzipped(b"")], ids=["no bytes", "blanks", "gzip of nothing"])
def test_an_empty_object_is_rejected(data: bytes) -> None:
    assert reason_of(data).startswith("the object is empty; land it again with its records")


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
        "none of the contract's names is there: perhaps the header is missing",
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
    "a cut json array": (as_json(RECORDS, lines=False)[:-20], "the JSON array cannot be read "),
    "a json array nested too deeply": (b"[" * 100_000, "the JSON array cannot be read (nested too deeply)"),
    "a json array of numbers": (b"[1, 2, 3]", "are missing; the columns found are none."),
    "a cut parquet": (as_parquet(pl.DataFrame(RECORDS))[:-20], "the Parquet file cannot be read "),
    "only a parquet magic": (b"PAR1", "the Parquet file cannot be read "),
    "a web page": (b"<html><body>503 Service Unavailable</body></html>", "it is XML or a web page"),
    "a zip in a gzip": (gzipped(b"PK\x03\x04" + bytes(range(256))), "; "),
}


@pytest.mark.parametrize(("data", "reason"), REJECTED.values(), ids=REJECTED.keys())
def test_an_object_is_rejected_for(data: bytes, reason: str) -> None:
    assert reason in reason_of(data)


def test_a_rejection_names_at_most_eight_columns() -> None:
    header = ",".join(["InvoiceNo", *(f"column{at}" for at in range(1, 1_000))]).encode()
    reason = reason_of(header + b"\n" + b"1," * 999 + b"1\n")
    assert reason.count("'column") == 7
    assert "and 992 more" in reason


def test_a_column_that_may_be_null_may_be_missing() -> None:
    columns = [name for name in HEADERS if name not in {"Description", "CustomerID"}]
    [record] = records_of(sales_csv([line()], columns=columns))
    assert record == line(Description=None, CustomerID=None)


def test_unknown_columns_are_kept_beside_the_record() -> None:
    records = [line() | {"Till": "7", "Süß": 'a"b'}, line() | {"Till": None}]
    columns = [*HEADERS[:3], "Till", *HEADERS[3:], "Süß"]
    found = parsed(sales_csv(records, columns=columns))
    assert records_of(sales_csv(records, columns=columns)) == [line(), line()]
    assert json.loads(found["_extra"][0]) == {"Till": "7", "Süß": 'a"b'}
    assert found["_extra"][1] is None
    assert found["_problem"].to_list() == [None, None]


@pytest.mark.parametrize("lines", [True, False], ids=["json lines", "json array"])
def test_json_fields_that_are_unknown_or_nested_are_kept_as_json(lines: bool) -> None:  # noqa: FBT001
    record = line() | {"lines": [{"sku": 1.50, "tags": ["a", None, True]}], "Description": {"en": "x"}}
    found = parsed(as_json([record], lines=lines))
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
        [record] = records_of(data)
        assert [record[name] for name in ("Quantity", "UnitPrice", "CustomerID")] == [expected] * 3


def test_a_broken_json_line_is_marked_and_the_others_stand() -> None:
    good = json.dumps(line())
    data = f'{good}\n{{"InvoiceNo": "5\n{good}\n[1]\n42\n{good}'.encode()
    found = parsed(data)
    problems = found["_problem"].to_list()
    assert [problem is None for problem in problems] == [True, False, True, False, False, True]
    assert problems[1].startswith("the line is not JSON (")
    assert problems[3] == "the record is an array, not a JSON object"
    assert problems[4] == "the record is a number, not a JSON object"
    assert found["_extra"][1] == '{"InvoiceNo": "5'
    assert found["_line"].to_list() == [1, 2, 3, 4, 5, 6]


def test_one_json_object_over_several_lines_is_one_record() -> None:
    assert records_of(json.dumps(line(), indent=2).encode()) == [line()]


@pytest.mark.parametrize("space", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c"], ids=ascii)
def test_a_json_line_ends_at_a_line_feed_and_nowhere_else(space: str) -> None:
    record = line(Description=f"A{space}B")
    raw = json.dumps(record, ensure_ascii=False) if space > "\x1f" else json.dumps(record)
    assert records_of(f"{raw}\n{raw}\n".encode()) == [record, record]


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
        found = parsed(data.encode())
        assert found.height == 3
        assert found["_problem"][0] is found["_problem"][2] is None


@pytest.mark.parametrize("depth", [100, 300, 500, 900, 5_000, 100_000])
def test_a_json_line_of_any_depth_is_taken_or_marked(depth: int) -> None:
    good = json.dumps(line())
    deep = f'{good[:-1]}, "x": {"[" * depth}{"]" * depth}}}'
    found = parsed(f"{good}\n{deep}\n{good}".encode())
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
        "json": as_json(records, lines=True),
        "parquet": as_parquet(pl.DataFrame(records)),
    }[form]
    found = parsed(data)
    assert found["_problem"][0] is None
    assert found["_line"][0] == 1
    assert json.loads(found["_extra"][0]) == {name: "theirs"}


def test_an_alternative_header_is_taken_and_the_first_one_named_counts() -> None:
    columns = {"number": dy.String(nullable=False, metadata=source("Number", "No", "Nr"))}
    feed = orders(columns=columns)
    rest = b",Units,At,Price,Code\n"
    found = parse(b"No" + rest + b"7,1,01/03/2011,2,x\n", feed, LIMIT)[0]
    assert found["Number"].to_list() == ["7"]
    both = parse(b"Nr,No" + rest + b"8,9,1,01/03/2011,2,x\n", feed, LIMIT)[0]
    assert both["Number"].to_list() == ["9"]
    assert json.loads(both["_extra"][0]) == {"Nr": "8"}


def test_reading_without_a_contract_keeps_every_field_as_it_is() -> None:
    found = read(b"a,b,c\n1, x ,\n2,,y\n", [], LIMIT)
    assert found.frame.select("a", "b", "c").rows() == [("1", " x ", None), ("2", None, "y")]
