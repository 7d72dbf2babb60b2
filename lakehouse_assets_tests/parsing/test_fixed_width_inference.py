"""Lines of fixed width are learned from below what stands above them: titles, empty lines, names."""

import pytest

from lakehouse_assets.contracts.declare import FixedWidth
from lakehouse_assets.parsing.fixed_width import read_fixed_width
from lakehouse_assets.parsing.format_inference import written

HEADER = "ID    CITY       STOCK\n"
RECORDS = "".join(f"{at:04d}  {'York' if at % 2 else 'Leeds':<9}  {at:5d}\n" for at in range(1, 9))
WIDTHS = ["ID", "CITY", "STOCK"]
TITLES = {
    "no title": ("", None),
    "an empty line": ("\n", None),
    "a title": ("Stock of all stores as counted\n", "The first line looks like a title"),
    "a title with a year": ("Stock of all stores in 2026\n", "The first line looks like a title"),
    "a title of one word": ("Stock\n", "The first line looks like a title"),
    "a title and an empty line": ("Stock of all stores\n\n", "The first line looks like a title"),
    "two titles": ("Stock of all stores\nCounted on 2026-10-01\n\n", "The first 2 lines look like titles"),
}


@pytest.mark.parametrize(("title", "said"), TITLES.values(), ids=TITLES.keys())
def test_a_title_above_fields_at_fixed_places_is_skipped_and_said(title: str, said: str | None) -> None:
    text = title + HEADER + RECORDS
    found = written(text, None, is_cut=False)
    assert isinstance(found.form, FixedWidth)
    assert list(found.form.widths) == WIDTHS
    raw = read_fixed_width(text.encode(), found.form)
    assert raw.frame.height == 8
    assert raw.frame.row(0) == ("0001", "York", "1")
    assert said is None or said in " ".join(found.notes)
    assert ("title" in " ".join(found.notes)) == (said is not None)


def test_records_without_a_digit_are_no_names_below_a_title() -> None:
    text = "ann    York   north\nbob    Leeds  south\ncarla  Hull   north\ndan    Bath   south\n"
    found = written(text, None, is_cut=False)
    assert isinstance(found.form, FixedWidth)
    assert found.form.skip_lines == 0


def test_a_first_record_with_all_fields_is_no_title() -> None:
    text = "0000  Hull           0\n" + HEADER.replace("ID", "NA") + RECORDS
    found = written(text, None, is_cut=False)
    assert isinstance(found.form, FixedWidth)
    assert found.form.skip_lines == 0


def test_blanks_before_a_number_are_its_own_so_that_a_longer_one_below_is_read_whole() -> None:
    lines = [f" {at:05d} 20260{at % 9 + 1}01 {at % 12:2d} {at * 7.5:7.2f}" for at in range(1, 40)]
    found = written("\r\n".join([" customer_id  date number_of_cds  dollar_value", *lines]), None, is_cut=False)
    assert isinstance(found.form, FixedWidth)
    assert found.form.widths == {"customer_id": 7, "date": 8, "number_of_cds": 3, "dollar_value": 8}
    raw = read_fixed_width(f"header\n 08830 19980610 99 1286.01\n{lines[0]}\n".encode(), found.form)
    assert raw.frame.rows() == [("08830", "19980610", "99", "1286.01"), ("00001", "20260201", "1", "7.50")]


def test_blanks_between_words_and_a_number_stay_with_the_words() -> None:
    found = written(RECORDS, None, is_cut=False)
    assert isinstance(found.form, FixedWidth)
    assert list(found.form.widths.values()) == [6, 15, 1]
