"""A held date is published by decision: as it is at that moment, and only then."""

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.decisions.kinds import DecisionError
from lakehouse_assets.operations.decision_commands import correct, release
from lakehouse_assets.query.overview import status
from lakehouse_assets_tests.decisions.person import (
    NEXT,
    ask,
    bad_line,
    held,
    landed,
    quantities,
    quarantined,
    sales_of,
    settle,
    sound,
    take,
    take_back,
)
from lakehouse_assets_tests.maintenance.aging import made
from lakehouse_assets_tests.retail import DAY, day, land, line, publish, sales, sales_csv

HELD = sales_csv([*day(count=8), bad_line(), bad_line(Quantity="seven")])
ALONE = (("day.csv", HELD),)
TWO = (*ALONE, ("next.csv", sales_csv(2, NEXT)))


@pytest.mark.slow
def test_a_released_date_is_published_whatever_its_score(lake: Lake) -> None:
    landed(lake, [("day.csv", HELD), ("next.csv", sales_csv(1, NEXT))])
    assert (held(lake), quantities(lake)) == ([DAY], [])
    take(lake, release, DAY)
    outcomes = settle(lake, gold=True)
    assert {partition: o.verdict for partition, o in outcomes.items()} == {DAY: "published"}
    assert (held(lake), quantities(lake)) == ([], list(range(1, 9)))
    assert sales_of(lake) == "91.8000"
    assert len(quarantined(lake)) == 2
    assert sound(lake)[DAY] == (10, 8, 2, 0, 0, 8, 0)
    assert status(lake).held == []


@pytest.mark.slow
def test_another_file_of_a_released_date_meets_the_gate_again(lake: Lake) -> None:
    made(lake, landed, ALONE)
    take(lake, release, DAY)
    settle(lake)
    landed(lake, [("more.csv", sales_csv([line(Quantity="500")]))])
    assert held(lake) == [DAY]
    assert quantities(lake) == list(range(1, 9)), "the released version stands"
    assert sound(lake)[DAY] == (11, 9, 2, 0, 0, 0, 9)
    landed(lake, [("more.csv", sales_csv(day(count=60, Country="France")))])
    assert held(lake) == []
    assert len(quantities(lake)) == 68


@pytest.mark.slow
def test_a_release_counts_again_when_the_same_inputs_are_live_again(lake: Lake) -> None:
    made(lake, landed, ALONE)
    take(lake, release, DAY)
    settle(lake)
    landed(lake, [("day.csv", sales_csv(3))])
    assert quantities(lake) == [1, 2, 3]
    landed(lake, ALONE)
    assert quantities(lake) == list(range(1, 9))
    sound(lake)


@pytest.mark.slow
def test_a_release_is_for_its_date_only(lake: Lake) -> None:
    other = sales_csv([*day(NEXT, 8), line(InvoiceDate=f"{NEXT} 10:00:00", Quantity="six")])
    landed(lake, [("day.csv", HELD), ("next.csv", other)])
    take(lake, release, DAY)
    settle(lake)
    assert held(lake) == [NEXT]
    assert quantities(lake, NEXT) == []
    sound(lake)


@pytest.mark.slow
def test_files_of_other_dates_leave_a_release_alone(lake: Lake) -> None:
    made(lake, landed, ALONE)
    take(lake, release, DAY)
    landed(lake, [("next.csv", sales_csv(2, NEXT))])
    landed(lake, [("next2.csv", sales_csv([line(InvoiceDate=f"{NEXT} 10:00:00")]))])
    publish(lake, force=True)
    assert quantities(lake) == list(range(1, 9))
    sound(lake)


@pytest.mark.slow
def test_a_released_date_can_be_corrected_out_of_its_score(lake: Lake) -> None:
    made(lake, landed, ALONE)
    take(lake, release, DAY)
    settle(lake)
    take(lake, correct, "day.csv", 9, {"Quantity": "600"})
    settle(lake)
    # These are other inputs, of which one in ten is still bad: the gate holds them, the released version stands.
    assert (held(lake), quantities(lake)) == ([DAY], list(range(1, 9)))
    take(lake, correct, "day.csv", 10, {"Quantity": "700"})
    settle(lake)
    assert (held(lake), quantities(lake)[-2:]) == ([], [600, 700])
    sound(lake)


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize("partition", [NEXT, "2011-13-01", "undated", "", "yesterday"])
def test_what_is_not_held_cannot_be_released(lake: Lake, partition: str) -> None:
    made(lake, landed, TWO)
    with pytest.raises(
        DecisionError, match=rf"^{partition} of sales is not held \(held are: {DAY}\)\. Nothing was decided\.$"
    ):
        release(lake, sales(lake), partition, "it is fine")
    assert ask(lake, "SELECT * FROM ops.decisions") == []


@pytest.mark.slow
def test_a_release_that_is_revoked_before_a_run_publishes_nothing(lake: Lake) -> None:
    made(lake, landed, ALONE)
    take_back(lake, take(lake, release, DAY))
    settle(lake)
    assert (held(lake), quantities(lake)) == ([DAY], [])
    sound(lake)


@pytest.mark.slow
def test_what_a_release_published_stays_when_it_is_revoked_and_other_inputs_meet_the_gate_again(lake: Lake) -> None:
    made(lake, landed, ALONE)
    decision = take(lake, release, DAY)
    settle(lake)
    published = quantities(lake)
    take_back(lake, decision)
    settle(lake)
    assert (held(lake), quantities(lake)) == ([], published)
    sound(lake)
    land(lake, "day.csv", HELD + b"536399,22423,X,one,2011-03-01 09:00:00,1.00,1,France\r\n")
    settle(lake)
    assert (held(lake), quantities(lake)) == ([DAY], published)
