"""Answers are exact, and written so that a program can read them back."""

import csv
import datetime as dt
import io
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse_assets.context import Lake
from lakehouse_assets.query.sql import Answer, as_csv, as_json, as_table
from lakehouse_assets.query.sql import run as ask


def _json(answer: Answer) -> Any:
    return json.loads(as_json(answer), parse_float=Decimal)


@pytest.mark.slow(covered=True)
def test_decimals_are_exact_json_numbers(filled: Lake) -> None:
    answer = ask(
        filled, "SELECT sales, sales::DECIMAL(38, 20) AS long FROM gold.daily_sales ORDER BY sales DESC LIMIT 1"
    )
    assert as_json(answer) == '[{"sales": 15.3000, "long": 15.30000000000000000000}]'
    huge = ask(filled, "SELECT 12345678901234567890123456789012345.678::DECIMAL(38,3) AS d, 0.001::DECIMAL(38,3) AS e")
    assert as_json(huge) == '[{"d": 12345678901234567890123456789012345.678, "e": 0.001}]'


def test_json_is_one_array_of_objects_in_the_order_of_the_columns(filled: Lake) -> None:
    rows = _json(ask(filled, "SELECT quantity AS z, country AS a FROM silver.sales ORDER BY ALL DESC"))
    assert [list(row) for row in rows] == [["z", "a"]] * len(rows)
    assert rows[0] == {"z": 3, "a": "United Kingdom"}


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("NULL", None), ("true", True), ("42", 42), ("170141183460469231731687303715884105727::HUGEINT", 2**127 - 1),
        ("1.5::DOUBLE", Decimal("1.5")), ("'nan'::DOUBLE", None), ("'-inf'::FLOAT", None),
        ("DATE '2011-03-01'", "2011-03-01"), ("TIMESTAMP '2011-03-01 08:26:00.5'", "2011-03-01T08:26:00.500000"),
        ("TIMESTAMPTZ '2011-07-01 08:26:00+01'", "2011-07-01T07:26:00+00:00"), ("TIME '08:26'", "08:26:00"),
        ("'a\"\\é\n😀'", 'a"\\é\n😀'), ("[1, NULL]", [1, None]),
        ("{'a': 1.50, 'b': [true]}", {"a": Decimal("1.50"), "b": [True]}),
        ("MAP {'k': 'v'}", {"k": "v"}), ("[DATE '2011-03-01']", ["2011-03-01"]),
        ("{'m': MAP {DATE '2011-03-01': 'nan'::DOUBLE}}", {"m": {"2011-03-01": None}}),
        ("gen_random_uuid()::VARCHAR = ''", False),
    ],
)  # fmt: skip
def test_any_value_has_a_json_form(lake: Lake, sql: str, expected: object) -> None:
    assert _json(ask(lake, f"SELECT {sql} AS v")) == [{"v": expected}]


def test_no_rows_are_an_empty_array_and_a_header_alone(lake: Lake) -> None:
    answer = ask(lake, "SELECT 1 AS a, 2 AS b WHERE false")
    assert as_json(answer) == "[]"
    assert as_csv(answer) == "a,b"
    assert as_table(answer).split() == ["a", "b", *as_table(answer).split()[2:]]


def test_csv_reads_back_with_null_as_empty(lake: Lake) -> None:
    sql = """SELECT 'a,"b"' AS x, NULL AS n, 1.50::DECIMAL(9,2) AS d, 'l1\nl2' AS t, true AS b, DATE '2011-03-01' AS dt,
             TIMESTAMPTZ '2011-03-01 08:26+00' AS at, [1, 2] AS l"""
    [header, row] = csv.reader(io.StringIO(as_csv(ask(lake, sql))))
    assert header == ["x", "n", "d", "t", "b", "dt", "at", "l"]
    assert row == ['a,"b"', "", "1.50", "l1\nl2", "true", "2011-03-01", "2011-03-01 08:26:00+00:00", "[1, 2]"]


def test_a_table_shows_whole_values_numbers_to_the_right(lake: Lake) -> None:
    long = "x" * 500
    sql = f"SELECT 'a' AS name, 1.50::DECIMAL(9,2) AS amount UNION ALL SELECT '{long}', 123456 ORDER BY amount"
    lines = [text for text in as_table(ask(lake, sql)).splitlines() if text]
    assert lines[0].split() == ["name", "amount"]
    assert lines[2].split() == ["a", "1.50"]
    assert lines[3].split() == [long, "123456.00"]
    assert lines[2].endswith("     1.50")


def test_text_that_looks_like_markup_is_shown_as_it_is(lake: Lake) -> None:
    answer = ask(lake, "SELECT '[bold]x[/bold]' AS \"[red]h\"")
    assert "[bold]x[/bold]" in as_table(answer)
    assert "[red]h" in as_table(answer)


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(), st.decimals(allow_nan=False, allow_infinity=False),
    st.dates(), st.floats(allow_nan=False, allow_infinity=False),
)  # fmt: skip


@pytest.mark.slow
@given(st.lists(st.tuples(VALUES, VALUES), max_size=5))
@settings(max_examples=60, deadline=None)
def test_json_of_anything_reads_back(rows: list[tuple[Any, Any]]) -> None:
    found = json.loads(as_json(Answer(["a", 'b"'], rows)), parse_float=Decimal)

    def same(value: Any, read: Any) -> bool:
        if isinstance(value, dt.date):
            return bool(read == value.isoformat())
        return bool(read == (Decimal(repr(value)) if isinstance(value, float) else value))

    assert all(
        same(v, row[name]) for row, values in zip(found, rows, strict=True) for name, v in zip(row, values, strict=True)
    )
