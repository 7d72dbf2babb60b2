"""Many small objects of a date, and what lies in packs. Not here: the tests."""

import datetime as dt

from lakehouse_assets.context import Lake
from lakehouse_assets.maintenance.policy import Policy
from lakehouse_assets.operations.computing import partitions_to_force
from lakehouse_assets.pipeline import packs
from lakehouse_assets.pipeline.ingest import ingest as ingest_objects
from lakehouse_assets.sources.landing import originals
from lakehouse_assets_tests.maintenance.aging import done, made
from lakehouse_assets_tests.retail import DAY, day, land, run, sales, sales_csv

NEXT = "2011-03-02"
NOW = Policy(dt.timedelta(), below_seven_days=True)
KEPT = Policy(small_files=1)
AT_ONCE = Policy(dt.timedelta(), below_seven_days=True, small_files=1)


def minute(at: int, date: str = DAY) -> bytes:
    """Return one of many small objects of a date, each with other records."""
    return sales_csv(day(date, 3, InvoiceNo=str(500_000 + at)))


def land_minutes(lake: Lake, count: int, first: int = 0, date: str = DAY) -> None:
    for at in range(first, first + count):
        land(lake, f"{date}-{at:04}.csv", minute(at, date))


def publish_minutes(lake: Lake, count: int) -> None:
    """Land and publish so many small objects; a fresh lake becomes a copy of one in which that was done."""
    made(lake, _publish, count)


def _publish(lake: Lake, count: int) -> None:
    land_minutes(lake, count)
    run(lake)


def bronze(lake: Lake) -> list[str]:
    return sorted(stored.path for stored in lake.store.list("bronze/sales"))


def packs_of(lake: Lake) -> set[str]:
    return set(packs.known(lake.store, "sales")["pack"])


def told(lake: Lake, policy: Policy) -> dict[str, int]:
    return {a.action: a.files for a in done(lake, policy) if a.table == "bronze.sales"}


def read_again(lake: Lake, date: str = DAY) -> None:
    """Do in the pipeline what `lakehouse run bronze.sales --from --to` does through Dagster."""
    at = dt.date.fromisoformat(date)
    feed, asked = sales(lake), partitions_to_force(lake, ["bronze.sales"], at, at)
    found = originals(lake, feed, lake.ledger_of(feed), asked["landing/sales"])
    list(ingest_objects(lake, feed, found, "again", force=True))
