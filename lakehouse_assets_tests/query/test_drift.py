"""Drift stands in what `run` and `status` say, alike objects on one line, until a version without it lands."""

import json
from pathlib import Path

import dataframely as dy
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.query.drift import drifted, ids_on_several_dates
from lakehouse_assets.query.overview import status
from lakehouse_assets_tests.conftest import Cli
from lakehouse_assets_tests.pipeline.declared import feed_of, lake_of
from lakehouse_assets_tests.retail import HEADERS, day, ingest, land, line, publish, sales_csv

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


@pytest.mark.slow(covered=True)
def test_ids_on_several_dates_are_one_line_of_a_feed_by_run_and_for_the_newest_dates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = {"id": dy.String(nullable=False), "on": dy.Date(nullable=False)}
    lake = lake_of(tmp_path, feed_of(columns, business_date="on", duplicates=("id",)), feed_of(columns, name="other"))
    for at, (number, ids) in enumerate([(1, "ab"), (2, "abc"), (3, "a"), (20, "z")]):
        land(
            lake,
            f"{number}.json",
            json.dumps([{"id": i, "on": f"2026-03-{number:02}"} for i in ids]).encode(),
            "things",
        )
        ingest(lake, feed="things")
        publish(lake, str(at), feed="things")
    [line] = status(lake).repeated
    assert line == ids_on_several_dates(lake)[0]
    assert line.startswith(
        "silver.things: 2 ids (id) published on more than one date: on 3 dates, such as 2026-03-01 and"
    )
    assert "declare key and versioned_by" in line
    assert [
        " 1 id (id) published on more than one date: on 3 dates" in line for line in ids_on_several_dates(lake, ["2"])
    ] == [True]
    assert ids_on_several_dates(lake, ["3"]) == []
    monkeypatch.setattr("lakehouse_assets.query.drift.ROWS", 2)
    [line] = ids_on_several_dates(lake)
    assert line.endswith("(looked at the newest 2 of 4 dates)")
