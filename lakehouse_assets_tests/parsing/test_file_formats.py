"""Objects written as a feed declares it are read value by value; others are rejected with what to do."""

import datetime as dt
import json
from collections.abc import Sequence
from typing import Any

import dataframely as dy
import polars as pl
import pytest

from lakehouse_assets.contracts.declare import Contract, Csv, DriftPolicy, Excel, Feed, FixedWidth, Format, Json, Policy
from lakehouse_assets.contracts.declare import source as field
from lakehouse_assets.erasure.tombstones import without
from lakehouse_assets.parsing.archives import Rejection, unpack
from lakehouse_assets.parsing.parse import parse, read
from lakehouse_assets_tests.retail import gzipped, zipped
from lakehouse_assets_tests.workbook import Cell, workbook

LIMIT = 2**24


class Things(Contract):
    """One thing."""

    id = dy.String(nullable=False)
    name = dy.String(nullable=True)
    price = dy.String(nullable=True)


def _feed(form: Format | None, contract: type[Contract] = Things, **said: Any) -> Feed:
    return Feed("things", contract, "Things.", "team:x", format=form, **said)


def _rows(form: Format | None, data: bytes) -> list[tuple[Any, ...]]:
    records, drift = parse(data, _feed(form), LIMIT)
    assert not drift
    assert records["_line"].to_list() == list(range(1, records.height + 1))
    return records.select("id", "name", "price", "_problem").rows()


NAMES = ("id", "name", "price")
TEXT = 'id;name;price\n1;"Müller; Söhne";1,5\n2;;\n'
TWO = [("1", "Müller; Söhne", "1,5", None), ("2", None, None, None)]
FORMS: dict[str, tuple[Format, bytes]] = {
    "mac roman": (Csv(encoding="mac_roman"), TEXT.encode("mac_roman")),
    "UTF-16": (Csv(encoding="utf-16"), TEXT.encode("utf-16")),
    "UTF-8, said so, with a byte order mark": (Csv(encoding="utf-8"), b"\xef\xbb\xbf" + TEXT.encode()),
    "delimiter": (Csv(delimiter=";"), TEXT.encode()),
    "a delimiter of several bytes": (Csv(delimiter="§"), TEXT.replace(";", "§").replace("r§", "r;").encode()),
    "another quote": (Csv(quote="'"), TEXT.replace('"', "'").encode()),
    "no header": (Csv(header=NAMES), TEXT.split("\n", 1)[1].encode()),
    "no header, and a delimiter": (Csv(header=NAMES, delimiter=";"), TEXT.split("\n", 1)[1].encode()),
    "no header, in a gzip": (Csv(header=NAMES), gzipped(TEXT.split("\n", 1)[1].encode())),
    "CR line ends, the last one CR LF": (Csv(delimiter=";"), TEXT.rstrip().replace("\n", "\r").encode() + b"\r\n"),
    "fixed width": (
        FixedWidth({"id": 3, "name": 15, "price": 4}),
        ("1  Müller; Söhne  1,5 \n2" + 21 * " " + "\n").encode(),
    ),
    "fixed width, the last one open, below a heading": (
        FixedWidth({"id": 3, "name": 15, "price": None}, skip_lines=2, encoding="cp850"),
        "a heading\n----\n1  Müller; Söhne  1,5\n2                 \n".encode("cp850"),
    ),
    "a path of JSON": (
        Json(records="data.items"),
        json.dumps(
            {
                "meta": {"items": [1]},
                "data": {"n": 2, "items": [{"id": "1", "name": "Müller; Söhne", "price": "1,5"}, {"id": 2}]},
                "next": None,
            }
        ).encode(),
    ),
    "Excel": (
        Excel(sheet="Data"),
        workbook({"Notes": [["nothing"]], "Data": [[], NAMES, [1, "Müller; Söhne", "1,5"], [], [2.0]]}),
    ),
    "Excel without a header": (Excel(header=NAMES), workbook({"x": [[1, "Müller; Söhne", "1,5"], [2]]})),
}


@pytest.mark.parametrize(("form", "data"), FORMS.values(), ids=FORMS.keys())
def test_every_way_to_write_the_same_records_gives_the_same(form: Format, data: bytes) -> None:
    assert _rows(form, data) == TWO


