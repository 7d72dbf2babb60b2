"""Keyed feeds: the current state and the history follow from what is live, whatever the order in which it came."""

import re
import tempfile
from pathlib import Path
from typing import Any

import dataframely as dy
import polars as pl
import pytest
from deltalake import DeltaTable
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import ContractError, Model
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.decisions import kinds, recorded
from lakehouse_assets.defs.silver.sales import FEED as SALES
from lakehouse_assets.forgetting.decisions import unpin_gold
from lakehouse_assets.pipeline import silver
from lakehouse_assets.pipeline.accounting import scan_accounting
from lakehouse_assets.pipeline.candidate import compute
from lakehouse_assets.pipeline.pending import FeedState
from lakehouse_assets.query.verify import verify
from lakehouse_assets.storage import delta
from lakehouse_assets.storage.stores import Store
from lakehouse_assets_tests import customers
from lakehouse_assets_tests.customers import ANNA, ANNA_MOVED, BOB, BOB_GONE, Change
from lakehouse_assets_tests.retail import build, day, ingest, land, publish, sales_csv

FEED = customers.feed()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return customers.lake_of(str(tmp_path / "lake"))


changes = st.builds(
    Change,
    st.integers(1, 3),
    st.sampled_from(["A", "B"]),
    st.sampled_from(["Anna", "Bob"]),
    st.sampled_from([None, "Bern"]),
    st.integers(0, 4),
    st.just("U"),
) | st.builds(Change, st.integers(1, 3), st.just("A"), st.none(), st.none(), st.integers(0, 4), st.just("D"))


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[Change], list[list[Change]]]:
    """Records, and the files in which they come: in any order and number, some of them several times."""
    told = draw(st.lists(changes, max_size=12))
    again = draw(st.lists(st.sampled_from(told), max_size=4)) if told else []
    shuffled = draw(st.permutations([*told, *again]))
    cuts = sorted(draw(st.lists(st.integers(0, len(shuffled)), max_size=3)))
    return told, [shuffled[a:b] for a, b in zip([0, *cuts], [*cuts, len(shuffled)], strict=True)]


def _settings(examples: int) -> settings:
    slow = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
    return settings(max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=slow)


@pytest.mark.slow
@_settings(60)
@given(deliveries())
def test_any_order_and_any_split_give_the_same_versions(told: tuple[list[Change], list[list[Change]]]) -> None:
    records, files = told
    found = compute(FEED, customers.bronze(FEED, files))
    assert found.versions is not None
    state, history = customers.expected(records)
    assert customers.shown(found.valid) == state
    assert customers.shown(found.versions.history) == history
    counted = found.accounting.select(pl.sum("valid", "duplicates", "quarantined")).row(0)
    assert counted == (len(set(records)), sum(map(len, files)) - len(set(records)), 0)
    parts = (found.versions.history, found.versions.repeated, found.versions.overruled)
    assert sum(part.height for part in parts) == len(set(records))


@pytest.mark.slow
@_settings(3)
@given(deliveries(), st.integers(0, 2))
def test_however_files_come_and_runs_are_cut_the_tables_are_the_same(
    told: tuple[list[Change], list[list[Change]]], runs: int
) -> None:
    records, files = told
    with tempfile.TemporaryDirectory() as folder:
        lake = customers.lake_of(folder, publish_batch_rows=2 if runs else 600_000)
        for at, file in enumerate(files):
            customers.land(lake, f"{at}.csv", file, plain=at % 2 == 0)
            if at < runs:
                customers.run(lake)
        customers.run(lake)
        assert (customers.current(lake), customers.history(lake)) == customers.expected(records)
        accounts = scan_accounting(lake.store).select(pl.sum("landed", "valid", "published")).collect().row(0)
        # Bytes that come again under another key count once.
        landed = {customers.changes_csv(file, plain=at % 2 == 0): len(file) for at, file in enumerate(files)}
        assert accounts == (sum(landed.values()), len(set(records)), len(set(records)))
        assert FeedState.of(lake, lake.registry.feed("customers")).pending == []


@pytest.mark.slow
def test_state_and_history_on_s3(s3_lake: Lake) -> None:
    lake = customers.lake_of(s3_lake.settings.root)
    for at, change in enumerate([ANNA_MOVED, BOB, BOB_GONE, ANNA]):
        customers.land(lake, f"{at}.csv", [change])
        customers.run(lake)
    assert (customers.current(lake), customers.history(lake)) == customers.expected([ANNA, ANNA_MOVED, BOB, BOB_GONE])
    assert list(verify(lake, deep=True)) == []


