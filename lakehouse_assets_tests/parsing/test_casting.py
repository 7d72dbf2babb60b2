"""Text becomes exactly the value that it says, or nothing: no guess, no silent rounding, no shifted day."""

import datetime as dt
import re
from decimal import Decimal
from fractions import Fraction
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse_assets.contracts.declare import Source, drop_point_zero, upper
from lakehouse_assets.contracts.evaluation import is_row_wise
from lakehouse_assets.parsing.casting import ambiguous, cast, excess_decimals, instants, normalised

MONEY = pl.Decimal(18, 4)


def _cast(text: str | None, dtype: pl.DataType, *formats: str) -> Any:
    return cast(pl.Series([text], dtype=pl.String), dtype, Source(("x",), formats=formats), "Europe/London")[0]


def _has_excess(text: str, scale: int = 4) -> bool:
    return bool(excess_decimals(pl.Series([text]), scale, Source(("x",)))[0])


# Integers


@given(st.integers(-(2**63), 2**63 - 1), st.sampled_from(["", "0", "000"]))
@settings(max_examples=100, deadline=None)
def test_every_int64_is_read_exactly(value: int, zeros: str) -> None:
    text = f"{'-' if value < 0 else ''}{zeros}{abs(value)}"
    assert _cast(text, pl.Int64()) == value


@given(st.integers(min_value=2**63))
@settings(max_examples=50, deadline=None)
def test_an_integer_beyond_int64_is_not_read(value: int) -> None:
    assert _cast(str(value), pl.Int64()) is None
    assert _cast(str(-value - 1), pl.Int64()) is None


@pytest.mark.parametrize("text", ["1.0", "1.5", "1e3", "1,000", "0x10", "1_000", "\u0661", "--1", "+", "", "one", "½"])
def test_what_is_no_integer_is_not_read(text: str) -> None:
    assert _cast(text, pl.Int64()) is None


@pytest.mark.parametrize(("dtype", "top"), [(pl.Int8(), 127), (pl.Int16(), 2**15 - 1), (pl.Int32(), 2**31 - 1)])
def test_a_narrow_integer_does_not_wrap(dtype: pl.DataType, top: int) -> None:
    assert _cast(str(top), dtype) == top
    assert _cast(str(top + 1), dtype) is None


# Decimals

NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)")


@given(st.decimals(Decimal("-99999999999999.9999"), Decimal("99999999999999.9999"), places=4))
@settings(max_examples=100, deadline=None)
def test_every_amount_of_four_decimals_is_read_exactly(value: Decimal) -> None:
    assert _cast(f"{value:f}", MONEY) == value
    assert not _has_excess(f"{value:f}")


@pytest.mark.slow
@given(st.from_regex(NUMBER, fullmatch=True, alphabet="0123456789.+-"))
@settings(max_examples=300, deadline=None)
def test_a_number_is_read_exactly_or_marked_or_not_at_all(text: str) -> None:
    exact, value = Fraction(Decimal(text)), _cast(text, MONEY)
    has_excess = exact * 10_000 % 1 != 0
    assert _has_excess(text) == has_excess
    if has_excess:
        assert value is None or abs(Fraction(value) - exact) <= Fraction(1, 20_000)
    else:
        assert value == (exact if abs(exact) < 10**14 else None)


@given(st.text(st.sampled_from(list("0123456789.+-eE ,£_")), max_size=10).filter(lambda t: not NUMBER.fullmatch(t)))
@settings(max_examples=100, deadline=None)
def test_what_is_no_number_is_not_read(text: str) -> None:
    assert _cast(text, MONEY) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2.55", "2.55"), ("-11062.06", "-11062.06"), ("+0.5", "0.5"), (".5", "0.5"), ("5.", "5"), ("0", "0"),
        ("007.50", "7.5"), ("1.50000000000000000000000000000000000000000000000000", "1.5"), ("-0.0000", "0"),
    ],
)  # fmt: skip
def test_a_number_may_be_written_as(text: str, expected: str) -> None:
    assert _cast(text, MONEY) == Decimal(expected)
    assert not _has_excess(text)


