"""A column of dates in any of the known formats is found to be one, whatever its punctuation."""

import datetime as dt

import polars as pl

from lakehouse_assets.parsing import date_inference
from lakehouse_assets.parsing.date_inference import dates

AT = dt.datetime(2011, 3, 25, 18, 2, 5, 120_000)  # noqa: DTZ001 - as files have it


def test_a_date_in_any_known_format_is_found() -> None:
    forms = [
        *(day + time for day in date_inference._DAYS for time in ("", " %H:%M")),
        *("%d/%m/%Y" + time for time in date_inference._TIMES),
    ]
    written = {form: AT.strftime(form.replace("%.f", ".%f")) for form in forms}
    found = {form: dates("date", pl.Series([text])) for form, text in written.items()}
    assert {form: known and known.days for form, known in found.items()} == dict.fromkeys(forms, (AT.date(),) * 2)
    assert {form for form, known in found.items() if known and known.has_time} == {
        f for f in forms if "H" in f or "I" in f
    }


def test_many_days_in_eight_digits_are_dates_whatever_their_name_and_numbers_in_sequence_are_none() -> None:
    days = pl.date_range(dt.date(2024, 2, 1), dt.date(2024, 4, 30), eager=True).dt.strftime("%Y%m%d")
    assert (found := dates("column_3", days)) is not None
    assert found.formats == ("%Y%m%d",)
    assert found.days == (dt.date(2024, 2, 1), dt.date(2024, 4, 30))
    assert dates("column_3", days.head(20)) is None
    assert dates("column_3", pl.Series([str(20240101 + at) for at in range(90)])) is None
