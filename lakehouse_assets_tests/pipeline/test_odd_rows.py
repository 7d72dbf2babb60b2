"""Dates with an odd number of rows: by weekday, from what was published before them."""

import datetime as dt
from dataclasses import replace

import dagster as dg
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import ContractError, UsualRows
from lakehouse_assets.contracts.partitioning import UNDATED
from lakehouse_assets.defs.silver.sales import FEED as SALES
from lakehouse_assets.orchestration import row_checks
from lakehouse_assets.pipeline.odd_rows import odd_rows
from lakehouse_assets_tests import retail
from lakehouse_assets_tests.retail import sales_csv

TUESDAYS = [str(dt.date(2011, 3, 1) + dt.timedelta(weeks=weeks)) for weeks in range(5)]


def published(lake: Lake, rows: dict[str, int]) -> None:
    for date, count in rows.items():
        retail.land(lake, f"{date}.csv", sales_csv(count, date))
    retail.ingest(lake)
    retail.publish(lake)


def odd(lake: Lake, expected: UsualRows, *dates: str) -> list[tuple[str, int, float]]:
    return [(str(found.date), found.rows, found.usual) for found in odd_rows(lake, SALES.silver, expected, dates)]


@pytest.mark.slow(covered=True)
def test_a_date_is_compared_with_its_weekday(lake: Lake) -> None:
    published(lake, dict(zip(TUESDAYS, (8, 9, 10, 2, 40), strict=True)) | {"2011-03-23": 1})
    assert odd(lake, UsualRows(), *TUESDAYS, "2011-03-23") == [(TUESDAYS[3], 2, 9), (TUESDAYS[4], 40, 8.5)]
    assert odd(lake, UsualRows(factor=5), *TUESDAYS) == []
    assert odd(lake, UsualRows(weeks=3), TUESDAYS[4]) == [(TUESDAYS[4], 40, 9)]
    assert odd(lake, UsualRows(), TUESDAYS[4], "2011-04-05", UNDATED) == [(TUESDAYS[4], 40, 8.5)]


@pytest.mark.slow(covered=True)
def test_it_is_a_warning_that_says_what_to_look_at(lake: Lake) -> None:
    published(lake, dict(zip(TUESDAYS, (8, 9, 10, 2, 9), strict=True)))
    key = dg.AssetKey(["silver", "sales"])
    [warned] = row_checks.result(lake, SALES, SALES.silver, key, TUESDAYS)
    assert (warned.passed, warned.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert str(warned.description).startswith("2011-03-22 (Tuesday) has 2 rows, many fewer than the 9 that are usual")
    [passed] = row_checks.result(lake, SALES, SALES.silver, key, TUESDAYS[4:])
    assert passed.passed
    assert row_checks.result(lake, replace(SALES, usual_rows=None), SALES.silver, key, TUESDAYS) == []


@pytest.mark.parametrize(("argument", "value"), [("weeks", 2), ("factor", 1)])
def test_what_makes_no_sense_is_refused(argument: str, value: int) -> None:
    with pytest.raises(ContractError, match=f"{argument}={value}"):
        UsualRows(**{argument: value})


def test_months_have_no_weekday() -> None:
    with pytest.raises(ContractError, match="usual_rows compares weekdays"):
        replace(SALES, partition_by="month", start_date=dt.date(2009, 1, 1))
