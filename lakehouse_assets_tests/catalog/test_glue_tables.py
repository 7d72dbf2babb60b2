"""What Glue is told of bronze, for each way in which a feed may be partitioned."""

import datetime as dt
from dataclasses import replace
from typing import Any

import dataframely as dy
import pytest

from lakehouse_assets.catalog.glue_tables import entry, wanted
from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Contract, Feed, source
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.settings import Settings

_DATE = {"dt.type": "date", "dt.format": "yyyy-MM-dd", "dt.interval": "1"}


class Visits(Contract):
    """One visit."""

    visit_id = dy.String(nullable=False, description="Id.", metadata=source("VisitId"))
    visited_on = dy.Date(nullable=False, description="Day.", metadata=source("VisitedOn"))


def bronze(lake: Lake, **declared: Any) -> dict[str, Any]:
    """Return what Glue is told of the bronze table of a feed."""
    feed = Feed(name="visits", contract=Visits, description="Visits.", owner="team:x", **declared)
    told = replace(lake, registry=Registry([feed], []), settings=Settings(root="s3://bucket/lake", glue_prefix="a"))
    [one] = wanted(told, "a")  # nothing else is stored
    return entry(told, one)


@pytest.mark.parametrize(
    ("declared", "projection"),
    [
        (
            {"business_date": "visited_on", "start_date": dt.date(2020, 5, 4)},
            _DATE | {"dt.range": "2020-05-04,NOW+1DAYS", "dt.interval.unit": "DAYS"},
        ),
        (
            {"business_date": "visited_on", "partition_by": "month"},
            _DATE | {"dt.range": "2009-01-01,NOW+1DAYS", "dt.interval.unit": "MONTHS"},
        ),
        (
            {"business_date": "visited_on", "partition_by": "year"},
            _DATE | {"dt.range": "2009-01-01,NOW+1DAYS", "dt.interval.unit": "YEARS"},
        ),
        (
            {"key": ("visit_id",), "versioned_by": "visited_on", "buckets": 3},
            {"bucket.type": "enum", "bucket.values": "00,01,02"},
        ),
    ],
    ids=["days", "months", "years", "buckets"],
)
def test_athena_works_out_the_partitions_by_itself(
    lake: Lake, declared: dict[str, Any], projection: dict[str, str]
) -> None:
    found = bronze(lake, **declared)
    assert {
        k.removeprefix("projection."): v for k, v in found["Parameters"].items() if k.startswith("projection.")
    } == {
        "enabled": "true",
        **projection,
    }
    [key] = found["PartitionKeys"]
    assert (key["Name"], key["Type"]) == (next(iter(projection)).partition(".")[0], "string")
    assert key["Name"] not in [column["Name"] for column in found["StorageDescriptor"]["Columns"]]


def test_a_feed_without_dates_has_no_partitions(lake: Lake) -> None:
    found = bronze(lake)
    assert found["PartitionKeys"] == []
    assert not [name for name in found["Parameters"] if name.startswith("projection.")]
    assert found["StorageDescriptor"]["Location"] == "s3://bucket/lake/bronze/visits/"
