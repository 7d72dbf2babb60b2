"""Old quarantined rows go by a decision that stands: nothing else changes, and only its revocation brings them back."""

import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.decisions import recorded
from lakehouse_assets.maintenance.maintain import maintain
from lakehouse_assets.maintenance.policy import Policy
from lakehouse_assets.operations.decision_commands import correct, discard, release
from lakehouse_assets.pipeline.pending import FeedState
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.contracts.orders import orders
from lakehouse_assets_tests.decisions.person import (
    ask,
    findings,
    held,
    pending,
    restore,
    settle,
    take,
    take_back,
    version,
    with_feed,
)
from lakehouse_assets_tests.maintenance.aging import assert_same, bytes_of, content, data_files
from lakehouse_assets_tests.maintenance.expiring import (
    FIRST,
    SECOND,
    THIRD,
    assert_settled,
    bad,
    by_rule,
    counted,
    expiries,
    good_and_bad,
    kept,
    look_after,
    published,
)
from lakehouse_assets_tests.retail import day, ingest, land, publish, run, sales, sales_csv

_CHANGED = {"quarantine.sales", "ops.decisions"}


@pytest.fixture
def three(lake: Lake) -> Lake:
    """Three dates with a bad record each, and an undated record."""
    return published(lake)


@pytest.mark.slow
def test_old_rows_go_and_nothing_else_changes(three: Lake) -> None:
    before = content(three)
    state = FeedState.of(three, sales(three))
    [action] = look_after(three, THIRD)
    assert (action.action, action.files) == (f"2 rows expiring: dated before {THIRD}", 2)
    assert kept(three) == {THIRD: 1, "undated": 1}
    after = content(three)
    assert_same(
        {n: t for n, t in before.items() if n not in _CHANGED}, {n: t for n, t in after.items() if n not in _CHANGED}
    )
    now = FeedState.of(three, sales(three))
    assert (now.inputs, now.silver, now.pending) == (state.inputs, state.silver, [])
    assert by_rule(three) == {FIRST: 1, SECOND: 1, THIRD: 1, "undated": 1}
    [(kind, who, why)] = ask(three, "SELECT kind, who, why FROM ops.decisions")
    assert (kind, who) == ("expire", "ann")
    assert "are not kept" in why
    assert run(three) == {}
    assert_settled(three)


@pytest.mark.slow
def test_the_same_day_it_is_decided_and_done_once(three: Lake) -> None:
    look_after(three, THIRD)
    before, number = kept(three), version(three, "quarantine.sales")
    assert look_after(three, THIRD) == []
    assert look_after(three) == []
    assert (kept(three), version(three, "quarantine.sales")) == (before, number)
    assert expiries(three) == [(THIRD, "active")]


@pytest.mark.slow
def test_a_dry_run_tells_what_would_go_and_changes_nothing(three: Lake) -> None:
    before = bytes_of(three)
    told = look_after(three, THIRD, dry_run=True)
    assert bytes_of(three) == before
    assert look_after(three, THIRD) == told


@pytest.mark.slow
def test_without_the_policy_nothing_ever_expires(three: Lake) -> None:
    assert look_after(three) == []
    assert kept(three) == {FIRST: 1, SECOND: 1, THIRD: 1, "undated": 1}
    assert expiries(three) == []


@pytest.mark.slow
def test_where_no_row_is_too_old_nothing_is_decided(three: Lake) -> None:
    assert look_after(three, FIRST) == []
    assert expiries(three) == []


@pytest.mark.slow
def test_a_late_file_for_an_expired_date_is_published_and_counted_without_rows(three: Lake) -> None:
    look_after(three, THIRD)
    land(three, "late.csv", sales_csv([*day(FIRST, 30, InvoiceNo="555555"), bad(FIRST, 2)]))
    outcomes = run(three)
    assert (outcomes[FIRST].verdict, outcomes[FIRST].quarantined, outcomes[FIRST].kept) == ("published", 2, 0)
    assert kept(three) == {THIRD: 1, "undated": 1}
    assert counted(three)[FIRST][0] == by_rule(three)[FIRST] == 2
    assert_settled(three)


@pytest.mark.slow
def test_a_replay_does_not_bring_them_back(three: Lake) -> None:
    look_after(three, THIRD)
    publish(three, force=True)
    assert kept(three) == {THIRD: 1, "undated": 1}
    assert_settled(three)


