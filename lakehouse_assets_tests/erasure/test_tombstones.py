"""Records taken out of an object: the others read as before, in their places, and nothing of the gone ones is left."""

import csv
import gzip
import io
import json

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse_assets.erasure.tombstones import without
from lakehouse_assets.parsing.parse import read
from lakehouse_assets_tests.erasure.traces import decoded
from lakehouse_assets_tests.retail import HEADERS, gzipped, line, sales_csv

KNOWN = list(HEADERS)
LIMIT = 2**30
THE_SAME_EVERY_TIME = settings(derandomize=True, database=None, deadline=None, max_examples=200)
TOLD = "tell nobody"

values = st.one_of(
    st.none(),
    st.sampled_from(['"', ",", ";", "\n", "\r\n", "\r", " ", "", "a\tb", "caf\xe9", "\u2028", "{}", "'", "0"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\0\ue00d"), max_size=4),
)
records = st.lists(st.lists(values, min_size=3, max_size=3), min_size=1, max_size=6)
chosen = st.sets(st.integers(1, 6))


def taken_out(data: bytes, lines: set[int]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Take records out of an object; return what it reads as before and since."""
    new = without(data, frozenset(lines), KNOWN, LIMIT)
    assert not any(TOLD in text for text in decoded(new))
    return read(data, KNOWN, LIMIT).frame, read(new, KNOWN, LIMIT).frame


def check(data: bytes, lines: set[int]) -> None:
    before, after = taken_out(data, lines)
    assert after.height == before.height
    for at in range(before.height):
        row = after.row(at, named=True)
        if at + 1 in lines:
            assert not any(value is not None for value in row.values())
        else:
            assert said(before.row(at, named=True)) == said(row)


def said(record: dict[str, str | None]) -> dict[str, str]:
    """Return the values that say something: what is blank reads as nothing."""
    return {name: value for name, value in record.items() if value is not None and value.strip()}


@pytest.mark.slow
@THE_SAME_EVERY_TIME
@given(records, chosen, st.sampled_from([",", ";", "\t", "|"]), st.sampled_from(["\n", "\r\n"]))
def test_any_csv_keeps_its_other_records(rows: list[list[str | None]], lines: set[int], sep: str, newline: str) -> None:
    lines = {number for number in lines if number <= len(rows)}
    marked = [["x", *row, TOLD if at in lines else "y"] for at, row in enumerate(rows, 1)]
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=sep, lineterminator=newline)
    writer.writerows([HEADERS[:5], *marked])
    check(buffer.getvalue().encode(), lines)


@pytest.mark.slow
@THE_SAME_EVERY_TIME
@given(
    st.lists(st.dictionaries(st.sampled_from(KNOWN), values, max_size=4), min_size=1, max_size=6),
    chosen,
    st.sampled_from(["array", "\n\n", "\n", " ", ""]),
    st.sampled_from([None, 1]),
)
def test_any_json_keeps_its_other_records(
    rows: list[dict[str, str | None]], lines: set[int], between: str, indent: int | None
) -> None:
    lines = {number for number in lines if number <= len(rows)}
    marked = [
        {"n": at, **row} | ({"secret": {"deep": [TOLD]}} if at in lines else {}) for at, row in enumerate(rows, 1)
    ]
    objects = between.join(json.dumps(row, indent=indent) for row in marked)
    check((json.dumps(marked, indent=indent) if between == "array" else objects).encode(), lines)


NUMBERED = [line(Quantity=str(at), Description=TOLD if at in {2, 5} else f"{at} é") for at in range(1, 7)]


def parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


FRAME = pl.DataFrame(NUMBERED).with_columns(pl.col("Quantity").cast(pl.Int64))
OBJECTS = {
    "csv": sales_csv(NUMBERED),
    "cp1252": sales_csv(NUMBERED, encoding="cp1252"),
    "byte order mark": b"\xef\xbb\xbf" + sales_csv(NUMBERED),
    "carriage returns": sales_csv(NUMBERED, newline="\r"),
    "blank lines": sales_csv(NUMBERED).replace(b"\n", b"\n\n"),
    "blank lines first": b"\r\n\r\n" + sales_csv(NUMBERED),
    "no line end": sales_csv(NUMBERED).rstrip(b"\n"),
    "gzip": gzipped(sales_csv(NUMBERED)),
    "json lines, gzip": gzip.compress("\n".join(json.dumps(row) for row in NUMBERED).encode()),
    "too many fields": sales_csv(NUMBERED).replace(TOLD.encode(), b"a,b,c," + TOLD.encode()),
    "too few fields": sales_csv(NUMBERED).replace(TOLD.encode() + b",", b""),
    "quotes within": sales_csv(NUMBERED).replace(TOLD.encode(), b'a "b" ' + TOLD.encode()),
    "a quote where none may be": sales_csv(NUMBERED).replace(TOLD.encode(), b'"a" b ' + TOLD.encode()),
    "parquet": parquet(FRAME),
    "parquet, categories": parquet(FRAME.with_columns(pl.col("Description").cast(pl.Categorical))),
    "parquet, nested": parquet(
        FRAME.with_columns(pl.struct("Description", pl.concat_list("Country", "Description")).alias("all"))
    ),
    "parquet, no nulls": parquet(FRAME.select("Description", "Quantity")),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_every_form_keeps_its_other_records(name: str) -> None:
    check(OBJECTS[name], {2, 5})


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize("name", OBJECTS)
def test_the_same_lines_give_the_same_bytes_whatever_went_before(name: str) -> None:
    at_once = without(OBJECTS[name], frozenset({2, 5}), KNOWN, LIMIT)
    one_by_one = without(without(OBJECTS[name], frozenset({5}), KNOWN, LIMIT), frozenset({2}), KNOWN, LIMIT)
    assert at_once == one_by_one


def test_a_single_column_keeps_its_lines() -> None:
    check(b"InvoiceNo\n536365\ntell nobody\n536367\n", {2})


def test_one_object_over_several_lines_is_one_record() -> None:
    check(json.dumps({"InvoiceNo": TOLD, "Quantity": 1}, indent=2).encode(), {1})


def test_objects_on_one_line_keep_what_is_wrong_between_them() -> None:
    check(b'{"InvoiceNo": "1"}{"InvoiceNo": "tell nobody"} {"InvoiceNo": }{"InvoiceNo": "4"}\n{"InvoiceNo": "5"}', {2})


def test_a_line_that_is_no_json_can_go() -> None:
    check(b'{"InvoiceNo": "1"}\n{"InvoiceNo": tell nobody}\n{"InvoiceNo": "3"}', {2})