@pytest.mark.slow(covered=True)
def test_a_late_older_version_reopens_the_history_in_the_middle_of_one_bucket(lake: Lake) -> None:
    many = [Change(at, "A", "x", None, 1) for at in range(20)]
    customers.land(lake, "first.csv", [ANNA, Change(1, "A", "Anna", "Zug", 9), *many[2:]])
    customers.run(lake)
    customers.land(lake, "late.csv", [ANNA_MOVED])
    ingest(lake, feed="customers")
    outcomes = publish(lake, feed="customers")
    assert len(outcomes) == 1
    told = [ANNA, ANNA_MOVED, Change(1, "A", "Anna", "Zug", 9), *many[2:]]
    assert (customers.current(lake), customers.history(lake)) == customers.expected(told)
    assert [row[7] for row in sorted(customers.history(lake), key=str) if row[3] == "Bern"] == [customers.moment(5)]


@pytest.mark.slow(covered=True)
def test_a_replaced_object_takes_its_versions_with_it(lake: Lake) -> None:
    customers.land(lake, "a.csv", [ANNA])
    customers.land(lake, "b.csv", [ANNA_MOVED, BOB_GONE, BOB])
    customers.run(lake)
    customers.land(lake, "b.csv", [BOB])
    customers.run(lake)
    assert (customers.current(lake), customers.history(lake)) == customers.expected([ANNA, BOB])


def test_a_delete_needs_nothing_but_its_key_and_version() -> None:
    gone, nameless = Change(1, "A", None, None, 3, "D"), Change(1, "A", None, None, 2)
    found = compute(FEED, customers.bronze(FEED, [[ANNA, gone, nameless]]))
    assert found.versions is not None
    assert (customers.shown(found.valid), customers.shown(found.versions.history)) == customers.expected([ANNA, gone])
    assert found.quarantined["rules"].to_list() == [["name_required"]]


@pytest.mark.slow(covered=True)
def test_records_of_one_version_that_disagree_are_told_by_their_place(lake: Lake) -> None:
    customers.land(lake, "a.csv", [ANNA, Change(1, "A", "Anne", "Bern", 1), BOB])
    ingest(lake, feed="customers")
    found = customers.counted(publish(lake, feed="customers"))
    assert found == {"landed": 3, "valid": 3, "quarantined": 0, "duplicates": 0, "rows": 2, "overruled": 1}
    assert {row[2] for row in customers.current(lake)} == {"Anne", "Bob"}
    evaluated = silver.evaluate(lake, lake.registry.feed("customers"), ["bucket=00", "bucket=01", "bucket=02"])
    assert [outcome.overruled_such_as for outcome in evaluated.outcomes if outcome.overruled] == [("a.csv line 1",)]


