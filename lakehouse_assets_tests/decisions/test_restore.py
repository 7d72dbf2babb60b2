"""A restored table keeps its restored dates, and no others, until the decision is revoked."""

import datetime as dt
import time

import dataframely as dy
import pytest
from deltalake import DeltaTable

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import source
from lakehouse_assets.decisions.kinds import DecisionError
from lakehouse_assets.defs.silver.sales import Sales
from lakehouse_assets.operations.decision_commands import correct
from lakehouse_assets.query.overview import status
from lakehouse_assets.storage.stores import StorageError
from lakehouse_assets_tests.decisions.person import (
    NEXT,
    THIRD,
    ask,
    bad_line,
    findings,
    held,
    landed,
    quantities,
    restore,
    settle,
    shown,
    sound,
    states,
    take,
    take_back,
    version,
    with_feed,
)
from lakehouse_assets_tests.retail import DAY, day, land, line, publish, sales_csv


@pytest.fixture
def first(lake: Lake) -> int:
    """The version of silver before `one.csv` and `two.csv` were sent again."""
    landed(lake, [("one.csv", sales_csv(2)), ("two.csv", sales_csv(2, NEXT)), ("three.csv", sales_csv(2, THIRD))])
    good = version(lake, "silver.sales")
    landed(lake, [("one.csv", sales_csv(3)), ("two.csv", sales_csv(3, NEXT))])
    return good


def all_quantities(lake: Lake) -> tuple[list[int], list[int], list[int]]:
    return quantities(lake), quantities(lake, NEXT), quantities(lake, THIRD)


@pytest.mark.slow
def test_restoring_a_version_pins_the_dates_that_differ_and_no_others(lake: Lake, first: int) -> None:
    decision = restore(lake, "silver.sales", first)
    assert set(decision.pins) == {DAY, NEXT}
    settle(lake)
    assert all_quantities(lake) == ([1, 2], [1, 2], [1, 2])
    assert findings(lake) == []
    assert status(lake).pinned == [
        f"silver.sales {DAY}: to version {first}",
        f"silver.sales {NEXT}: to version {first}",
    ]


@pytest.mark.slow(covered=True)
def test_restoring_a_moment_is_restoring_the_version_of_then(lake: Lake) -> None:
    landed(lake, [("one.csv", sales_csv(2))])
    time.sleep(0.01)
    then = dt.datetime.now(dt.UTC)
    time.sleep(0.01)
    landed(lake, [("one.csv", sales_csv(3))])
    restore(lake, "silver.sales", then)
    settle(lake)
    assert quantities(lake) == [1, 2]


@pytest.mark.slow
def test_the_next_runs_leave_the_restored_dates_as_they_are(lake: Lake, first: int) -> None:
    restore(lake, "silver.sales", first)
    settle(lake)
    restored = version(lake, "silver.sales")
    assert settle(lake) == {}
    publish(lake, force=True)
    assert all_quantities(lake) == ([1, 2], [1, 2], [1, 2])
    landed(lake, [("late.csv", sales_csv([line(InvoiceDate=f"{THIRD} 10:00:00", Quantity="99")]))])
    assert all_quantities(lake) == ([1, 2], [1, 2], [1, 2, 99])
    assert version(lake, "silver.sales") > restored
    assert findings(lake) == []


@pytest.mark.slow
def test_a_late_file_on_a_restored_date_does_not_unpin_it(lake: Lake, first: int) -> None:
    restore(lake, "silver.sales", first)
    settle(lake)
    landed(lake, [("late.csv", sales_csv([line(Quantity="99")])), ("one.csv", sales_csv(4))])
    assert quantities(lake) == [1, 2]
    assert len(status(lake).pinned) == 2
    assert status(lake).landed == []
    assert findings(lake) == []


@pytest.mark.slow
def test_revoking_brings_back_what_is_live(lake: Lake, first: int) -> None:
    before = shown(lake)
    decision = restore(lake, "silver.sales", first)
    settle(lake)
    assert shown(lake) != before
    take_back(lake, decision)
    settle(lake)
    assert shown(lake) == before
    assert status(lake).pinned == []
    sound(lake)


@pytest.mark.slow
def test_revoking_brings_back_what_became_live_meanwhile(lake: Lake, first: int) -> None:
    decision = restore(lake, "silver.sales", first)
    settle(lake)
    landed(lake, [("late.csv", sales_csv([line(Quantity="99")]))])
    take_back(lake, decision)
    settle(lake)
    assert all_quantities(lake) == ([1, 2, 3, 99], [1, 2, 3], [1, 2])
    sound(lake)


@pytest.mark.slow
def test_a_correction_on_a_restored_date_waits_for_the_pin_to_be_revoked(lake: Lake, first: int) -> None:
    decision = restore(lake, "silver.sales", first)
    settle(lake)
    take(lake, correct, "one.csv", 1, {"Quantity": "600"})
    settle(lake)
    assert quantities(lake) == [1, 2]
    take_back(lake, decision)
    settle(lake)
    assert quantities(lake) == [2, 3, 600]
    sound(lake)


