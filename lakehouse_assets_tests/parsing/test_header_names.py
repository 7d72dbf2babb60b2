"""A first line is quoted in messages only if it names columns: a first record never is."""

import polars as pl
import pytest

from lakehouse_assets.context import current
from lakehouse_assets.parsing.header_names import found, is_header, repeated
from lakehouse_assets.parsing.schema_drift import noticed

KNOWN = ["InvoiceNo", "Country"]
RECORD = ["536365", "Quillfeather", "9876543210"]


@pytest.mark.parametrize("names", [["InvoiceNo"], ["x", "invoiceno"], ["InvoiceNo^Country"], [" Country "]])
def test_a_line_with_an_expected_name_is_a_header(names: list[str]) -> None:
    assert is_header(names, KNOWN)


@pytest.mark.parametrize("names", [RECORD, [], [""]])
def test_another_line_is_none(names: list[str]) -> None:
    assert not is_header(names, KNOWN)
    assert not is_header(names, ["", *KNOWN]), "a column without a name is in every line"


def test_a_record_is_not_quoted() -> None:
    assert found(RECORD, KNOWN).startswith(
        "none of the contract's names is there: perhaps the header is missing, or a title "
    )
    assert not any(value in found(RECORD, KNOWN) for value in RECORD)
    assert found(["Qty", "Country"], KNOWN) == "the columns found are 'Qty', 'Country'"
    assert found([], KNOWN) == "the columns found are none"


def test_a_name_that_is_there_twice_is_quoted_if_it_is_a_name() -> None:
    assert repeated(["a", "b"], KNOWN) is None
    assert str(repeated(["Country", "Qty", "Qty"], KNOWN)).startswith("the column 'Qty' is there twice; ")
    assert str(repeated(["1", "Quillfeather", "Quillfeather"], KNOWN)).startswith("a name of column 2 is there twice; ")


def test_drift_tells_how_a_value_is_written_not_the_value() -> None:
    raw = pl.DataFrame({"Contact": [None, "Zoë Q. 98-7"], "Quantity": ["six", "ten"]})
    drift = noticed(raw, current().registry.feed("sales"), {"Contact": "Contact"}, {"quantity": "Quantity"})
    assert drift.new == {"Contact": "aaa a. 99-9"}
    assert drift.retyped == {"quantity": "aaa"}
