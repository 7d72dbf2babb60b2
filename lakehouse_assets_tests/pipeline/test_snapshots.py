"""`snapshot="latest"`: a delivery takes the place of the one before, whole, in the order that is declared."""

import datetime as dt
import itertools
import json
from pathlib import Path
from random import Random
from typing import Any

import dataframely as dy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import ContractError, Feed
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.decisions.kinds import DecisionError
from lakehouse_assets.decisions.recorded import record
from lakehouse_assets.operations import decision_commands
from lakehouse_assets.pipeline.accounting import scan_accounting
from lakehouse_assets.pipeline.pending import FeedState
from lakehouse_assets.query import sql
from lakehouse_assets.query.verify import verify
from lakehouse_assets_tests.faults.conftest import IN_FULL
from lakehouse_assets_tests.pipeline.declared import Records, feed_of, lake_of, put, stored
from lakehouse_assets_tests.retail import ingest, land, publish, zipped

COLUMNS = {"id": dy.Int64(nullable=False), "price": dy.Int64(nullable=False, min=0)}
DATED = "%Y-%m-%d"


def prices(**options: Any) -> Feed:
    return feed_of(COLUMNS, **{"snapshot": "latest"} | options)


def rows(**priced: int) -> Records:
    """Return records from `i1=10`: product 1 costs 10."""
    return [{"id": int(name[1:]), "price": price} for name, price in priced.items()]


def silver(lake: Lake) -> list[tuple[Any, ...]]:
    return sorted(stored(lake, "silver", "id", "price"))


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize("where", ["folder", pytest.param("s3", marks=[pytest.mark.slow, IN_FULL])])
def test_a_delivery_replaces_the_one_before_whole(where: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    root = tmp_path if where == "folder" else request.getfixturevalue("s3_lake").settings.root
    lake = lake_of(root, prices())
    put(lake, {"b.json": rows(i1=10, i2=20)})
    outcome = put(lake, {"a.json": rows(i2=25, i3=30)})["whole"]
    assert silver(lake) == [(2, 25), (3, 30)]
    assert (outcome.landed, outcome.valid, outcome.vanished) == (2, 2, 0)
    accounts = scan_accounting(lake.store).select("source_key", "landed", "published").collect().rows()
    assert accounts == [("a.json", 2, 2)]
    assert list(verify(lake, deep=True)) == []


@pytest.mark.slow(covered=True)
def test_the_union_of_all_deliveries_is_the_default(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, feed_of(COLUMNS))
    put(lake, {"b.json": rows(i1=10, i2=20)})
    put(lake, {"a.json": rows(i2=25)})
    assert silver(lake) == [(1, 10), (2, 20), (2, 25)]
    assert feed_of(COLUMNS, snapshot="union").version == feed_of(COLUMNS).version
    assert len({feed.version for feed in (prices(), prices(delivered_at=DATED), feed_of(COLUMNS))}) == 3


@pytest.mark.slow
def test_older_deliveries_can_be_asked_for_by_time_and_by_key(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, prices())
    put(lake, {"monday.json": rows(i1=10)})
    between = dt.datetime.now(dt.UTC)
    put(lake, {"tuesday.json": rows(i1=11)})
    assert sql.run(lake, "SELECT price FROM silver.things").rows == [(11,)]
    assert sql.run(lake, "SELECT price FROM silver.things", between).rows == [(10,)]
    older = "SELECT price FROM bronze.things WHERE _source_key = 'monday.json'"
    assert sql.run(lake, older).rows == [("10",)]


@pytest.mark.slow
def test_the_declared_order_counts_and_not_that_of_arrival(tmp_path: Path) -> None:
    deliveries = {
        "2026-11-19.json": rows(i1=1),
        "late/2026-11-20.json": rows(i1=2),
        "x-2026-11-18.json": rows(i1=3),
        "2026-11-20.json": rows(i1=4),
    }
    for at, order in enumerate(itertools.permutations(deliveries)):
        if at % 5 == 0:
            lake = lake_of(tmp_path / str(at), prices(delivered_at=DATED))
            for key in order:
                put(lake, {key: deliveries[key]})
            # Of two deliveries of one date the larger key counts.
            assert stored(lake, "silver", "_source_key", "price") == [("late/2026-11-20.json", 2)]


def test_a_key_without_its_date_is_rejected_and_says_so(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, feed := prices(delivered_at=DATED))
    put(lake, {"2026-11-19.json": rows(i1=1), "newest.json": rows(i1=2)})
    [refused] = lake.ledger_of(feed).refused.rows(named=True)
    assert refused["source_key"] == "newest.json"
    assert refused["reason"].startswith("its key has no date of the form '%Y-%m-%d'")
    assert silver(lake) == [(1, 1)]


@pytest.mark.slow
def test_reading_deliveries_anew_does_not_change_which_one_is_the_newest(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, prices())
    for key in ("b.json", "c.json", "a.json"):
        put(lake, {key: rows(i1=ord(key[0]))})
    wider = feed_of({**COLUMNS, "note": dy.String(nullable=True)}, snapshot="latest")
    changed = Lake(lake.store, lake.settings, Registry([wider], []))
    assert [len(batch.versions) for batch in ingest(changed, feed="things")] == [3]
    publish(changed, feed="things")
    assert stored(changed, "silver", "_source_key") == [("a.json",)]
    assert list(verify(changed)) == []


@pytest.mark.slow
def test_the_same_bytes_again_under_their_key_are_no_new_delivery_and_under_another_one_are(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, prices())
    put(lake, {"a.json": rows(i1=1)})
    put(lake, {"b.json": rows(i1=2)})
    (tmp_path / "landing/things/a.json").touch()
    assert put(lake, {}) == {}
    put(lake, {"c.json": rows(i1=1)})
    assert stored(lake, "silver", "_source_key", "price") == [("c.json", 1)]
    put(lake, {"a.json": rows(i1=3)})
    assert stored(lake, "silver", "_source_key", "price") == [("a.json", 3)]


@pytest.mark.slow(covered=True)
def test_a_delivery_that_the_gate_holds_leaves_the_one_before_published(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, prices())
    put(lake, {"a.json": rows(i1=1, i2=2)})
    assert put(lake, {"b.json": rows(i1=-1, i2=2)})["whole"].verdict == "held"
    assert silver(lake) == [(1, 1), (2, 2)]
    assert stored(lake, "quarantine", "_source_key", "rules") == [("b.json", ["price_min"])]
    put(lake, {"c.json": rows(i9=9)})
    assert (silver(lake), stored(lake, "quarantine", "rules")) == ([(9, 9)], [])


@pytest.mark.slow(covered=True)
def test_an_empty_delivery_is_held_until_a_person_releases_it(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, feed := prices())
    land(lake, "a.csv", b"id,price\n1,1\n", "things")
    put(lake, {})
    land(lake, "b.csv", b"id,price\n", "things")
    outcome = put(lake, {})["whole"]
    assert outcome.verdict == "held"
    assert outcome.message.startswith("whole: the newest delivery has no records. The published version stands;")
    assert silver(lake) == [(1, 1)]
    assert put(lake, {}) == {}
    record(lake.store, decision_commands.release(lake, feed, "whole", "all sold"))
    assert publish(lake, feed="things")["whole"].verdict == "published"
    assert silver(lake) == []
    assert list(verify(lake)) == []


@pytest.mark.slow(covered=True)
def test_a_zip_is_one_delivery_and_counts_only_if_all_of_it_was_accepted(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, prices())
    first, second = (json.dumps(rows(**{name: 1})).encode() for name in ("i1", "i2"))
    land(lake, "a.zip", zipped({"1.json": first, "2.json": second}), "things")
    put(lake, {})
    assert silver(lake) == [(1, 1), (2, 1)]
    land(lake, "b.zip", zipped({"1.json": first, "2.json": b'[{"id": '}), "things")
    put(lake, {})
    assert stored(lake, "silver", "_source_key") == [("a.zip!1.json",), ("a.zip!2.json",)]
    land(lake, "b.zip", zipped({"2.json": second}), "things")
    put(lake, {})
    assert stored(lake, "silver", "_source_key") == [("b.zip!2.json",)]


@pytest.mark.slow(covered=True)
def test_of_two_records_with_one_key_in_a_delivery_the_first_counts(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, prices(duplicates=("id",), gate=0.5))
    put(lake, {"a.json": [*rows(i1=1), *rows(i1=2, i2=2)]})
    assert silver(lake) == [(1, 1), (2, 2)]
    assert stored(lake, "quarantine", "_line", "rules") == [(2, ["id_once"])]
    put(lake, {"b.json": rows(i1=5)})
    assert (silver(lake), stored(lake, "quarantine", "_line")) == ([(1, 5)], [])


def test_a_record_of_a_replaced_delivery_cannot_be_decided_on(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, feed := prices())
    put(lake, {"a.json": rows(i1=1)})
    put(lake, {"b.json": rows(i1=2)})
    with pytest.raises(DecisionError, match=r"no live source object 'a\.json'"):
        decision_commands.discard(lake, feed, "a.json", 1, "why")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"snapshot": "newest"}, '"union" or "latest"'),
        ({"snapshot": "union", "delivered_at": DATED}, 'snapshot="latest"'),
        ({"delivered_at": "%y-%m-%d"}, "as far as the keys say them"),
        ({"delivered_at": "%m"}, "leaves a gap"),
        ({"business_date": "id"}, "is for a feed without business_date"),
        ({"key": ("id",), "versioned_by": "landing"}, "is for a feed without key"),
    ],
)
def test_a_senseless_declaration_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ContractError, match="feed 'things': ") as error:
        prices(**options)
    assert said in str(error.value)


