"""Keyed feeds: the current state and the history follow from what is live, whatever the order in which it came."""

import tempfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakehouse_assets.context import Lake
from lakehouse_assets.pipeline import silver
from lakehouse_assets.pipeline.accounting import scan_accounting
from lakehouse_assets.pipeline.candidate import compute
from lakehouse_assets.pipeline.pending import FeedState
from lakehouse_assets.query.verify import verify
from lakehouse_assets_tests import customers
from lakehouse_assets_tests.customers import Change
from lakehouse_assets_tests.retail import ingest, publish

FEED = customers.feed()
ANNA, ANNA_MOVED = Change(1, "A", "Anna", "Bern", 1), Change(1, "A", "Anna", "Basel", 5)
BOB, BOB_GONE = Change(2, "A", "Bob", None, 2), Change(2, "A", None, None, 4, "D")


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


def test_state_and_history_on_s3(s3_lake: Lake) -> None:
    lake = customers.lake_of(s3_lake.settings.root)
    for at, change in enumerate([ANNA_MOVED, BOB, BOB_GONE, ANNA]):
        customers.land(lake, f"{at}.csv", [change])
        customers.run(lake)
    assert (customers.current(lake), customers.history(lake)) == customers.expected([ANNA, ANNA_MOVED, BOB, BOB_GONE])
    assert list(verify(lake, deep=True)) == []


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


def test_records_of_one_version_that_disagree_are_told_by_their_place(lake: Lake) -> None:
    customers.land(lake, "a.csv", [ANNA, Change(1, "A", "Anne", "Bern", 1), BOB])
    ingest(lake, feed="customers")
    found = customers.counted(publish(lake, feed="customers"))
    assert found == {"landed": 3, "valid": 3, "quarantined": 0, "duplicates": 0, "rows": 2, "overruled": 1}
    assert {row[2] for row in customers.current(lake)} == {"Anne", "Bob"}
    evaluated = silver.evaluate(lake, lake.registry.feed("customers"), ["bucket=00", "bucket=01", "bucket=02"])
    assert [outcome.overruled_such_as for outcome in evaluated.outcomes if outcome.overruled] == [("a.csv line 1",)]
