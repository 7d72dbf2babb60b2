"""A decision speaks of one content: another version of the object makes it stale, the same bytes again revive it."""

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.operations.decision_commands import correct, discard, waive
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
)
from lakehouse_assets_tests.retail import line, sales_csv, zipped

BAD = GOOD + 1
OLD = bad_day(bad_line())
NEW = bad_day(bad_line(Country="France"))


@pytest.mark.slow
def test_a_new_version_of_the_object_makes_a_correction_stale(lake: Lake) -> None:
    landed(lake, [("day.csv", OLD)])
    decision = take(lake, correct, "day.csv", BAD, {"Quantity": "600"})
    settle(lake)
    assert states(lake) == {decision.id: "active"}

    landed(lake, [("day.csv", NEW)])

    assert states(lake) == {decision.id: "stale"}
    assert quarantined(lake) == {("day.csv", BAD): ["quantity_readable"]}
    assert 600 not in quantities(lake)
    sound(lake)


@pytest.mark.slow
def test_the_old_bytes_again_make_it_effective_again(lake: Lake) -> None:
    landed(lake, [("day.csv", OLD)])
    decision = take(lake, correct, "day.csv", BAD, {"Quantity": "600"})
    settle(lake)
    before = shown(lake)
    landed(lake, [("day.csv", NEW)])
    landed(lake, [("day.csv", OLD)])
    assert states(lake) == {decision.id: "active"}
    assert shown(lake) == before
    sound(lake)


@pytest.mark.slow
def test_the_old_bytes_under_another_key_make_it_effective_again(lake: Lake) -> None:
    landed(lake, [("day.csv", OLD)])
    decision = take(lake, correct, "day.csv", BAD, {"Quantity": "600"})
    landed(lake, [("day.csv", sales_csv(2, NEXT))])
    assert states(lake) == {decision.id: "stale"}
    landed(lake, [("copy.csv", OLD)])
    assert states(lake) == {decision.id: "active"}
    assert quantities(lake)[-1] == 600
    sound(lake)


@pytest.mark.slow
@pytest.mark.parametrize("date", [NEXT, THIRD], ids=["a date with records", "a date that nothing landed for"])
def test_a_stale_correction_of_a_date_leaves_nothing_on_the_date_it_moved_a_record_to(lake: Lake, date: str) -> None:
    landed(lake, [("day.csv", sales_csv(3)), ("next.csv", sales_csv(2, NEXT))])
    take(lake, correct, "day.csv", 3, {"InvoiceDate": f"{date} 10:00:00"})
    settle(lake)
    landed(lake, [("day.csv", sales_csv(4))])
    assert quantities(lake) == [1, 2, 3, 4]
    assert quantities(lake, date) == ([1, 2] if date == NEXT else [])
    sound(lake)


@pytest.mark.slow
def test_a_record_that_was_moved_alone_to_its_date_follows_the_key_of_its_object(lake: Lake) -> None:
    landed(lake, [("day.csv", sales_csv(3))])
    take(lake, correct, "day.csv", 1, {"InvoiceDate": f"{THIRD} 09:00:00"})
    settle(lake)
    landed(lake, [("a.csv", sales_csv(3))])
    assert quantities(lake, THIRD) == [1]
    assert set(ask(lake, "SELECT _source_key FROM silver.sales")) == {("a.csv",)}
    sound(lake)


@pytest.mark.slow
def test_waivers_and_discards_go_stale_alike(lake: Lake) -> None:
    landed(lake, [("day.csv", bad_day(bad_line(), line(InvoiceNo="GIFT1", Quantity="500")))])
    take(lake, discard, "day.csv", BAD)
    take(lake, waive, "day.csv", BAD + 1, ["invoice_no_regex"])
    settle(lake)
    assert (quarantined(lake), sound(lake)["2011-03-01"].discarded) == ({}, 1)
    landed(lake, [("day.csv", bad_day(bad_line(), line(InvoiceNo="GIFT1", Quantity="501")))])
    assert set(quarantined(lake)) == {("day.csv", BAD), ("day.csv", BAD + 1)}
    assert sorted(states(lake).values()) == ["stale", "stale"]
    assert sound(lake)["2011-03-01"].discarded == 0


@pytest.mark.slow
def test_a_member_that_is_the_same_in_the_zips_new_version_keeps_its_decisions(lake: Lake) -> None:
    landed(lake, [("drop.zip", zipped({"a.csv": OLD, "b.csv": sales_csv(1, NEXT)}))])
    decision = take(lake, correct, "drop.zip!a.csv", BAD, {"Quantity": "600"})
    landed(lake, [("drop.zip", zipped({"a.csv": OLD, "b.csv": sales_csv(2, NEXT)}))])
    assert states(lake) == {decision.id: "active"}
    assert quantities(lake)[-1] == 600
    landed(lake, [("drop.zip", zipped({"b.csv": sales_csv(2, NEXT)}))])
    assert states(lake) == {decision.id: "stale"}
    sound(lake)