@pytest.mark.parametrize("text", ["1e3", "1E-2", "1,5", "1,000.00", "£2.50", "NaN", "inf", "-", ".", "", "two", "0x1"])
def test_a_number_may_not_be_written_as(text: str) -> None:
    assert _cast(text, MONEY) is None
    assert not _has_excess(text)


@pytest.mark.parametrize("text", ["2.12345", "2.00001", "0.00004", "1.99995", "2.1234500", "99999999999999.99999"])
def test_more_than_four_decimals_never_pass_silently(text: str) -> None:
    assert _has_excess(text)


def test_digits_before_the_point_never_overflow() -> None:
    assert _cast("99999999999999.9999", MONEY) == Decimal("99999999999999.9999")
    assert _cast("100000000000000", MONEY) is None
    assert _cast("9" * 40, MONEY) is None


# Other types


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0.1", 0.1), ("1e3", 1000.0), ("-1.5E-3", -0.0015), ("nan", None), ("inf", None), ("1,5", None), ("", None)],
)
def test_a_float_may_have_an_exponent_but_is_a_number(text: str, expected: float | None) -> None:
    assert _cast(text, pl.Float64()) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("true", True), ("FALSE", False), ("True", True), ("1", None), ("yes", None), ("", None)]
)
def test_a_truth_value_is_true_or_false(text: str, expected: bool | None) -> None:  # noqa: FBT001
    assert _cast(text, pl.Boolean()) is expected


@pytest.mark.parametrize(
    ("text", "formats", "expected"),
    [
        ("2011-03-01", (), dt.date(2011, 3, 1)),
        ("2011-02-29", (), None),
        ("01/03/2011", (), None),
        ("01/03/2011", ("%d/%m/%Y",), dt.date(2011, 3, 1)),
        ("2011-03-01", ("%d/%m/%Y",), None),
        ("1.3.2011", ("%d/%m/%Y", "%d.%m.%Y"), dt.date(2011, 3, 1)),
        ("2011-03-01 08:26:00", (), None),
    ],
)
def test_a_date_is_read_in_its_formats(text: str, formats: tuple[str, ...], expected: dt.date | None) -> None:
    assert _cast(text, pl.Date(), *formats) == expected


# Normalising


@pytest.mark.parametrize(
    ("text", "steps", "expected"),
    [
        (" a b\t", (), "a b"), ("   ", (), None), ("", (), None), (None, (), None), (" post ", (upper,), "POST"),
        ("17850.0", (drop_point_zero,), "17850"), ("17850.00", (drop_point_zero,), "17850.00"),
        ("17850", (drop_point_zero,), "17850"), (".0", (drop_point_zero,), None), ("\u00a0x\u00a0", (), "x"),
    ],
)  # fmt: skip
def test_text_is_trimmed_blank_is_null_and_the_steps_follow(
    text: str | None, steps: tuple[object, ...], expected: str | None
) -> None:
    frame = pl.DataFrame({"H": [text]}, schema={"H": pl.String})
    origin = Source(("H",), normalise=steps)  # type: ignore[arg-type]
    assert frame.select(normalised(origin)).item() == expected


# Numbers as a column declares them


