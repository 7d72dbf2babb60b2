"""A decision that is revoked leaves everything as if it had never been taken; another one can follow it."""

from collections.abc import Callable

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.decisions import recorded
from lakehouse_assets.decisions.kinds import Decision, DecisionError
from lakehouse_assets.operations.decision_commands import correct, discard, revoke, waive
from lakehouse_assets_tests.decisions.person import (
    GOOD,
    NEXT,
    THIRD,
    ask,
    bad_day,
    bad_line,
    landed,
    quantities,
    quarantined,
    settle,
    shown,
    sound,
    states,
    take,
    take_back,
)
from lakehouse_assets_tests.maintenance.aging import made
from lakehouse_assets_tests.retail import DAY, day, line, sales, sales_csv

FILES = (
    ("day.csv", bad_day(bad_line(), line(InvoiceNo="GIFT1", Quantity="500"), line(InvoiceDate="yesterday"))),
    ("next.csv", sales_csv(2, NEXT)),
)
BAD, ODD, UNDATED = GOOD + 1, GOOD + 2, GOOD + 3


def moved(number: int, date: str) -> tuple[Callable[..., Decision], tuple[object, ...]]:
    return correct, ("day.csv", number, {"InvoiceDate": f"{date} 10:00:00"})


DECISIONS: dict[str, tuple[Callable[..., Decision], tuple[object, ...]]] = {
    "a corrected value": (correct, ("day.csv", BAD, {"Quantity": "6"})),
    "a move to another date": moved(1, NEXT),
    "a move to a date that nothing landed for": moved(1, THIRD),
    "a date for an undated record": moved(UNDATED, NEXT),
    "a date that nothing landed for, for an undated record": moved(UNDATED, THIRD),
    "a waiver": (waive, ("day.csv", ODD, ["invoice_no_regex"])),
    "a discard of a bad record": (discard, ("day.csv", BAD)),
    "a discard of a good record": (discard, ("day.csv", 1)),
}
BETWEEN = ("a run between", "no run between")
# Where nothing ran between, nothing of the decision was computed: one of each kind.
CASES = [(name, BETWEEN[0]) for name in DECISIONS]
CASES += [(name, BETWEEN[1]) for name in ("a move to another date", "a waiver", "a discard of a good record")]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "between"), CASES)
def test_revoked_is_as_if_never_decided(lake: Lake, name: str, between: str) -> None:
    verb, about = DECISIONS[name]
    made(lake, landed, FILES)
    before = shown(lake)
    decision = take(lake, verb, *about)
    if between == BETWEEN[0]:
        settle(lake)
        assert shown(lake) != before
    take_back(lake, decision)
    settle(lake)
    assert shown(lake) == before
    assert states(lake)[decision.id] == "revoked"
    sound(lake)


@pytest.mark.slow
def test_of_two_corrections_the_one_that_is_not_revoked_stands(lake: Lake) -> None:
    made(lake, landed, FILES)
    first = take(lake, correct, "day.csv", BAD, {"Quantity": "600"})
    second = take(lake, correct, "day.csv", BAD, {"Quantity": "700", "Country": "France"})
    settle(lake)
    take_back(lake, second)
    settle(lake)
    assert ask(lake, "SELECT quantity, country FROM silver.sales WHERE _line = 61") == [(600, "United Kingdom")]
    take_back(lake, first)
    settle(lake)
    assert ("day.csv", BAD) in quarantined(lake)
    sound(lake)


@pytest.mark.slow
@pytest.mark.parametrize("date", [NEXT, THIRD], ids=["a date with records", "a date without"])
def test_a_value_corrected_after_a_move_stays_with_the_record_when_the_move_is_revoked(lake: Lake, date: str) -> None:
    made(lake, landed, FILES)
    move = take(lake, correct, "day.csv", 1, {"InvoiceDate": f"{date} 10:00:00"})
    settle(lake)
    take(lake, correct, "day.csv", 1, {"Quantity": "1000"})
    settle(lake)
    take_back(lake, move)
    settle(lake)
    assert ask(lake, "SELECT dt::VARCHAR, invoiced_at::DATE::VARCHAR FROM silver.sales WHERE quantity = 1000") == [
        (DAY, DAY)
    ]
    assert 1000 not in quantities(lake, date)
    sound(lake)


@pytest.mark.slow
def test_a_revoked_decision_can_be_taken_again(lake: Lake) -> None:
    made(lake, landed, FILES)
    take_back(lake, take(lake, correct, "day.csv", BAD, {"Quantity": "600"}))
    take(lake, correct, "day.csv", BAD, {"Quantity": "600"})
    settle(lake)
    assert quantities(lake)[-1] == 600
    assert sorted(states(lake).values()) == ["active", "active", "revoked"]
    sound(lake)


@pytest.mark.slow
def test_of_two_waivers_of_a_rule_either_suffices(lake: Lake) -> None:
    made(lake, landed, FILES)
    # Two people at once: each decides before the other's decision is recorded.
    first, second = [waive(lake, sales(lake), "day.csv", ODD, ["invoice_no_regex"], "why", "ann") for _ in range(2)]
    for decision in (first, second):
        recorded.record(lake.store, decision)
    take_back(lake, first)
    settle(lake)
    assert quantities(lake)[-1] == 500
    take_back(lake, second)
    settle(lake)
    assert ("day.csv", ODD) in quarantined(lake)
    sound(lake)


@pytest.mark.slow(covered=True)
def test_revoking_costs_the_dates_of_the_record_only(lake: Lake) -> None:
    landed(lake, [*FILES, ("third.csv", sales_csv(day(THIRD, 2)))])
    decision = take(lake, correct, "day.csv", 1, {"InvoiceDate": f"{NEXT} 10:00:00"})
    settle(lake)
    take_back(lake, decision)
    assert set(settle(lake)) == {DAY, NEXT}


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize("which", ["unknown", "revoked", "a revocation", "another feed's"])
def test_only_an_active_decision_can_be_revoked(lake: Lake, which: str) -> None:
    made(lake, landed, FILES)
    decision = take(lake, discard, "day.csv", BAD)
    about, wanted = "sales", decision.id
    if which == "unknown":
        wanted = "20110301T000000000000-00000000"
    elif which == "another feed's":
        about = "gold.daily_sales"
    else:
        revocation = take_back(lake, decision)
        wanted = decision.id if which == "revoked" else revocation.id
    before = states(lake)
    with pytest.raises(DecisionError, match=rf"^{about} has no active decision '{wanted}'; .* Nothing was decided\.$"):
        revoke(lake, about, wanted, "it was wrong")
    assert states(lake) == before