@pytest.mark.parametrize(("form", "data"), FORMS.values(), ids=FORMS.keys())
def test_a_person_is_taken_out_of_every_form_and_the_rest_stays(form: Format, data: bytes) -> None:
    known = list(NAMES)
    if isinstance(form, Excel):
        with pytest.raises(Rejection, match="cannot be taken out of a workbook"):
            without(data, frozenset({1}), known, LIMIT, form)
        return
    new = without(data, frozenset({1}), known, LIMIT, form)
    assert read(new, known, LIMIT, form).frame.select(NAMES).rows() == [(None, None, None), TWO[1][:3]]


def test_cells_are_read_as_the_workbook_holds_them() -> None:
    moment = dt.datetime(2011, 3, 1, 8, 26)  # noqa: DTZ001 - a cell has no zone
    rows: list[Sequence[Cell]] = [NAMES, ["007", True, 0.1], [17850, dt.date(2011, 3, 1), moment], [1e-7, " x ", -2.5]]
    assert [row[:3] for row in _rows(Excel(), workbook({"x": rows}))] == [
        ("007", "true", "0.1"),
        ("17850", "2011-03-01", "2011-03-01 08:26:00"),
        ("1e-07", " x ", "-2.5"),
    ]


def test_a_value_beside_the_columns_of_a_sheet_is_kept_and_makes_its_record_one_of_another_shape() -> None:
    records, _ = parse(workbook({"x": [NAMES, [1, "a", "b", "c"], [2]]}), _feed(Excel()), LIMIT)
    assert records.select("id", "_problem", "_extra").rows() == [
        ("1", "it has values beyond the last column", "c"), ("2", None, None),
    ]  # fmt: skip


def test_a_workbook_is_one_object_also_in_a_zip() -> None:
    book = workbook({"x": [NAMES, [1]]})
    assert [item.key for item in unpack("k.xlsx", book, LIMIT)] == ["k.xlsx"]
    assert [(item.key, item.rejection) for item in unpack("k.zip", zipped({"a.xlsx": book}), LIMIT)] == [
        ("k.zip!a.xlsx", None)
    ]


def test_lines_of_another_width_are_quarantined_with_what_is_too_much() -> None:
    form = FixedWidth({"id": 2, "name": 3, "price": 2})
    records, _ = parse(b"1 abc10\n2 ab\n\n3 abc10xy\n", _feed(form), LIMIT)
    assert records.select("id", "_problem", "_extra").rows() == [
        ("1", None, None),
        ("2", "4 characters, 7 expected", None),
        ("3", "9 characters, 7 expected", "xy"),
    ]


def test_a_file_without_quotes_may_have_them_in_its_values() -> None:
    assert _rows(Csv(delimiter="\t", quote=""), b'id\tname\tprice\n1\t6" nail\t"\n') == [("1", '6" nail', '"', None)]


REJECTED: dict[str, tuple[Format | None, bytes, str]] = {
    "bytes that the encoding does not have": (Csv(encoding="cp1252"), b"id,name\n1,\x81\n", "byte 10 is not text in"),
    "a workbook that nobody declared": (None, workbook({"x": [NAMES, [1]]}), r"Excel workbook; .*Excel\(sheet=\.+\)"),
    "CSV for Excel": (Excel(), b"id,name\n1,x\n", "no .xlsx workbook"),
    "a sheet that is not there": (Excel(sheet="Data"), workbook({"x": [NAMES]}), "no sheet 'Data', but 'x'"),
    "a damaged workbook": (Excel(), workbook({"x": [NAMES, [1]]})[:-80], "no .xlsx workbook"),
    "Parquet for CSV": (Csv(), b"PAR1xxxxPAR1", "it is Parquet, and its feed declares Csv"),
    "CSV for JSON": (Json(), b"id,name\n1,x\n", r"it does not begin with \[ or {"),
    "no records at the path": (Json(records="data"), b'{"items": []}', "no records at 'data'.*no field 'data'"),
    "no array at the path": (Json(records="data"), b'{"data": 1}', "is no array of records"),
    "a document cut short": (Json(records="data"), b'{"data": [{"id": 1}', "no records at 'data'"),
    "an array for an object": (Json(records="data"), b'[{"id": 1}]', "no records at 'data' .no object"),
}  # fmt: skip


