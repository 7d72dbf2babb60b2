"""Keyed feeds in the order of landing: one delivery follows another, and a full one deletes the keys that it lacks."""

import datetime as dt
import hashlib
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.decisions import recorded
from lakehouse_assets.operations.decision_commands import correct
from lakehouse_assets.parsing.buckets import bucket_of
from lakehouse_assets.pipeline.candidate import compute
from lakehouse_assets.query.verify import verify
from lakehouse_assets.storage import delta
from lakehouse_assets_tests import customers, retail
from lakehouse_assets_tests.customers import ANNA, ANNA_MOVED, BOB, Change
from lakehouse_assets_tests.retail import ingest

BY_LANDING, FULL = (customers.feed(versioned_by="landing", delivery=what) for what in ("changes", "full"))

delivered = st.lists(
    st.dictionaries(st.integers(1, 3), st.sampled_from(["Anna", "Bob", "D"]), min_size=1), min_size=1, max_size=5
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow])
@given(delivered, st.sampled_from(["changes", "full"]))
def test_deliveries_follow_each_other_also_when_one_comes_again(deliveries: list[dict[int, str]], what: str) -> None:
    is_full = what == "full"
    wanted: dict[int, list[tuple[int, str]]] = {}
    for at, delivery in enumerate(deliveries):
        gone = dict.fromkeys(wanted.keys() - delivery.keys(), "D") if is_full else {}
        for key, name in {**delivery, **gone}.items():
            told = wanted.setdefault(key, [])
            if not told or told[-1][1] != name:
                told.append((at, name))
    files = [
        [
            Change(key, "A", None, None, 1, "D") if name == "D" else Change(key, "A", name, None, 1)
            for key, name in those
        ]
        for those in (sorted(delivery.items()) for delivery in deliveries)
    ]
    contents = [customers.changes_csv(file) for file in files]
    landings = pl.DataFrame(
        [(hashlib.sha256(c).hexdigest(), at, customers.moment(at)) for at, c in enumerate(contents)],
        schema={"_source_hash": pl.String, "_landed": pl.Int64, "_landed_at": pl.Datetime("us", "UTC")},
        orient="row",
    )
    feed = FULL if is_full else BY_LANDING
    once = [file for at, file in enumerate(files) if contents.index(contents[at]) == at]
    found = compute(feed, customers.bronze(feed, once, plain=True), landings=landings)
    assert found.versions is not None
    rows = found.versions.history.sort("customer_id", "valid_from").iter_rows(named=True)
    shown: dict[int, list[tuple[int, str]]] = {}
    for row in rows:
        minute = int((row["valid_from"] - customers.moment(0)).total_seconds() // 60)
        shown.setdefault(row["customer_id"], []).append((minute, "D" if row["is_deleted"] else row["name"]))
    assert shown == wanted
    alive = {key for key, told in wanted.items() if told[-1][1] != "D"}
    assert set(found.valid["customer_id"]) == alive
    assert found.accounting["valid"].sum() == sum(map(len, once))


@pytest.mark.slow
def test_a_key_that_a_full_delivery_lacks_is_deleted_and_one_that_it_spoils_is_not(tmp_path: Path) -> None:
    lake = customers.lake_of(str(tmp_path / "lake"), customers.feed(versioned_by="landing", delivery="full", gate=0))
    anna, bob, eve = (Change(at, "A", name, None, 1) for at, name in enumerate(["Anna", "Bob", "Eve"], 1))
    customers.land(lake, "1.csv", [anna, bob, eve])
    customers.run(lake)
    customers.land(lake, "2.csv", [anna, eve._replace(op="?")])
    customers.run(lake)
    there, gone = ("Anna", None, False), (None, None, True)
    assert _told(lake) == {1: [there], 2: [("Bob", None, False), gone], 3: [("Eve", None, False)]}
    customers.land(lake, "3.csv", [])  # says nothing
    customers.land(lake, "4.csv", [bob])
    customers.run(lake)
    assert _told(lake) == {
        1: [there, gone],
        2: [("Bob", None, False), gone, ("Bob", None, False)],
        3: [("Eve", None, False), gone],
    }
    assert list(verify(lake)) == []


def _told(lake: Lake) -> dict[int, list[tuple[Any, ...]]]:
    """Return what the history says of each customer, in order: name, city, whether deleted; and the order's sanity."""
    rows = delta.rows(lake.store, delta.opened(lake.store, "silver/customers_history")).collect()
    found: dict[int, list[tuple[Any, ...]]] = {}
    for row in rows.sort("customer_id", "valid_from", "valid_to", nulls_last=True).iter_rows(named=True):
        found.setdefault(row["customer_id"], []).append((row["name"], row["city"], row["is_deleted"]))
        assert row["valid_to"] is None or row["valid_from"] <= row["valid_to"]
    return found


@pytest.mark.slow
def test_without_a_version_of_its_own_the_order_of_landing_counts(tmp_path: Path) -> None:
    anna, moved = Change(1, "A", "Anna", "Bern", 1), Change(1, "A", "Anna", "Basel", 1)
    bob, gone = Change(2, "A", "Bob", None, 1), Change(2, "A", None, None, 1, "D")
    files = [[anna, bob], [moved, moved], [anna, gone], [bob, gone, bob]]
    wanted = {
        1: [("Anna", "Bern", False), ("Anna", "Basel", False), ("Anna", "Bern", False)],
        2: [("Bob", None, False), (None, None, True), ("Bob", None, False)],
    }
    declared = customers.feed(versioned_by="landing")
    for name, is_one_by_one in (("one by one", True), ("at once", False)):
        lake = customers.lake_of(str(tmp_path / name), declared)
        for at, file in enumerate(files):
            customers.land(lake, f"{at}.csv", file)
            if is_one_by_one:
                customers.run(lake)
        customers.run(lake)
        assert _told(lake) == wanted
        customers.land(lake, "1.csv", files[1])  # the same bytes: no landing
        customers.run(lake)
        assert _told(lake) == wanted
        customers.land(lake, "4.csv", files[3])  # the same bytes under another key: they change nothing now
        customers.run(lake)
        assert _told(lake) == wanted
        lake.store.delete("landing/customers/4.csv")
        # Bytes that come back land anew, and are the latest word.
        customers.land(lake, "0.csv", [bob])
        customers.run(lake)
        customers.land(lake, "0.csv", files[0])
        customers.run(lake)
        assert _told(lake)[1] == [("Anna", "Basel", False), ("Anna", "Bern", False)]
        assert _told(lake)[2] == [(None, None, True), ("Bob", None, False)]
        assert list(verify(lake)) == []


@pytest.mark.slow
def test_reading_objects_anew_changes_no_place_in_the_order_of_landing(tmp_path: Path) -> None:
    folder = str(tmp_path / "lake")
    before = customers.lake_of(folder, customers.feed(versioned_by="landing"))
    for key, change in (("z.csv", ANNA), ("a.csv", ANNA_MOVED), ("m.csv", BOB)):
        customers.land(before, key, [change])
        customers.run(before)
    wanted = customers.history(before)
    after = customers.lake_of(folder, customers.feed(versioned_by="landing", buckets=5))
    customers.run(after)
    assert customers.history(after) == wanted
    assert _told(after)[1] == [("Anna", "Bern", False), ("Anna", "Basel", False)]


@pytest.mark.slow(covered=True)
def test_a_corrected_key_has_the_place_of_its_object_in_the_order_of_landing(tmp_path: Path) -> None:
    declared = customers.feed(versioned_by="landing", gate=0)
    lake = customers.lake_of(str(tmp_path / "lake"), declared)
    misread = customers.changes_csv([Change(1, "A", "Anna", "Bern", 1)]).replace(b"\n1,", b"\nl,")
    right = next(at for at in range(2, 50) if _bucket(at, declared) != bucket_of({"id": "l", "shop": "A"}, declared))
    retail.land(lake, "a.csv", misread, "customers")
    customers.land(lake, "b.csv", [Change(right, "A", "Bob", None, 1)])
    customers.run(lake)
    recorded.record(lake.store, correct(lake, declared, "a.csv", 1, {"id": str(right)}, "an l for a digit"))
    customers.run(lake)
    assert _told(lake) == {right: [("Anna", "Bern", False), ("Bob", None, False)]}
    customers.land(lake, "a.csv", [BOB])
    ingest(lake, feed="customers")
    retail.land(lake, "a.csv", misread, "customers")
    customers.run(lake)
    assert _told(lake) == {right: [("Bob", None, False), ("Anna", "Bern", False)]}
    assert list(verify(lake)) == []


def _bucket(number: int, declared: Feed) -> str:
    return bucket_of({"id": str(number), "shop": "A"}, declared)


@pytest.mark.slow
def test_a_time_in_the_keys_of_deliveries_makes_their_order_of_arrival_nothing(tmp_path: Path) -> None:
    anna, moved, bob = (Change(1, "A", "Anna", city, 1) for city in ("Bern", "Basel", "Zug"))
    declared = customers.feed(
        versioned_by="landing", delivery="full", delivered_at="%Y-%m-%d", time_zone="Europe/London"
    )
    days = {
        "2026-07-01.csv": [anna, BOB],
        "2026-07-02.csv": [moved],
        "2026-07-03/a.csv": [bob],
        "2026-07-03/b.csv": [BOB],
    }
    told = []
    for name, order in (("there", [*days]), ("back", [*reversed(days)])):
        lake = customers.lake_of(str(tmp_path / name), declared)
        for key in order:
            customers.land(lake, key, days[key])
            customers.run(lake)
        told.append(customers.history(lake))
        assert list(verify(lake)) == []
    assert told[0] == told[1]
    assert _told(lake) == {
        1: [("Anna", "Bern", False), ("Anna", "Basel", False), ("Anna", "Zug", False)],
        2: [("Bob", None, False), (None, None, True), ("Bob", None, False)],
    }
    assert min(row[6] for row in told[0]) == dt.datetime(2026, 6, 30, 23, tzinfo=dt.UTC)
    customers.land(lake, "without.csv", [anna])
    ingest(lake, feed="customers")
    assert lake.ledger_of(declared).refused["source_key"].to_list() == ["without.csv"]
