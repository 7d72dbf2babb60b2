"""What a draft says of a column that stays text because of a few of its values."""

import polars as pl
import pytest

from lakehouse_assets.parsing.type_inference import column

DAYS = range(1, 29)
NEARLY: dict[str, tuple[list[str], str]] = {
    "times": (
        [*[f"{day:02d}.10.2026 10:00" for day in DAYS] * 79, "99.99.2026 10:00"],
        "text: 1 of 2,213 values is no date in %d.%m.%Y %H:%M: '99.99.2026 10:00'",
    ),
    "days that are there in a month only": (
        [*[f"{day}/02/2026" for day in DAYS], "30/02/2026", "0/02/2026"],
        "text: 2 of 30 values are no date in %d/%m/%Y: '30/02/2026', '0/02/2026'",
    ),
    "ISO 8601": (
        [*[f"2026-10-{day:02d}T10:00:00Z" for day in DAYS], "2026-99-01T10:00:00Z"],
        "text: 1 of 29 values is no date in ISO 8601: '2026-99-01T10:00:00Z'",
    ),
    "a year that was mistyped": (
        [*[f"{day}.10.2026" for day in DAYS], "1.10.0226"],
        "text: 1 of 29 values is no date in %d.%m.%Y: '1.10.0226'",
    ),
    "two formats, and a word": (
        [*[f"{day}.10.2026" for day in DAYS], *[f"2026/10/{day}" for day in DAYS], "unknown"],
        "text: 1 of 57 values is no date in %d.%m.%Y or %Y/%m/%d: 'unknown'",
    ),
    "an order that the sample does not tell": (
        [*[f"{day:02d}/10/2026" for day in range(1, 13)], "99/99/2026"],
        (
            "text: 1 of 13 values is no date: '99/99/2026'; the other values are dates; day first or month first, "
            'the sample does not tell: "%d/%m/%Y" or "%m/%d/%Y"'
        ),
    ),
}


@pytest.mark.parametrize(("values", "said"), NEARLY.values(), ids=NEARLY.keys())
def test_dates_but_for_some_stay_text_and_the_others_are_counted(values: list[str], said: str) -> None:
    found = column("shipped", pl.Series(values), is_personal=False)
    assert (found.kind, found.comment) == ("dy.String(", said)


def test_a_personal_value_that_is_no_date_is_not_shown() -> None:
    values = pl.Series([*[f"{day:02d}.10.1990" for day in DAYS], "99.99.1990"])
    found = column("birthday", values, is_personal=True)
    assert found.comment == "text: 1 of 29 values is no date in %d.%m.%Y"


@pytest.mark.parametrize("other", ["99.99.2026", "pending"])
def test_text_of_which_too_few_values_are_dates_is_not_called_dates(other: str) -> None:
    values = pl.Series([f"{day:02d}.10.2026" if day % 2 else other for day in DAYS])
    assert "%d.%m.%Y" not in (column("shipped", values, is_personal=False).comment or "")