@pytest.mark.parametrize(("form", "data", "message"), REJECTED.values(), ids=REJECTED.keys())
def test_an_object_that_is_not_as_declared_is_rejected(form: Format | None, data: bytes, message: str) -> None:
    with pytest.raises(Rejection, match=message) as error:
        parse(data, _feed(form), LIMIT)
    assert "\n" not in str(error.value)


def test_a_workbook_that_unpacks_to_more_than_it_may_is_rejected() -> None:
    book = workbook({"x": [NAMES, *[["1", "x" * 1000]] * 200]})
    with pytest.raises(Rejection, match="more than 100,000 bytes"):
        parse(book, _feed(Excel()), 100_000)


class Nested(Contract):
    """One customer, read out of nested objects."""

    id = dy.String(nullable=False)
    city = dy.String(nullable=True, metadata=field("address.city"))
    lat = dy.String(nullable=True, metadata=field("address.geo.lat"))
    tags = dy.String(nullable=True, metadata=field("address.tags"))


def _nested(records: list[dict[str, Any]], **said: Any) -> tuple[list[tuple[Any, ...]], Any]:
    data = b"\n".join(json.dumps(record).encode() for record in records)
    found, drift = parse(data, _feed(None, Nested, **said), LIMIT)
    return found.select("id", "address.city", "address.geo.lat", "address.tags", "_problem", "_extra").rows(), drift


def test_a_field_inside_of_a_field_is_read_by_its_path_as_it_is_written() -> None:
    address = {"city": "Ü", "geo": {"lat": 1.50}, "tags": ["a", {"b": 1}], "zip": 1}
    rows, drift = _nested([{"id": 1, "address": address}, {"id": 2}, {"id": 3, "address": {"geo": None}}])
    assert not drift
    assert [row[:5] for row in rows] == [
        ("1", "Ü", "1.5", '["a", {"b": 1}]', None), ("2", None, None, None, None), ("3", None, None, None, None),
    ]  # fmt: skip
    assert json.loads(json.loads(rows[0][5])["address"]) == address  # bronze keeps all of it


@pytest.mark.parametrize("policy", [Policy.FREEZE, Policy.QUARANTINE_ROWS])
def test_a_field_that_is_looked_into_is_no_new_column(policy: Policy) -> None:
    rows, drift = _nested([{"id": 1, "address": {"city": "x"}}], drift=DriftPolicy(new=policy))
    assert (rows[0][1], rows[0][4], bool(drift)) == ("x", None, False)


def test_a_flat_field_of_that_name_goes_first() -> None:
    rows, _ = _nested([{"id": 1, "address.city": "flat", "address": {"city": "nested", "geo": {"lat": 2}}}])
    assert rows[0][1:3] == ("flat", "2")


@pytest.mark.parametrize("address", [[{"city": "x"}], "x", {"geo": [1], "city": "x"}, 5])
def test_a_path_that_meets_no_object_quarantines_its_record(address: object) -> None:
    rows, _ = _nested([{"id": 1, "address": address}, {"id": 2, "address": {"city": "y", "geo": {"lat": 1}}}])
    assert rows[0][4].startswith("in the field address, there is ")
    assert rows[1][:5] == ("2", "y", "1", None, None)


def test_a_required_path_that_no_record_has_is_a_missing_column() -> None:
    class Required(Contract):
        city = dy.String(nullable=False, metadata=field("address.city"))

    with pytest.raises(Rejection, match=r"the column address\.city is missing"):
        parse(b'[{"address": {"town": "x"}}]', _feed(None, Required), LIMIT)


def test_a_struct_of_parquet_is_looked_into_too(tmp_path: Any) -> None:
    file = tmp_path / "x.parquet"
    pl.DataFrame({"id": ["1"], "address": [{"city": "x", "geo": {"lat": 2.5}}]}).write_parquet(file)
    records, _ = parse(file.read_bytes(), _feed(None, Nested), LIMIT)
    assert records.select("address.city", "address.geo.lat").rows() == [("x", "2.5")]