WRITTEN: dict[str, tuple[str, dict[str, Any], pl.DataType, Any]] = {
    "decimal comma": ("-1,5", {"decimal": ","}, MONEY, Decimal("-1.5")),
    "decimal comma, and thousands": ("1.234.567,89", {"decimal": ",", "thousands": "."}, MONEY, Decimal("1234567.89")),
    "thousands left out": ("1234567,89", {"decimal": ",", "thousands": "."}, MONEY, Decimal("1234567.89")),
    "a point where a comma is declared": ("1.5", {"decimal": ","}, MONEY, None),
    "groups of two": ("12.34,5", {"decimal": ",", "thousands": "."}, MONEY, None),
    "a group too long": ("1.2345", {"decimal": ",", "thousands": "."}, MONEY, None),
    "two commas": ("1,2,3", {"decimal": ","}, MONEY, None),
    "thousands of an integer": ("1,234,567", {"thousands": ","}, pl.Int64(), 1_234_567),
    "thousands of an integer, a fraction": ("1,234.5", {"thousands": ","}, pl.Int64(), None),
    "spaces between thousands": ("12\u202f345,5", {"decimal": ",", "thousands": "\u202f"}, MONEY, Decimal("12345.5")),
    "a float with a comma": ("1,5e3", {"decimal": ","}, pl.Float64(), 1500.0),
    "a comma first": (",5", {"decimal": ","}, MONEY, Decimal("0.5")),
    "noise of binary floats": ("2.5500000000000003", {"rounded": True}, MONEY, Decimal("2.55")),
    "almost nothing": ("-1.776357e-15", {"rounded": True}, MONEY, Decimal(0)),
    "an exponent without rounding": ("1.776357e-15", {}, MONEY, None),
    "an exponent beyond the type": ("1e40", {"rounded": True}, MONEY, None),
    "no number": ("e5", {"rounded": True}, MONEY, None),
}


@pytest.mark.parametrize(("text", "said", "dtype", "value"), WRITTEN.values(), ids=WRITTEN.keys())
def test_a_number_is_read_as_its_column_declares(
    text: str, said: dict[str, Any], dtype: pl.DataType, value: Any
) -> None:
    assert cast(pl.Series([text]), dtype, Source(("x",), **said), "UTC")[0] == value


@pytest.mark.parametrize("words", [("NA",), ("NA", "n/a", "\\N", "$")])
def test_a_word_for_a_missing_value_is_none_and_no_other_writing_of_it(words: tuple[str, ...]) -> None:
    origin = Source(("x",), normalise=(upper,), missing=words)
    texts = pl.DataFrame({"x": [*words, " NA ", "na", "NAN", None]})
    found = texts.select(normalised(origin)).to_series().to_list()
    assert found == [None for _ in words] + [None, "NA", "NAN", None]
    assert is_row_wise(normalised(origin)), "else each partition would be normalised alone"


@given(st.decimals(-(10**12), 10**12, places=2))
@settings(max_examples=50, deadline=None)
def test_every_amount_comes_back_from_how_another_country_writes_it(amount: Decimal) -> None:
    written = f"{amount:,}".translate(str.maketrans(",.", ".,"))
    origin = Source(("x",), decimal=",", thousands=".")
    assert cast(pl.Series([written]), MONEY, origin, "UTC")[0] == amount
    assert not excess_decimals(pl.Series([written]), 2, origin)[0]
    assert excess_decimals(pl.Series([f"{written}1"]), 2, origin)[0]


@pytest.mark.parametrize("dtype", [pl.Date(), pl.Datetime("us", "UTC")])
def test_of_several_formats_each_reads_its_own_and_what_two_read_differently_is_refused(dtype: pl.DataType) -> None:
    origin = Source(("x",), formats=("%d/%m/%Y", "%m/%d/%Y", "%Y-%m-%d", "%d/%m/%y"))
    text = pl.Series(["13/02/2011", "02/13/2011", "2011-02-13", "13/02/11", "01/02/2011", "03/03/2011", "x", None])
    days = cast(text, dtype, origin, "UTC").cast(pl.Date).to_list()
    read = dt.date(2011, 2, 13)
    assert days == [read, read, read, read, None, dt.date(2011, 3, 3), None, None]
    assert ambiguous(text, dtype, origin).to_list() == [False] * 4 + [True] + [False] * 3
    assert instants(text, origin.formats, "UTC")[1].to_list() == days
