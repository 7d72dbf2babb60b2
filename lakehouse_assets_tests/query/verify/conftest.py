"""A lake in which everything that is odd but right has happened; each test damages a copy of its own."""

from pathlib import Path

import pytest

from lakehouse_assets.catalog import duckdb_views
from lakehouse_assets.context import Lake
from lakehouse_assets.decisions import recorded
from lakehouse_assets.operations.decision_commands import accept, correct, discard, release, waive
from lakehouse_assets.pipeline.pins import pin
from lakehouse_assets.storage import delta
from lakehouse_assets_tests.conftest import copied, lake_at
from lakehouse_assets_tests.decisions.manifests import promise
from lakehouse_assets_tests.decisions.person import bad_day, bad_line, landed, restore, settle, take, take_back, version
from lakehouse_assets_tests.prepared import Once
from lakehouse_assets_tests.query.verify.damage import HELD, MOVED, NEXT, PINNED, RELEASED
from lakehouse_assets_tests.retail import day, land, line, sales_csv, zipped


@pytest.fixture(scope="session")
def good_lake(once: Once) -> Lake:
    """Resends, aliases, undated and future rows, held and released dates, held objects, decisions, pins. Read only."""
    return lake_at(once(_good_lake))


def _good_lake(folder: Path) -> str:
    lake = lake_at(str(folder / "lake"))
    odd = [bad_line(), line(InvoiceNo="GIFT1"), bad_line(Quantity="7.5")]
    outside = [line(InvoiceDate="yesterday"), line(InvoiceDate="2999-01-01 10:00:00"), line(InvoiceDate=None)]
    landed(
        lake,
        [
            ("day.csv", bad_day(*odd, *outside, *day(count=2))),
            ("drop.zip", zipped({"a.csv": sales_csv(4, NEXT), "b.csv": sales_csv(3, HELD)})),
            ("copy.csv", sales_csv(4, NEXT)),
            ("copy2.csv", sales_csv(4, NEXT)),
            ("pinned.csv", sales_csv(2, PINNED)),
        ],
    )
    before = version(lake, "silver.sales")
    settle(lake, gold=True)
    first_gold = version(lake, "gold.daily_metrics")
    spoilt = [line(InvoiceDate=f"{HELD} 10:00:00", Quantity="six")]
    landed(
        lake,
        [
            ("drop.zip", zipped({"a.csv": sales_csv(5, NEXT), "b.csv": sales_csv([*day(HELD, 3), *spoilt])})),
            ("pinned.csv", sales_csv(3, PINNED)),
            ("released.csv", sales_csv([*day(RELEASED, 8), line(InvoiceDate=f"{RELEASED} 10:00:00", Quantity="six")])),
        ],
    )
    promise(lake, "wrong.csv.manifest.json", rows=99)
    promise(lake, "accepted.csv.manifest.json", rows=99)
    land(lake, "wrong.csv", sales_csv([line(Quantity="1000")]))
    land(lake, "accepted.csv", sales_csv([line(Quantity="2000")]))
    land(lake, "rejected.csv", b"")
    settle(lake)
    take(lake, correct, "day.csv", 61, {"Quantity": "600"})
    take(lake, waive, "day.csv", 62, ["invoice_no_regex"])
    take(lake, correct, "day.csv", 1, {"InvoiceDate": f"{MOVED} 10:00:00"})
    take(lake, discard, "day.csv", 2)
    take_back(lake, take(lake, discard, "day.csv", 3))
    take(lake, release, RELEASED)
    take(lake, accept, "accepted.csv")
    settle(lake)
    all_pinned = restore(lake, "silver.sales", before)
    assert PINNED in all_pinned.pins
    take_back(lake, all_pinned)
    settle(lake, gold=True)
    restore_only(lake, "silver.sales", PINNED, before)
    restore_only(lake, "gold.daily_metrics", PINNED, first_gold)
    settle(lake, gold=True)
    duckdb_views.rebuild(lake)
    return lake.settings.root


def restore_only(lake: Lake, name: str, date: str, target: int) -> None:
    """Pin one date of a table to a version."""
    table = lake.registry.table(name)
    published = delta.fingerprints(lake.store, table.path)
    recorded.record(lake.store, pin(lake, table, target, [date], published, "it was better", "ann"))


@pytest.fixture
def lake(good_lake: Lake, tmp_path: Path) -> Lake:
    """A copy of the good lake, with a catalog of its own."""
    lake = copied(good_lake, tmp_path / "lake")
    duckdb_views.rebuild(lake)
    return lake
