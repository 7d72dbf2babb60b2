"""Drift stands in what `run` and `status` say, alike objects on one line, until a version without it lands."""

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.query.drift import drifted
from lakehouse_assets.query.overview import status
from lakehouse_assets_tests.conftest import Cli
from lakehouse_assets_tests.retail import HEADERS, day, ingest, land, line, sales_csv

WIDER = (*HEADERS, "Till")


def _wider(date: str) -> bytes:
    return sales_csv(day(date), columns=WIDER)


def test_objects_that_drifted_alike_are_one_line_until_they_are_landed_again(lake: Lake) -> None:
    for at in (1, 2, 3):
        land(lake, f"{at}.csv", _wider(f"2011-03-0{at}"))
    land(lake, "4.csv", sales_csv([line(Description="DŽCOR dŽcor")], columns=HEADERS))
    ingest(lake, "first")
    garbled = (
        "sales: 4.csv: implausible characters: description (such as 'dŽcor'): perhaps its encoding is another one;"
    )
    assert drifted(lake)[0] == "sales: 3.csv and 2 more: new: Till"
    assert drifted(lake)[1].startswith(garbled)
    assert status(lake).drifted == drifted(lake) == drifted(lake, ["first"])
    for at in (1, 2, 3):
        land(lake, f"{at}.csv", sales_csv(day(f"2011-03-0{at}", 4)))
    ingest(lake, "second")
    assert [line.startswith(garbled) for line in drifted(lake)] == [True]
    assert drifted(lake, ["second"]) == []


@pytest.mark.slow
def test_a_run_and_the_status_show_it_and_the_run_succeeds(lake: Lake, cli: Cli) -> None:
    land(lake, "1.csv", _wider("2011-03-01"))
    ran = cli(lake, "run")
    assert ran.returncode == 0
    for shown in (ran.stdout, cli(lake, "status").stdout):
        assert "schema drift: 1\n  sales: 1.csv: new: Till\n" in shown
