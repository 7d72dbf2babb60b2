"""Text becomes exactly the value that it says, or nothing: no guess, no silent rounding, no shifted day."""

import datetime as dt
import re
import zoneinfo
from decimal import Decimal
from fractions import Fraction
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse_assets.contracts.declare import Source, drop_point_zero, upper
from lakehouse_assets.parsing.casting import ambiguous, cast, excess_decimals, instants, normalised

LONDON = zoneinfo.ZoneInfo("Europe/London")
MONEY = pl.Decimal(18, 4)


def _cast(text: str | None, dtype: pl.DataType, *formats: str) -> Any:
    return cast(pl.Series([text], dtype=pl.String), dtype, Source(("x",), formats=formats), "Europe/London")[0]


def _has_excess(text: str, scale: int = 4) -> bool:
    return bool(excess_decimals(pl.Series([text]), scale, Source(("x",)))[0])


def _read(text: str, *formats: str) -> tuple[dt.datetime | None, dt.date | None]:
    instant, day = instants(pl.Series([text]), formats, "Europe/London")
    assert instant.dtype == pl.Datetime("us", "UTC")
    assert day.dtype == pl.Date
    return instant[0], day[0]


def _utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


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


# Times

NAIVE = {
    "2011-01-15 12:00:00": "2011-01-15 12:00:00",  # Greenwich
    "2011-07-15 12:00:00": "2011-07-15 11:00:00",  # summer time
    "2011-07-15 12:00": "2011-07-15 11:00:00",
    "2011-07-15T12:00:00": "2011-07-15 11:00:00",
    "2011-07-15t12:00": "2011-07-15 11:00:00",
    "2011-07-15 12:00:00.123456": "2011-07-15 11:00:00.123456",
    "2011-07-15T12:00:00.5": "2011-07-15 11:00:00.500000",
    "2011-07-15 00:30:00": "2011-07-14 23:30:00",
    "2011-07-15": "2011-07-14 23:00:00",
    "2011-01-15": "2011-01-15 00:00:00",
}


@pytest.mark.parametrize(("text", "expected"), NAIVE.items(), ids=NAIVE.keys())
def test_a_time_without_offset_is_a_london_time_and_its_date_the_written_one(text: str, expected: str) -> None:
    assert _read(text) == (_utc(expected), dt.date.fromisoformat(text[:10]))


OFFSETS = {
    "2011-06-30T23:30:00Z": ("2011-06-30 23:30:00", "2011-07-01"),  # past midnight in London
    "2011-06-30 23:30:00z": ("2011-06-30 23:30:00", "2011-07-01"),
    "2011-12-31T23:30:00Z": ("2011-12-31 23:30:00", "2011-12-31"),
    "2011-03-01T00:30:00+02:00": ("2011-02-28 22:30:00", "2011-02-28"),
    "2011-03-01T00:30:00+0200": ("2011-02-28 22:30:00", "2011-02-28"),
    "2011-03-01 00:30+02:00": ("2011-02-28 22:30:00", "2011-02-28"),
    "2011-03-01 20:30:00 -05:00": ("2011-03-02 01:30:00", "2011-03-02"),
    "2011-03-01T20:30:00.250-0500": ("2011-03-02 01:30:00.250000", "2011-03-02"),
    "2011-03-01T20:30:00.123456789Z": ("2011-03-01 20:30:00.123456", "2011-03-01"),
    "2011-03-27T01:30:00+00:00": ("2011-03-27 01:30:00", "2011-03-27"),  # no local 01:30 that day, but an instant
    "2011-10-30T01:30:00+00:00": ("2011-10-30 01:30:00", "2011-10-30"),  # the second 01:30
    "2011-10-30T01:30:00+01:00": ("2011-10-30 00:30:00", "2011-10-30"),  # the first
}


@pytest.mark.parametrize(("text", "expected"), OFFSETS.items(), ids=OFFSETS.keys())
def test_a_time_with_an_offset_is_converted_and_its_date_is_the_london_one(
    text: str, expected: tuple[str, str]
) -> None:
    assert _read(text) == (_utc(expected[0]), dt.date.fromisoformat(expected[1]))