@pytest.mark.slow
def test_a_changed_contract_does_not_bring_them_back(three: Lake) -> None:
    look_after(three, THIRD)
    looser = with_feed(three, gate=0.9)
    assert list(run(looser)) == [FIRST, SECOND, THIRD, "undated"]
    assert kept(looser) == {THIRD: 1, "undated": 1}
    assert_settled(looser)


@pytest.mark.slow
def test_a_record_can_be_corrected_and_discarded_after_its_row_has_gone(three: Lake) -> None:
    look_after(three, THIRD)
    take(three, correct, f"{FIRST}.csv", 41, {"Quantity": "600"})
    take(three, discard, f"{SECOND}.csv", 41)
    settle(three, gold=True)
    assert ask(three, "SELECT dt::VARCHAR FROM silver.sales WHERE quantity = 600") == [(FIRST,)]
    assert (counted(three)[FIRST], counted(three)[SECOND]) == ((0, 1.0), (0, 1.0))
    assert by_rule(three) == {THIRD: 1, "undated": 1}
    assert_settled(three)


@pytest.mark.slow
def test_a_record_that_is_moved_to_an_expired_date_keeps_no_row_and_one_that_leaves_it_does(three: Lake) -> None:
    look_after(three, THIRD)
    take(three, correct, f"{THIRD}.csv", 41, {"InvoiceDate": f"{FIRST} 12:00:00"})
    take(three, correct, f"{SECOND}.csv", 41, {"InvoiceDate": f"{THIRD} 12:00:00"})
    settle(three, gold=True)
    assert ask(three, "SELECT dt::VARCHAR, _source_key FROM quarantine.sales WHERE dt IS NOT NULL") == [
        (THIRD, f"{SECOND}.csv")
    ]
    assert counted(three)[FIRST][0] == 2
    assert_settled(three)


@pytest.mark.slow
def test_rows_of_a_held_date_stay_until_a_person_has_decided(lake: Lake) -> None:
    land(lake, "a.csv", sales_csv([*day(FIRST, 3), bad(FIRST)]))
    land(lake, "b.csv", good_and_bad(SECOND))
    run(lake)
    gone, stays = look_after(lake, THIRD)
    assert gone.action.startswith("1 row expiring")
    assert stays.action == "1 row, kept: their dates are held; release or correct them"
    assert (kept(lake), held(lake)) == ({FIRST: 1}, [FIRST])
    assert_settled(lake)
    decision = take(lake, release, FIRST)
    assert settle(lake)[FIRST].verdict == "published"
    assert kept(lake) == {}
    take_back(lake, decision)  # what it published stays, until other inputs come
    assert (settle(lake), kept(lake)) == ({}, {})


@pytest.mark.slow
def test_a_date_that_becomes_held_after_it_expired_has_its_rows_again(three: Lake) -> None:
    look_after(three, THIRD)
    land(three, "late.csv", sales_csv([bad(FIRST, number) for number in range(2, 12)]))
    assert run(three)[FIRST].verdict == "held"
    assert kept(three) == {FIRST: 11, THIRD: 1, "undated": 1}
    assert [action.action.partition(",")[0] for action in look_after(three, THIRD)] == ["11 rows"]
    assert_settled(three)
    land(three, "late.csv", sales_csv([]))
    land(three, "late.csv", sales_csv(day(FIRST, 1, InvoiceNo="555555")))
    assert run(three)[FIRST].verdict == "published"
    assert kept(three) == {THIRD: 1, "undated": 1}
    assert_settled(three)


@pytest.mark.slow
def test_a_stricter_gate_holds_expired_dates_and_shows_their_records(three: Lake) -> None:
    look_after(three, THIRD)
    stricter = with_feed(three, gate=0.99)
    run(stricter)
    assert held(stricter) == [FIRST, SECOND, THIRD]
    assert kept(stricter) == {FIRST: 1, SECOND: 1, THIRD: 1, "undated": 1}
    assert_settled(stricter)
    run(three)
    assert kept(three) == {THIRD: 1, "undated": 1}
    assert_settled(three)


@pytest.mark.slow
def test_revoked_the_rows_come_back_and_only_their_dates_are_computed(three: Lake) -> None:
    before = content(three)
    look_after(three, THIRD)
    [decision] = recorded.Decisions.load(three.store, "sales").active
    take_back(three, decision)
    assert pending(three) == [FIRST, SECOND]
    assert findings(three) == []
    silver_before = version(three, "silver.sales")
    assert list(run(three)) == [FIRST, SECOND]
    assert version(three, "silver.sales") == silver_before
    after = content(three)
    assert_same({**before, "ops.decisions": after["ops.decisions"]}, after)
    assert_settled(three)


