"""Pending, held, expired: each follows from the fingerprints of a partition's inputs and of what is stored of it."""

from typing import Any

import pytest

from lakehouse_assets.contracts.partitioning import UNDATED, WHOLE
from lakehouse_assets.contracts.registry import registry
from lakehouse_assets.decisions import kinds
from lakehouse_assets.decisions.kinds import Decision, new
from lakehouse_assets.decisions.recorded import Decisions
from lakehouse_assets.ledger.ledger import FeedLedger, Ledger
from lakehouse_assets.pipeline.accounting import VERDICTS, bears
from lakehouse_assets.pipeline.inputs import without_rows
from lakehouse_assets.pipeline.pending import HELD, FeedState, ModelState
from lakehouse_assets.pipeline.pins import Pin

DAY, LATER = "2011-03-01", "2011-03-02"
NOW, BEFORE, OTHER = 7, 5, 3
SALES = registry().feed("sales")
PUBLISHED: dict[str, Any] = {"silver": {DAY: NOW}, "quarantine": {DAY: NOW}, "by_rule": {DAY: NOW}}
KEPT_BACK: dict[str, Any] = {"silver": {DAY: BEFORE}, "quarantine": {DAY: NOW, HELD + DAY: NOW}, "by_rule": {DAY: NOW}}
RELEASED = new(kinds.Release, "sales", "they are right", partition=DAY, fingerprint=NOW)
EXPIRED = new(kinds.Expire, "sales", "a year is enough", before=LATER)


def state(*taken: Decision, partition: str = DAY, **stored: Any) -> FeedState:
    """Return the state of a feed with one partition, whose inputs have the fingerprint `NOW`."""
    empty: dict[str, Any] = {"outside": frozenset(), "silver": {}, "quarantine": {}, "by_rule": {}, "pins": {}}
    given = empty | {"inputs": {partition: NOW}} | stored
    ledger = FeedLedger(Ledger.nothing())
    return FeedState(SALES, decisions=Decisions(taken), effects={}, ledger=ledger, **given)


def test_what_is_published_with_these_inputs_is_done() -> None:
    found = state(**PUBLISHED)
    assert (found.pending, found.held, found.is_published(DAY)) == ([], [], True)


@pytest.mark.parametrize("table", ["silver", "quarantine", "by_rule"])
@pytest.mark.parametrize("fingerprint", [BEFORE, None])
def test_a_table_that_lacks_the_present_candidate_makes_its_partition_pending(
    table: str, fingerprint: int | None
) -> None:
    found = state(**PUBLISHED | {table: {} if fingerprint is None else {DAY: fingerprint}})
    assert found.pending == [DAY]
    assert found.is_published(DAY) == (table != "silver")


def test_what_the_gate_holds_waits_for_a_person_and_is_not_pending() -> None:
    found = state(**KEPT_BACK)
    assert (found.pending, found.held, found.is_published(DAY)) == ([], [DAY], False)
    assert (state(**KEPT_BACK | {"silver": {}}).pending, state(**KEPT_BACK | {"silver": {}}).held) == ([], [DAY])


def test_a_release_of_these_inputs_makes_what_was_held_pending() -> None:
    found = state(RELEASED, **KEPT_BACK)
    assert (found.pending, found.held, found.is_released(DAY)) == ([DAY], [], True)
    later = state(RELEASED, **KEPT_BACK, inputs={DAY: OTHER})
    assert (later.pending, later.is_released(DAY)) == ([DAY], False)


@pytest.mark.parametrize(
    "stored",
    [
        KEPT_BACK | {"quarantine": {DAY: NOW, HELD + DAY: BEFORE}},
        KEPT_BACK | {"quarantine": {DAY: NOW}},
        KEPT_BACK | {"quarantine": {HELD + DAY: NOW}},
        KEPT_BACK | {"quarantine": {DAY: NOW, HELD + DAY: NOW}, "silver": {DAY: NOW}},
    ],
)
def test_held_is_only_the_present_candidate_whose_rows_are_in_quarantine(stored: dict[str, Any]) -> None:
    assert state(**stored).held == []