KEYS = [f"2026-11-{day:02}.json" for day in range(1, 5)]
ARRIVAL = st.tuples(st.sampled_from(KEYS), st.integers(0, 2))


@pytest.mark.slow
@settings(max_examples=8, deadline=None)
@given(arrivals=st.lists(ARRIVAL, min_size=1, max_size=6), random=st.randoms(use_true_random=False))
def test_any_order_of_arrival_gives_the_same_table(
    tmp_path_factory: pytest.TempPathFactory, arrivals: list[tuple[str, int]], random: Random
) -> None:
    last = dict(arrivals)
    # Of one key the last bytes count: their order stays, that of the keys changes, and all of it comes again.
    keys = sorted(last)
    random.shuffle(keys)
    shuffled = [arrival for key in keys for arrival in arrivals if arrival[0] == key]
    tables = []
    for order, each in ((arrivals, True), ([*shuffled, *((key, last[key]) for key in keys)], random.random() < 0.5)):
        lake = lake_of(tmp_path_factory.mktemp("lake"), prices(delivered_at=DATED))
        for key, price in order:
            land(lake, key, json.dumps(rows(i1=price, i2=len(key))).encode(), "things")
            if each:
                put(lake, {})
        put(lake, {})
        feed = lake.registry.feed("things")
        tables.append((stored(lake, "silver", "_source_key", "id", "price"), FeedState.of(lake, feed).inputs))
    assert tables[0] == tables[1]
    newest = max(last)
    assert tables[0][0] == [(newest, 1, last[newest]), (newest, 2, len(newest))]