@pytest.mark.slow
def test_a_date_that_was_not_there_is_restored_to_nothing(lake: Lake) -> None:
    landed(lake, [("one.csv", sales_csv(2))])
    good = version(lake, "silver.sales")
    landed(lake, [("two.csv", sales_csv(2, NEXT))])
    decision = restore(lake, "silver.sales", good)
    assert decision.pins == {NEXT: 0}
    settle(lake)
    assert all_quantities(lake) == ([1, 2], [], [])
    assert settle(lake) == {}
    assert findings(lake) == []
    take_back(lake, decision)
    settle(lake)
    assert all_quantities(lake) == ([1, 2], [1, 2], [])


@pytest.mark.slow
def test_the_version_before_any_date_restores_an_empty_table(lake: Lake, first: int) -> None:
    restore(lake, "silver.sales", 0)
    settle(lake)
    assert all_quantities(lake) == ([], [], [])
    assert first > 0
    assert findings(lake) == []


@pytest.mark.slow
def test_of_two_restores_the_later_wins_on_its_dates(lake: Lake, first: int) -> None:
    second = version(lake, "silver.sales")
    landed(lake, [("one.csv", sales_csv(4)), ("three.csv", sales_csv(4, THIRD))])
    restore(lake, "silver.sales", first)
    settle(lake)
    assert all_quantities(lake) == ([1, 2], [1, 2], [1, 2])
    later = restore(lake, "silver.sales", second)
    assert set(later.pins) == {DAY, NEXT}
    settle(lake)
    assert all_quantities(lake) == ([1, 2, 3], [1, 2, 3], [1, 2])
    take_back(lake, later)
    settle(lake)
    assert all_quantities(lake) == ([1, 2], [1, 2], [1, 2])
    assert findings(lake) == []


@pytest.mark.slow
def test_a_held_date_can_be_restored_and_is_held_again_afterwards(lake: Lake) -> None:
    landed(lake, [("one.csv", sales_csv(2))])
    good = version(lake, "silver.sales")
    landed(lake, [("one.csv", sales_csv(3))])
    landed(lake, [("one.csv", sales_csv([*day(count=8), bad_line()]))])
    assert (held(lake), quantities(lake)) == ([DAY], [1, 2, 3])
    decision = restore(lake, "silver.sales", good)
    settle(lake)
    assert (held(lake), quantities(lake)) == ([], [1, 2])
    take_back(lake, decision)
    settle(lake)
    assert held(lake) == [DAY]


@pytest.mark.slow
def test_a_pin_stands_when_other_writers_restore_and_publish_at_once(lake: Lake, first: int) -> None:
    restore(lake, "silver.sales", first)
    land(lake, "late.csv", sales_csv([line(InvoiceDate=f"{THIRD} 10:00:00", Quantity="99")]))
    settle(lake)  # one batch: two pinned dates, and one that is free
    assert all_quantities(lake) == ([1, 2], [1, 2], [1, 2, 99])
    assert findings(lake) == []


# -- what cannot be restored


def test_a_table_that_is_as_it_was_has_nothing_to_restore(lake: Lake) -> None:
    landed(lake, [("one.csv", sales_csv(2))])
    now = version(lake, "silver.sales")
    with pytest.raises(DecisionError, match=rf"silver\.sales is as it was at version {now}\. Nothing was decided\."):
        restore(lake, "silver.sales", now)
    assert states(lake) == {}


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize("target", [99, dt.datetime(2000, 1, 1, tzinfo=dt.UTC)], ids=["version", "moment"])
def test_a_version_that_never_was_cannot_be_restored(lake: Lake, first: int, target: int | dt.datetime) -> None:
    assert first < 99
    with pytest.raises(StorageError, match=r"silver\.sales has no version"):
        restore(lake, "silver.sales", target)
    assert states(lake) == {}


@pytest.mark.slow
def test_a_version_whose_files_are_gone_cannot_be_restored(lake: Lake, first: int) -> None:
    table = DeltaTable(lake.store.uri("silver/sales"))
    assert table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    with pytest.raises(StorageError, match="can no longer be read"):
        restore(lake, "silver.sales", first)
    assert states(lake) == {}
    landed(lake, [("late.csv", sales_csv([line(Quantity="99")]))])
    assert quantities(lake) == [1, 2, 3, 99]


@pytest.mark.slow
def test_a_version_from_before_a_column_was_added_can_be_restored(lake: Lake, first: int) -> None:
    class Wider(Sales):
        """The same, and a shop."""

        shop = dy.String(nullable=True, description="Shop.", metadata=source("Shop"))

    lake = with_feed(lake, contract=Wider)
    settle(lake)
    assert ask(lake, "SELECT count(*), count(shop) FROM silver.sales") == [(8, 0)]
    restore(lake, "silver.sales", first)
    settle(lake)
    assert all_quantities(lake) == ([1, 2], [1, 2], [1, 2])
    assert ask(lake, "SELECT count(*), count(shop) FROM silver.sales") == [(6, 0)]


@pytest.mark.slow
def test_the_files_of_a_pinned_version_are_its_own(lake: Lake, first: int) -> None:
    """Once restored, a date no longer needs the old version's files."""
    restore(lake, "silver.sales", first)
    settle(lake)
    DeltaTable(lake.store.uri("silver/sales")).vacuum(
        retention_hours=0, enforce_retention_duration=False, dry_run=False
    )
    landed(lake, [("late.csv", sales_csv([line(InvoiceDate=f"{THIRD} 10:00:00", Quantity="99")]))])
    assert all_quantities(lake) == ([1, 2], [1, 2], [1, 2, 99])
    assert findings(lake) == []