@pytest.mark.parametrize(("fingerprint", "pending"), [(BEFORE, []), (NOW, [DAY])])
def test_a_pinned_partition_is_pending_until_what_it_was_pinned_to_is_published(
    fingerprint: int, pending: list[str]
) -> None:
    found = state(**KEPT_BACK, pins={DAY: Pin(1, fingerprint)})
    assert (found.pending, found.held) == (pending, [])


def test_a_partition_pinned_to_a_version_without_it_is_done_where_it_is_not_stored() -> None:
    assert state(pins={DAY: Pin(1, 0)}).pending == []
    assert state(pins={DAY: Pin(1, 0)}, silver={DAY: NOW}).pending == [DAY]


def test_a_partition_of_which_nobody_knows_what_it_references_is_pending() -> None:
    assert state(**PUBLISHED, unread=frozenset({DAY})).pending == [DAY]


@pytest.mark.parametrize("verdict", VERDICTS)
def test_an_account_of_other_inputs_makes_its_partition_pending(verdict: str) -> None:
    assert state(**PUBLISHED, accounts={DAY: bears(NOW, verdict)}).pending == []
    assert state(**PUBLISHED, accounts={DAY: bears(BEFORE, verdict)}).pending == [DAY]


def test_records_without_a_date_are_in_quarantine_only() -> None:
    stored: dict[str, Any] = {"quarantine": {UNDATED: NOW}, "by_rule": {UNDATED: NOW}}
    assert state(partition=UNDATED, **stored).pending == []
    assert state(partition=UNDATED, quarantine={UNDATED: NOW}).pending == [UNDATED]


def test_a_date_outside_the_feeds_dates_is_pending_only_while_it_is_published() -> None:
    outside: dict[str, Any] = {"outside": frozenset({DAY}), "quarantine": {DAY: NOW}, "by_rule": {DAY: NOW}}
    assert state(**outside).pending == []
    assert state(**outside, silver={DAY: BEFORE}).pending == [DAY]
    assert state(**outside, silver={DAY: NOW}).pending == []


def test_a_date_expires_when_its_period_ended_before_the_decided_one() -> None:
    assert state(**PUBLISHED).expired_before is None
    assert not state(**PUBLISHED).is_expired(DAY)
    found = state(EXPIRED, **PUBLISHED)
    assert found.is_expired(DAY)
    assert not found.is_expired(LATER)
    assert not found.is_expired(UNDATED)
    assert not found.is_expired(WHOLE)


def test_a_date_that_expired_is_done_with_its_rows_and_without_them() -> None:
    gone = PUBLISHED | {"quarantine": {DAY: without_rows(NOW)}}
    assert (state(EXPIRED, **PUBLISHED).pending, state(EXPIRED, **PUBLISHED).has_expired(DAY)) == ([], False)
    assert (state(EXPIRED, **gone).pending, state(EXPIRED, **gone).has_expired(DAY)) == ([], True)
    assert (state(**gone).pending, state(**gone).has_expired(DAY)) == ([DAY], False)
    before = PUBLISHED | {"quarantine": {DAY: without_rows(BEFORE)}}
    assert state(EXPIRED, **before).pending == [DAY]


def test_several_partitions_are_told_in_the_order_of_their_dates() -> None:
    found = state(inputs={DAY: NOW, LATER: NOW}, **KEPT_BACK)
    assert (found.pending, found.held) == ([LATER], [DAY])


def test_a_date_of_a_model_is_pending_where_it_was_built_of_something_else() -> None:
    model = registry().models["daily_sales"]
    inputs = {DAY: NOW, LATER: NOW, "2011-03-03": NOW}
    built = {DAY: NOW, LATER: BEFORE}
    assert ModelState(model, inputs, built, {}).pending == [LATER, "2011-03-03"]
    pins = {DAY: Pin(1, BEFORE), LATER: Pin(1, BEFORE), "2011-03-03": Pin(1, 0)}
    assert ModelState(model, inputs, built, pins).pending == [DAY]