@pytest.mark.slow
def test_a_newer_cutoff_widens_and_its_revocation_leaves_the_older_one(three: Lake) -> None:
    look_after(three, SECOND)
    assert kept(three) == {SECOND: 1, THIRD: 1, "undated": 1}
    look_after(three, THIRD)
    assert kept(three) == {THIRD: 1, "undated": 1}
    look_after(three, SECOND)  # a longer time to keep brings nothing back
    assert kept(three) == {THIRD: 1, "undated": 1}
    assert expiries(three) == [(SECOND, "active"), (THIRD, "active")]
    take_back(three, recorded.Decisions.load(three.store, "sales").active[1])
    assert list(run(three)) == [SECOND]
    assert kept(three) == {SECOND: 1, THIRD: 1, "undated": 1}
    assert_settled(three)


@pytest.mark.slow
def test_a_held_date_that_was_pinned_meanwhile_has_its_rows_again_once_it_is_not(lake: Lake) -> None:
    land(lake, "a.csv", good_and_bad(FIRST))
    run(lake)
    land(lake, "a.csv", sales_csv([*day(FIRST, 50), bad(FIRST)]))
    run(lake)
    land(lake, "b.csv", sales_csv([bad(FIRST, number) for number in range(2, 12)]))
    run(lake)
    assert held(lake) == [FIRST]
    decision = restore(lake, "silver.sales", 1)
    settle(lake)
    look_after(lake, THIRD)
    assert (kept(lake), held(lake)) == ({}, [])
    assert [finding for finding in findings(lake) if not finding.startswith("gold")] == []
    take_back(lake, decision)
    settle(lake)
    assert (kept(lake), held(lake)) == ({FIRST: 11}, [FIRST])


@pytest.mark.slow
def test_dates_that_are_no_business_dates_expire_by_age_as_well(lake: Lake) -> None:
    land(lake, "a.csv", sales_csv([*day("1999-12-31", 2), *day("0001-01-01", 1), *day("9999-12-31", 1), *day(FIRST)]))
    run(lake)
    assert kept(lake) == {"1999-12-31": 2, "0001-01-01": 1, "9999-12-31": 1}
    look_after(lake, FIRST)
    assert kept(lake) == {"9999-12-31": 1}
    assert_settled(lake)


@pytest.mark.slow
def test_a_month_expires_once_its_last_day_is_too_old(lake: Lake) -> None:
    feed = replace(sales(lake), partition_by="month", usual_rows=None)
    lake = replace(lake, registry=Registry([feed], []))
    for date in ("2011-01-10", "2011-03-05"):
        land(lake, f"{date}.csv", good_and_bad(date))
    run(lake)
    assert [action.action for action in look_after(lake, "2011-03-31")] == ["1 row expiring: dated before 2011-03-31"]
    assert look_after(lake, "2011-03-31") == []
    assert (kept(lake), expiries(lake)) == ({"2011-03-01": 1}, [("2011-03-31", "active")])
    assert_settled(lake)
    look_after(lake, "2011-04-01")
    assert kept(lake) == {}
    assert_settled(lake)


def test_a_feed_without_dates_keeps_its_rows(tmp_path: Path) -> None:
    lake = lake_at(str(tmp_path / "lake"))
    lake = replace(lake, registry=Registry([orders(business_date=None)], []))
    land(lake, "x.json", b'[{"Number": "1", "Units": "many", "At": "01/03/2011", "Price": 1.5, "Code": "a"}]', "orders")
    ingest(lake, feed="orders")
    publish(lake, feed="orders")
    list(maintain(lake, Policy(quarantine=dt.timedelta(days=1))))
    assert ask(lake, "SELECT count(*) FROM quarantine.orders") == [(1,)]
    assert ask(lake, "SELECT kind FROM ops.decisions") == []


@pytest.mark.slow
def test_the_files_go_with_the_vacuum_and_the_past_is_there_until_then(three: Lake) -> None:
    look_after(three, THIRD)
    assert len(data_files(three, "quarantine/sales")) == 4
    list(maintain(three, Policy(dt.timedelta(), below_seven_days=True)))
    assert len(data_files(three, "quarantine/sales")) == 2
    assert_settled(three)