@pytest.mark.slow
def test_history_without_state_is_what_a_kill_between_the_two_leaves_and_the_next_run_mends(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    customers.land(lake, "a.csv", [ANNA, BOB])
    customers.run(lake)
    customers.land(lake, "b.csv", [ANNA_MOVED])
    commit = delta.replace

    def killed(store: Store, table: DeltaTable, *rest: Any) -> None:
        if table.table_uri.rstrip("/").endswith("silver/customers"):
            raise KeyboardInterrupt
        commit(store, table, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(delta, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            customers.run(lake)
    assert customers.current(lake) == customers.expected([ANNA, BOB])[0]
    assert customers.history(lake) == customers.expected([ANNA, BOB, ANNA_MOVED])[1]
    customers.run(lake)
    assert (customers.current(lake), customers.history(lake)) == customers.expected([ANNA, BOB, ANNA_MOVED])
    assert list(verify(lake)) == []


@pytest.mark.slow
def test_damaged_rows_of_the_history_are_found_and_computed_again(lake: Lake) -> None:
    customers.land(lake, "a.csv", [ANNA, BOB])
    customers.run(lake)
    table = lake.registry.table("silver.customers_history")
    stored = delta.opened(lake.store, table.path)
    rows = delta.rows(lake.store, stored).with_columns(pl.lit("Eve").alias("name")).collect()
    marks = delta.fingerprints(lake.store, table.path)
    delta.replace(lake.store, stored, rows, table.partitioning.sql_predicate(marks), marks)
    told = [str(finding) for finding in verify(lake)]
    assert told
    assert all("silver.customers_history" in line and "`lakehouse run silver.customers`" in line for line in told)
    publish(lake, feed="customers", force=True)
    assert list(verify(lake)) == []


@pytest.mark.slow
def test_other_buckets_are_filled_from_what_landed_and_nothing_is_twice_meanwhile(tmp_path: Path) -> None:
    folder, told = str(tmp_path / "lake"), [Change(at, "A", "x", None, 1) for at in range(30)]
    before = customers.lake_of(folder)
    customers.land(before, "a.csv", told[:20])
    customers.land(before, "b.csv", told[20:])
    customers.run(before)
    after = customers.lake_of(folder, customers.feed(buckets=5))
    kept = before.store.read("landing/customers/b.csv")
    before.store.delete("landing/customers/b.csv")
    ingest(after, feed="customers")
    outcomes = publish(after, feed="customers")
    assert {outcome.verdict for outcome in outcomes.values()} == {"unaccounted"}
    assert "such as b.csv, sorted by another key" in next(iter(outcomes.values())).message
    assert customers.current(after) == customers.expected(told)[0]
    before.store.replace("landing/customers/b.csv", kept)
    customers.run(after)
    assert (customers.current(after), customers.history(after)) == customers.expected(told)
    assert list(verify(after)) == []


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        ({"business_date": "changed_at"}, "leave out business_date"),
        ({"key": ("shopping",)}, "'shopping' is no source column of Customers"),
        ({"key": ("city",)}, "declare Customers.city with nullable=False"),
        ({"key": ("changed_at",)}, "no text, whole number or date"),
        ({"versioned_by": None}, "versioned_by='landing' for the order"),
        ({"versioned_by": "name"}, "no source column that is a time, a date or a number"),
        ({"deleted_when": pl.col("gone")}, "reads 'gone', which is no column"),
        ({"deleted_when": pl.col("op") == pl.col("op").first()}, "looks at other records"),
        ({"buckets": 0}, "a feed has 1 to 4,096 buckets"),
        ({"duplicates": "keep"}, "leave out duplicates"),
        ({"snapshot": "latest"}, "is for a feed without key"),
        ({"late_data_window": 3}, "leave out late_data_window"),
        ({"delivery": "full"}, "say versioned_by='landing'"),
        ({"delivered_at": "%Y"}, 'or of one with versioned_by="landing"'),
        ({"delivery": "whole"}, 'it is "changes" or "full"'),
        ({"key": (), "versioned_by": None}, "are of feeds with a key"),
    ],
)
def test_a_key_that_cannot_work_is_refused(options: dict[str, Any], wrong: str) -> None:
    with pytest.raises(ContractError, match=re.escape(wrong)):
        customers.feed(**options)


class _Daily(dy.Schema):
    dt = dy.Date(primary_key=True, description="Date.")
    customers = dy.Int64(nullable=False, description="Customers.")


def _daily(sales: pl.LazyFrame, customers: pl.LazyFrame) -> pl.LazyFrame:
    return sales.select("dt").unique().join(customers.select(pl.len().cast(pl.Int64).alias("customers")), how="cross")


@pytest.mark.slow(covered=True)
def test_a_model_by_date_follows_a_keyed_feed_with_all_its_dates(tmp_path: Path) -> None:
    base = customers.lake_of(str(tmp_path / "lake"))
    model = Model(
        name="daily",
        schema=_Daily,
        description="Customers by day.",
        owner="team:x",
        function=_daily,
        inputs={"sales": "silver.sales", "customers": "silver.customers"},
        date="dt",
    )
    lake = Lake(base.store, base.settings, Registry([customers.feed(), SALES], [model]))
    land(lake, "sales.csv", sales_csv([*day("2011-03-01"), *day("2011-03-02")]))
    ingest(lake)
    publish(lake)
    customers.land(lake, "a.csv", [ANNA, BOB])
    customers.run(lake)
    assert set(build(lake)["daily"][0].frame["customers"]) == {2}
    assert build(lake)["daily"] == []
    customers.land(lake, "b.csv", [Change(3, "A", "Eve", None, 1)])
    customers.run(lake)
    [again] = build(lake)["daily"]
    assert set(again.rows) == {"2011-03-01", "2011-03-02"}
    assert set(again.frame["customers"]) == {3}
    # A restored date holds what the feed said of all keys: forgetting one of them undoes the restoration.
    pinned = kinds.new(kinds.Pin, "gold.daily", "x", "me", table="gold.daily", version=1, pins={"2011-03-01": 1})
    recorded.record(lake.store, pinned)
    assert unpin_gold(lake, lake.registry.feed("customers"), {"bucket=01"}) == 1
