"""Texts become the instants and business dates that they mean in the zone of the feed, or nothing."""

import datetime as dt
import zoneinfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse_assets.parsing.casting import instants

LONDON = zoneinfo.ZoneInfo("Europe/London")


def _read(text: str, *formats: str) -> tuple[dt.datetime | None, dt.date | None]:
    instant, day = instants(pl.Series([text]), formats, "Europe/London")
    assert instant.dtype == pl.Datetime("us", "UTC")
    assert day.dtype == pl.Date
    return instant[0], day[0]


def _utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


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
