"""Which records repeat others: equal values, and where something could not be read, equal text as well."""

import dataframely as dy
import polars as pl
import pytest

from lakehouse_assets.contracts.declare import Contract, Feed
from lakehouse_assets.pipeline.repeats import standing


class Scan(Contract):
    product = dy.String(nullable=False)
    pieces = dy.Int64(nullable=True)


FEED = Feed(name="scans", contract=Scan, description="Scans.", owner="team:retail-data")


def kept(**other: list[str | None]) -> list[bool]:
    """Two records that are equal but for some columns: which of them stay?"""
    same = {"product": ["A", "A"], "pieces": [None, None], "_part": ["whole", "whole"], "_problem": [None, None]}
    records = pl.DataFrame(
        same | {"_extra": [None, None]} | other,
        schema=dict.fromkeys(["product", "pieces", "_part", "_problem", "_extra"], pl.String),
    )
    unreadable = {"pieces": records["pieces"]} if "pieces" in other else {}
    typed = records.with_columns(pl.lit(None, pl.Int64).alias("pieces"))
    return standing(FEED, records, typed, unreadable, by_landing=False).to_list()


@pytest.mark.parametrize(
    "other",
    [
        {"product": ["A", "B"]},
        {"pieces": ["six", "seven"]},
        {"_part": ["2026-03-01", "2026-03-02"]},
        {"_problem": ["3 fields, 2 expected", "4 fields, 2 expected"]},
        {"_problem": ["3 fields, 2 expected"] * 2, "_extra": ["x", "y"]},
        {"_problem": [None, "a value holds a NUL byte"]},
    ],
    ids=str,
)
def test_records_that_differ_in_what_counts_are_two(other: dict[str, list[str | None]]) -> None:
    assert kept(**other) == [True, True]


@pytest.mark.parametrize(
    "other",
    [
        {},
        {"pieces": ["six", "six"]},
        {"_extra": ["x", "y"]},  # of a record that could be read, what the contract does not know does not count
        {"_problem": ["3 fields, 2 expected"] * 2, "_extra": ["x", "x"]},
    ],
    ids=str,
)
def test_of_equal_records_the_first_stays(other: dict[str, list[str | None]]) -> None:
    assert kept(**other) == [True, False]


def test_by_landing_the_last_of_equal_records_stays_and_another_landing_is_another_record() -> None:
    typed = pl.DataFrame({"product": ["A"] * 3, "pieces": [1] * 3, "_part": ["whole"] * 3, "_landed": [1, 1, 2]})
    typed = typed.with_columns(pl.lit(None, pl.String).alias("_problem"))
    raw = pl.DataFrame(
        {"_problem": [None] * 3, "_extra": [None] * 3}, schema=dict.fromkeys(["_problem", "_extra"], pl.String)
    )
    assert standing(FEED, raw, typed, {}, by_landing=True).to_list() == [False, True, True]