def test_an_ambiguous_time_takes_its_first_reading() -> None:
    assert _read("2011-10-30 01:30:00") == (_utc("2011-10-30 00:30:00"), dt.date(2011, 10, 30))
    assert _read("2011-10-30 00:59:59") == (_utc("2011-10-29 23:59:59"), dt.date(2011, 10, 30))
    assert _read("2011-10-30 02:00:00") == (_utc("2011-10-30 02:00:00"), dt.date(2011, 10, 30))


@pytest.mark.parametrize("time", ["01:00:00", "01:30", "01:59:59.999999"])
def test_a_time_that_london_skipped_is_not_read_and_has_no_date(time: str) -> None:
    assert _read(f"2011-03-27 {time}") == (None, None)


@pytest.mark.parametrize("time", ["00:59:59", "02:00:00"])
def test_the_times_around_the_skipped_hour_are_read(time: str) -> None:
    assert _read(f"2011-03-27 {time}")[1] == dt.date(2011, 3, 27)


UNREADABLE = [
    "yesterday", "", "2011-02-29 08:00:00", "2011-13-01 08:00:00", "2011-03-01 24:00:00", "2011-03-01 08:60:00",
    "01/03/2011 08:26", "2011-03-01 8am", "20110301", "2011-03-01T08:26:00 Europe/London", "2011-03-01 08:26:00+2560",
    "2011-03-01+01:00", "1298967960", "2011-03-01 08:26:00,5", "2011-03-01 08:26:00 BST", "08:26:00", "2011-03",
]  # fmt: skip


@pytest.mark.parametrize("text", UNREADABLE)
def test_what_is_no_time_is_not_read_and_has_no_date(text: str) -> None:
    assert _read(text) == (None, None)


def test_declared_formats_replace_the_iso_ones() -> None:
    assert _read("01/07/2011 00:30", "%d/%m/%Y %H:%M") == (_utc("2011-06-30 23:30:00"), dt.date(2011, 7, 1))
    assert _read("01/07/2011", "%d/%m/%Y %H:%M", "%d/%m/%Y") == (_utc("2011-06-30 23:00:00"), dt.date(2011, 7, 1))
    assert _read("2011-07-01 00:30:00", "%d/%m/%Y %H:%M") == (None, None)


def test_one_strange_value_does_not_change_how_the_others_are_read() -> None:
    texts = ["2011-07-15 12:00:00", None, "bad", "2011-07-15T12:00Z", "2011-07-15", "2011-07-15 12:00:00"]
    instant, day = instants(pl.Series("x", texts), (), "Europe/London")
    alone = [None if text is None else _read(text) for text in texts]
    assert instant.to_list() == [None if read is None else read[0] for read in alone]
    assert day.to_list() == [None if read is None else read[1] for read in alone]
    assert instant.name == "x"


MOMENTS = st.datetimes(dt.datetime(1990, 1, 1), dt.datetime(2037, 12, 31))  # noqa: DTZ001 - naive on purpose


@pytest.mark.slow
@given(MOMENTS, st.sampled_from([" ", "T"]), st.sampled_from(["seconds", "microseconds", "auto"]))
@settings(max_examples=200, deadline=None)
def test_any_local_time_is_the_instant_that_the_clock_of_london_says(
    moment: dt.datetime, separator: str, detail: str
) -> None:
    if detail == "seconds":
        moment = moment.replace(microsecond=0)
    text = moment.isoformat(separator, "auto" if detail == "auto" else detail)
    expected = moment.replace(tzinfo=LONDON, fold=0).astimezone(dt.UTC)
    if expected.astimezone(LONDON).replace(tzinfo=None) != moment:  # a time that the clock skipped
        assert _read(text) == (None, None)
    else:
        assert _read(text) == (expected, moment.date())


OFFSET = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: dt.timezone(dt.timedelta(minutes=minutes)))


@pytest.mark.slow
@given(moment=MOMENTS, zone=OFFSET, colon=st.booleans())
@settings(max_examples=200, deadline=None)
def test_any_time_with_an_offset_is_its_instant_and_the_london_date_of_it(
    moment: dt.datetime, zone: dt.timezone, *, colon: bool
) -> None:
    zoned = moment.replace(tzinfo=zone)
    text = zoned.isoformat(" ")
    if not colon:
        text = text[:-3] + text[-2:]
    assert _read(text) == (zoned.astimezone(dt.UTC), zoned.astimezone(LONDON).date())


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
