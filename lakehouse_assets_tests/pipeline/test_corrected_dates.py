"""A record whose business date is corrected moves to that date, and both dates are made anew."""

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.operations.decision_commands import correct
from lakehouse_assets_tests.decisions.person import (
    NEXT,
    THIRD,
    accounts,
    ask,
    landed,
    quantities,
    quarantined,
    sales_of,
    settle,
    sound,
    take,
)
from lakehouse_assets_tests.retail import DAY, day, land, line, sales_csv


@pytest.mark.slow
def test_a_date_that_is_corrected_moves_the_record_and_rebuilds_both_dates(lake: Lake) -> None:
    land(lake, "one.csv", sales_csv([*day(), line(InvoiceNo="540001", UnitPrice="1.00")]))
    land(lake, "two.csv", sales_csv(2, NEXT))
    settle(lake, gold=True)

    take(lake, correct, "one.csv", 4, {"InvoiceDate": f"{NEXT} 10:00:00"})
    outcomes = settle(lake, gold=True)

    assert set(outcomes) == {DAY, NEXT}
    assert (sales_of(lake), sales_of(lake, NEXT)) == ("15.3000", "13.6500")
    assert ask(lake, "SELECT _source_key, _line, dt::VARCHAR FROM silver.sales WHERE quantity = 6") == [
        ("one.csv", 4, NEXT)
    ]
    found = sound(lake)
    assert (found[DAY].landed, found[NEXT].landed) == (3, 3)


@pytest.mark.slow
def test_a_date_that_is_corrected_may_be_one_that_nothing_landed_for(lake: Lake) -> None:
    land(lake, "one.csv", sales_csv(3))
    settle(lake, gold=True)
    take(lake, correct, "one.csv", 2, {"InvoiceDate": f"{THIRD} 10:00:00"})
    settle(lake, gold=True)
    assert (quantities(lake), quantities(lake, THIRD)) == ([1, 3], [2])
    assert sales_of(lake, THIRD) == "5.1000"
    sound(lake)


@pytest.mark.slow
def test_the_only_record_of_a_date_may_leave_it(lake: Lake) -> None:
    land(lake, "one.csv", sales_csv(1))
    settle(lake, gold=True)
    take(lake, correct, "one.csv", 1, {"InvoiceDate": f"{NEXT} 10:00:00"})
    settle(lake, gold=True)
    assert (quantities(lake), quantities(lake, NEXT)) == ([], [1])
    assert (sales_of(lake), sales_of(lake, NEXT)) == (None, "2.5500")
    assert set(sound(lake)) == {NEXT}


@pytest.mark.slow
def test_an_undated_record_gets_a_date(lake: Lake) -> None:
    land(lake, "one.csv", sales_csv([*day(), line(InvoiceNo="540001", InvoiceDate="yesterday")]))
    settle(lake, gold=True)
    assert accounts(lake)["undated"].quarantined == 1

    take(lake, correct, "one.csv", 4, {"InvoiceDate": f"{DAY} 12:00:00"})
    settle(lake, gold=True)

    assert quarantined(lake) == {}
    assert quantities(lake) == [1, 2, 3, 6]
    assert sales_of(lake) == "30.6000"
    assert sound(lake) == {DAY: (4, 4, 0, 0, 0, 4, 0)}


@pytest.mark.slow
def test_a_record_can_lose_its_date(lake: Lake) -> None:
    landed(lake, [("one.csv", sales_csv(3))])
    take(lake, correct, "one.csv", 3, {"InvoiceDate": None})
    settle(lake)
    assert quantities(lake) == [1, 2]
    assert quarantined(lake) == {("one.csv", 3): ["invoiced_at_required"]}
    assert ask(lake, "SELECT dt FROM quarantine.sales") == [(None,)]
    assert sound(lake)["undated"] == (1, 0, 1, 0, 0, 0, 0)


@pytest.mark.slow
def test_a_corrected_date_in_the_future_waits_in_quarantine_outside_the_gate(lake: Lake) -> None:
    landed(lake, [("one.csv", sales_csv(3))])
    take(lake, correct, "one.csv", 3, {"InvoiceDate": "2999-01-01 10:00:00"})
    settle(lake)
    assert quantities(lake) == [1, 2]
    assert quarantined(lake) == {("one.csv", 3): ["invoiced_at_in_range"]}
    sound(lake)


@pytest.mark.slow
@pytest.mark.parametrize("settled", [True, False], ids=["a run between", "no run between"])
@pytest.mark.parametrize("also", [True, False], ids=["the dates have other records", "nothing landed for the dates"])
def test_a_corrected_date_can_be_corrected_again(lake: Lake, *, settled: bool, also: bool) -> None:
    files = [("one.csv", sales_csv(3))]
    files += [("two.csv", sales_csv(2, NEXT)), ("three.csv", sales_csv(2, THIRD))] if also else []
    landed(lake, files)
    others = [1, 2] if also else []
    take(lake, correct, "one.csv", 3, {"InvoiceDate": f"{NEXT} 10:00:00"})
    if settled:
        settle(lake)
        assert (quantities(lake), quantities(lake, NEXT)) == ([1, 2], [*others, 3])
    take(lake, correct, "one.csv", 3, {"InvoiceDate": f"{THIRD} 10:00:00"})
    settle(lake)
    assert (quantities(lake), quantities(lake, NEXT), quantities(lake, THIRD)) == ([1, 2], others, [*others, 3])
    sound(lake)


@pytest.mark.slow
def test_a_value_of_a_moved_record_is_corrected_where_the_record_is_now(lake: Lake) -> None:
    landed(lake, [("one.csv", sales_csv(3)), ("two.csv", sales_csv(1, NEXT))])
    take(lake, correct, "one.csv", 3, {"InvoiceDate": f"{NEXT} 10:00:00"})
    settle(lake)
    take(lake, correct, "one.csv", 3, {"Quantity": "30"})
    settle(lake)
    assert (quantities(lake), quantities(lake, NEXT)) == ([1, 2], [1, 30])
    sound(lake)
