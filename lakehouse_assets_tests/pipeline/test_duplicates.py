"""`duplicates`: equal records count once, or each of them counts, or one counts for each declared id."""

import datetime as dt
import itertools
from pathlib import Path
from typing import Any

import dataframely as dy
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import ContractError, Feed, source
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.decisions.recorded import record
from lakehouse_assets.operations.decision_commands import discard
from lakehouse_assets.pipeline.accounting import scan_accounting
from lakehouse_assets.pipeline.repeats import repeated_ids
from lakehouse_assets.query.verify import verify
from lakehouse_assets_tests.faults.conftest import IN_FULL
from lakehouse_assets_tests.pipeline.declared import feed_of, lake_of, put, stored
from lakehouse_assets_tests.retail import publish

COLUMNS = {
    "event_id": dy.String(nullable=False),
    "units": dy.Int64(nullable=False, min=0),
    "sold_on": dy.Date(nullable=False),
}
SCAN = {"event_id": "e1", "units": 1, "sold_on": "2026-03-01"}


def scans(**options: Any) -> Feed:
    return feed_of(COLUMNS, **{"business_date": "sold_on", "gate": 0.0} | options)


def _accounts(lake: Lake) -> list[tuple[Any, ...]]:
    columns = ["source_key", "landed", "valid", "quarantined", "duplicates"]
    return scan_accounting(lake.store).sort("source_key").select(columns).collect().rows()


