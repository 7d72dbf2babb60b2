"""A lake of bad records of every kind, and what commands answer about them. Not here: the tests."""

import re
from pathlib import Path

from lakehouse_assets.context import Lake
from lakehouse_assets_tests.conftest import Said, lake_at
from lakehouse_assets_tests.decisions.manifests import promise
from lakehouse_assets_tests.decisions.person import (
    NEXT,
    THIRD,
    bad_day,
    bad_line,
    landed,
)
from lakehouse_assets_tests.retail import day, land, line, sales_csv

BAD, ODD, RAGGED, UNDATED = 61, 62, 63, 64

RAGGED_LINE = b"540003,22423,REGENCY, CAKESTAND,6,2011-03-01 10:00:00,2.00,,France\n"

FILES = [
    (
        "day.csv",
        bad_day(bad_line(CustomerID="16161"), line(InvoiceNo="GIFT1", UnitPrice="-1", CustomerID="16162"))
        + RAGGED_LINE
        + b"540004,22423,,6,yesterday,2.00,16163,France\n",
    ),
    ("next.csv", sales_csv([*day(NEXT, 8), line(InvoiceDate=f"{NEXT} 10:00:00", Quantity="six")])),
    ("third.csv", sales_csv(2, THIRD)),
]


def bad_lake_at(root: Path) -> Lake:
    """Return a lake of a bad value, two broken rules, a ragged and an undated record, and a held date and object."""
    lake = lake_at(str(root))
    promise(lake, "held.csv.manifest.json", rows=99)
    land(lake, "held.csv", sales_csv(1, "2011-03-04"))
    landed(lake, FILES)
    return lake


def cells(said: Said) -> list[list[str]]:
    """Return the rows of a printed table by cell."""
    assert (said.code, said.err) == (0, ""), said
    lines = [row for row in said.out.splitlines() if row.strip() and not set(row.strip()) <= {"─", " "}]
    return [re.split(r"\s{2,}", row.strip()) for row in lines[1:]]


# -- taking decisions


def recorded(said: Said, kind: str) -> str:
    """Return the id of the decision that a command says it recorded."""
    found = re.search(rf"^Recorded {kind} (\S+?)\. It takes effect with the next run\.$", said.out, re.MULTILINE)
    assert said.code == 0, said
    assert found, said
    return found[1]
