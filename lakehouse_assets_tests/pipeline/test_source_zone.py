"""`source_zone`: times without an offset are of one zone, and the business date is the day in another."""

import datetime as dt
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import dataframely as dy
import polars as pl
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import ContractError, Feed, source
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.parsing.casting import instants
from lakehouse_assets.query.verify import verify
from lakehouse_assets_tests.faults.conftest import IN_FULL
from lakehouse_assets_tests.pipeline.declared import feed_of, lake_of, put, stored
from lakehouse_assets_tests.retail import ingest, publish

NEW_YORK = ZoneInfo("America/New_York")


def trips(*formats: str, **options: Any) -> Feed:
    columns = {"at": dy.Datetime(time_zone="UTC", nullable=False, metadata=source("at", formats=formats))}
    declared = {"business_date": "at", "time_zone": "America/New_York", "source_zone": "UTC"}
    return feed_of(columns, **declared | options)


@pytest.mark.parametrize("where", ["folder", pytest.param("s3", marks=[pytest.mark.slow, IN_FULL])])
def test_naive_utc_times_are_published_by_their_day_in_new_york(
    where: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    root = tmp_path if where == "folder" else request.getfixturevalue("s3_lake").settings.root
    lake = lake_of(root, trips())
    times = ["2026-01-15 04:59:59", "2026-01-15T05:00:00", "2026-01-15 00:30:00-05:00", "2026-01-15 02:00:00Z"]
    put(lake, {"a.json": [{"at": time} for time in times]})
    utc = dt.UTC
    assert stored(lake, "silver", "dt", "at") == [
        (dt.date(2026, 1, 14), dt.datetime(2026, 1, 15, 4, 59, 59, tzinfo=utc)),
        (dt.date(2026, 1, 15), dt.datetime(2026, 1, 15, 5, tzinfo=utc)),
        (dt.date(2026, 1, 15), dt.datetime(2026, 1, 15, 5, 30, tzinfo=utc)),
        (dt.date(2026, 1, 14), dt.datetime(2026, 1, 15, 2, tzinfo=utc)),
    ]
    assert list(verify(lake)) == []


@pytest.mark.parametrize(
    ("form", "formats"), [("%Y-%m-%d %H:%M:%S", ()), ("%Y-%m-%dT%H:%M", ()), ("%d/%m/%Y %H:%M", ("%d/%m/%Y %H:%M",))]
)
def test_every_half_hour_of_the_days_when_clocks_change_has_one_instant_and_its_day(
    form: str, formats: tuple[str, ...]
) -> None:
    halves = [dt.timedelta(minutes=30) * n for n in range(96)]
    starts = (dt.datetime(2026, 3, 8, tzinfo=dt.UTC), dt.datetime(2026, 11, 1, tzinfo=dt.UTC))
    moments = [start + half for start in starts for half in halves]
    text = pl.Series("at", [moment.strftime(form) for moment in moments])
    found, days = instants(text, formats, "UTC", "America/New_York")
    assert found.to_list() == moments
    assert days.to_list() == [moment.astimezone(NEW_YORK).date() for moment in moments]


def test_a_time_that_the_source_zone_skips_is_none_and_one_that_it_has_twice_is_the_first() -> None:
    text = pl.Series("at", ["2026-03-08 02:30:00", "2026-11-01 01:30:00", "2026-11-01 23:30:00"])
    found, days = instants(text, (), "America/New_York", "Asia/Tokyo")
    first = dt.datetime(2026, 11, 1, 5, 30, tzinfo=dt.UTC)
    assert found.to_list() == [None, first, dt.datetime(2026, 11, 2, 4, 30, tzinfo=dt.UTC)]
    assert days.to_list() == [None, dt.date(2026, 11, 1), dt.date(2026, 11, 2)]


@pytest.mark.slow(covered=True)
def test_a_source_zone_that_is_declared_later_moves_the_records_to_their_dates(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, trips(source_zone=None))
    put(lake, {"a.json": [{"at": "2026-01-15 04:00:00"}]})
    assert stored(lake, "silver", "dt") == [(dt.date(2026, 1, 15),)]
    corrected = Lake(lake.store, lake.settings, Registry([trips()], []))
    ingest(corrected, feed="things")
    publish(corrected, feed="things")
    assert stored(corrected, "silver", "dt") == [(dt.date(2026, 1, 14),)]
    assert list(verify(corrected)) == []


def test_the_business_time_zone_as_source_zone_changes_nothing() -> None:
    plain, said = trips(source_zone=None), trips(source_zone="America/New_York")
    assert (said.version, said.reading_version) == (plain.version, plain.reading_version)
    assert trips().version != plain.version
    assert trips().reading_version != plain.reading_version


def test_a_senseless_zone_is_refused() -> None:
    with pytest.raises(ContractError, match="source_zone='Mars/Olympus' is no time zone"):
        trips(source_zone="Mars/Olympus")
    with pytest.raises(ContractError, match="time_zone='New York' is no time zone"):
        trips(time_zone="New York")
    with pytest.raises(ContractError, match="the contract reads no time; leave it out"):
        feed_of({"id": dy.Int64(nullable=False)}, source_zone="UTC")