@pytest.mark.parametrize("where", ["folder", pytest.param("s3", marks=[pytest.mark.slow, IN_FULL])])
def test_repeated_records_each_count_where_they_are_kept(
    where: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    root = tmp_path if where == "folder" else request.getfixturevalue("s3_lake").settings.root
    lake = lake_of(root, scans(duplicates="keep"))
    outcome = put(lake, {"till-1.json": [SCAN, SCAN, SCAN | {"units": 2}], "till-2.json": [SCAN]})["2026-03-01"]
    assert (outcome.landed, outcome.valid, outcome.duplicates) == (4, 4, 0)
    assert stored(lake, "silver", "_source_key", "_line", "units") == [
        ("till-1.json", 1, 1), ("till-1.json", 2, 1), ("till-1.json", 3, 2), ("till-2.json", 1, 1),
    ]  # fmt: skip
    assert _accounts(lake) == [("till-1.json", 3, 3, 0, 0), ("till-2.json", 1, 1, 0, 0)]
    assert list(verify(lake)) == []


def test_the_same_bytes_under_two_keys_count_once_also_where_repeats_are_kept(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, scans(duplicates="keep"))
    put(lake, {"a.json": [SCAN, SCAN]})
    assert put(lake, {"again.json": [SCAN, SCAN]}) == {}
    assert len(stored(lake, "silver", "units")) == 2


@pytest.mark.slow(covered=True)
def test_one_record_counts_for_each_event_and_what_differs_is_in_quarantine(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, scans(duplicates=("event_id",)))
    later = [SCAN, SCAN, SCAN | {"units": 7}]
    outcome = put(lake, {"b.json": later, "a.json": [SCAN | {"units": 5}, SCAN | {"event_id": "e2"}]})["2026-03-01"]
    assert (outcome.valid, outcome.duplicates, outcome.broken) == (2, 1, {"event_id_once": 2})
    assert stored(lake, "silver", "_source_key", "event_id", "units") == [("a.json", "e1", 5), ("a.json", "e2", 1)]
    assert stored(lake, "quarantine", "_source_key", "_line", "rules") == [
        ("b.json", 1, ["event_id_once"]), ("b.json", 3, ["event_id_once"]),
    ]  # fmt: skip
    assert _accounts(lake) == [("a.json", 2, 2, 0, 0), ("b.json", 3, 0, 2, 1)]
    assert list(verify(lake)) == []


def test_the_first_record_of_an_event_that_keeps_the_contract_counts(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, scans(duplicates=("event_id",)))
    put(lake, {"a.json": [SCAN | {"units": -1}, SCAN | {"units": "many"}, SCAN | {"units": 3}, SCAN | {"units": 4}]})
    assert stored(lake, "silver", "units") == [(3,)]
    assert [rules for (rules,) in stored(lake, "quarantine", "rules")] == [
        ["units_min"], ["units_readable"], ["event_id_once"],
    ]  # fmt: skip


@pytest.mark.slow(covered=True)
def test_an_event_is_one_within_its_business_date_whatever_the_batch(tmp_path: Path) -> None:
    for batch in (1, 1_000):
        lake = lake_of(tmp_path / str(batch), scans(duplicates=("event_id",)), publish_batch_rows=batch)
        put(lake, {"a.json": [SCAN, SCAN | {"sold_on": "2026-03-02"}]})
        assert stored(lake, "silver", "sold_on") == [(dt.date(2026, 3, 1),), (dt.date(2026, 3, 2),)]


@pytest.mark.slow
def test_which_record_counts_does_not_depend_on_the_order_of_arrival(tmp_path: Path) -> None:
    deliveries = {"a.json": [SCAN | {"units": 3}], "b.json": [SCAN | {"units": 2}], "c.json": [SCAN | {"units": -1}]}
    found = []
    for at, order in enumerate(itertools.permutations(deliveries)):
        lake = lake_of(tmp_path / str(at), scans(duplicates=("event_id",)))
        for key in order:
            put(lake, {key: deliveries[key]})
        found.append((stored(lake, "silver", "units"), stored(lake, "quarantine", "_source_key", "rules")))
    assert found == [found[0]] * 6
    assert found[0] == ([(3,)], [("b.json", ["event_id_once"]), ("c.json", ["units_min"])])


@pytest.mark.slow(covered=True)
def test_a_record_that_gives_way_to_an_earlier_one_of_its_event_has_not_vanished(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, scans(duplicates=("event_id",)))
    put(lake, {"b.json": [SCAN]})
    assert put(lake, {"a.json": [SCAN | {"units": 9}]})["2026-03-01"].vanished == 0
    assert stored(lake, "silver", "units") == [(9,)]


@pytest.mark.slow(covered=True)
def test_discarding_the_record_that_counts_lets_the_next_one_of_its_event_count(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, feed := scans(duplicates=("event_id",)))
    put(lake, {"a.json": [SCAN, SCAN | {"units": 9}]})
    record(lake.store, discard(lake, feed, "a.json", 1, "a test scan"))
    publish(lake, feed="things")
    assert stored(lake, "silver", "units") == [(9,)]


@pytest.mark.slow(covered=True)
def test_a_change_of_the_declaration_publishes_again(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, scans())
    put(lake, {"a.json": [SCAN, SCAN]})
    assert len(stored(lake, "silver", "units")) == 1
    kept = Lake(lake.store, lake.settings, Registry([scans(duplicates="keep")], []))
    publish(kept, feed="things")
    assert len(stored(kept, "silver", "units")) == 2


def test_only_what_is_not_the_default_is_part_of_the_version() -> None:
    assert scans(duplicates="drop").version == scans().version
    assert (
        len({scans(duplicates=chosen).version for chosen in ("drop", "keep", ("event_id",), ("event_id", "units"))})
        == 4
    )
    assert scans(duplicates="keep").reading_version == scans().reading_version


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize("snapshot", ["union", "latest"])
def test_of_the_records_of_an_id_the_preferred_one_counts_and_the_others_are_in_quarantine(
    snapshot: str, tmp_path: Path
) -> None:
    columns = {
        "id": dy.String(nullable=False),
        "price": dy.Int64(nullable=False, min=0),
        "changed": dy.Date(nullable=True),
    }
    lake = lake_of(tmp_path, feed_of(columns, duplicates=("id",), prefer="changed", snapshot=snapshot, gate=0.0))
    rows = [
        {"id": "a", "price": 1, "changed": None},
        {"id": "a", "price": 2, "changed": "2026-03-02"},
        {"id": "a", "price": 3, "changed": "2026-03-03"},
        {"id": "a", "price": 4, "changed": "2026-03-03"},
        {"id": "a", "price": -5, "changed": "2026-03-09"},
        {"id": "b", "price": 6, "changed": None},
        {"id": "b", "price": 7, "changed": None},
    ]
    outcome = put(lake, {"a.json": rows})["whole"]
    assert (outcome.valid, outcome.broken) == (2, {"id_once": 4, "price_min": 1})
    assert stored(lake, "silver", "_line", "price") == [(3, 3), (6, 6)]
    assert stored(lake, "quarantine", "_line", "rules") == [
        (1, ["id_once"]), (2, ["id_once"]), (4, ["id_once"]), (5, ["price_min"]), (7, ["id_once"]),
    ]  # fmt: skip
    assert list(verify(lake)) == []


@pytest.mark.slow(covered=True)
@given(
    rows=st.lists(st.tuples(st.sampled_from("ab"), st.none() | st.integers(0, 3), st.integers(0, 9)), max_size=12),
)
@settings(deadline=None)
def test_the_preferred_record_is_that_of_plain_python(rows: list[tuple[str, int | None, int]]) -> None:
    columns = {"id": dy.String(nullable=False), "rank": dy.Int64(nullable=True), "note": dy.Int64(nullable=False)}
    feed = feed_of(columns, duplicates=("id",), prefer="rank")
    typed = pl.DataFrame(rows, schema={"id": pl.String, "rank": pl.Int64, "note": pl.Int64}, orient="row")
    found = repeated_ids(feed, typed.with_columns(_part=pl.lit("whole")), typed.select(pl.col("id").is_null()))
    best: dict[str, int] = {}
    for at, (name, rank, _) in enumerate(rows):
        before = rows[best[name]][1] if name in best else None
        if name not in best or (rank is not None and (before is None or rank > before)):
            best[name] = at
    assert [at for at, gives_way in enumerate(found) if not gives_way] == sorted(best.values())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "no id is declared"),
        ({"duplicates": ("event_id",), "prefer": "note"}, "no column of its contract"),
        ({"duplicates": ("event_id", "units")}, "a column of the id"),
    ],
)
def test_a_senseless_preference_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ContractError, match="feed 'things': prefer=") as error:
        scans(**{"prefer": "units"} | options)
    assert said in str(error.value)


def test_a_preference_is_part_of_the_version_only_where_it_is_declared() -> None:
    chosen = {"duplicates": ("event_id",)}
    assert len({scans(**chosen).version, scans(**chosen, prefer="units").version}) == 2
    assert scans(**chosen, prefer="units").reading_version == scans().reading_version


@pytest.mark.parametrize(
    ("duplicates", "said"),
    [
        ("all", '"drop", "keep" or a tuple'),
        ("event_id", "duplicates=('event_id',)"),
        ((), "names no column"),
        (("till",), "'till', which is no column"),
        (("note",), "without 'note' a record has no id"),
    ],
)
def test_a_senseless_declaration_is_refused(duplicates: Any, said: str) -> None:
    with pytest.raises(ContractError, match="feed 'things': ") as error:
        feed_of(COLUMNS | {"note": dy.String(nullable=True, metadata=source("Note"))}, duplicates=duplicates)
    assert said in str(error.value)
