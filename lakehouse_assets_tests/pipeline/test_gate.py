"""The verdict on a partition follows from its counts: the accounting first, then the business date, then the score."""

import polars as pl
import pytest

from lakehouse_assets.contracts.partitioning import UNDATED
from lakehouse_assets.contracts.registry import registry
from lakehouse_assets.decisions.recorded import Decisions
from lakehouse_assets.ledger.ledger import FeedLedger, Ledger
from lakehouse_assets.pipeline.candidate import Candidate
from lakehouse_assets.pipeline.gate import HELD_BACK, OUTSIDE, PUBLISHED, UNACCOUNTED, Evaluation, outcomes_of
from lakehouse_assets.pipeline.pending import FeedState
from lakehouse_assets.pipeline.pieces import together
from lakehouse_assets_tests.retail import DAY

SALES = registry().feed("sales")
assert SALES.gate == 0.95


def evaluated(
    valid: int,
    quarantined: int,
    *,
    partition: str = DAY,
    landed: int | None = None,
    outside: frozenset[str] = frozenset(),
    silver: dict[str, int] | None = None,
    waiting: int = 0,
) -> Evaluation:
    """Return what becomes of the candidate of a partition with one source, by its counts."""
    counts = {
        "erased": 0,
        "discarded": 0,
        "duplicates": 1,
        "quarantined": quarantined,
        "valid": valid,
        "waiting": waiting,
    }
    source = {"_part": partition, "_source_hash": "hash", "_source_key": "a.csv"}
    candidate = Candidate(
        valid=pl.DataFrame(),
        quarantined=pl.DataFrame({"_part": [partition] * quarantined}, schema={"_part": pl.String}),
        accounting=pl.DataFrame([source | counts]),
        broken=pl.DataFrame({"_part": [partition], "rule": ["quantity_readable"], "rows": [quarantined]}),
    )
    rows = valid + quarantined + 1 if landed is None else landed
    live = pl.DataFrame({"part": [partition], "source_hash": ["hash"], "source_key": ["a.csv"], "rows": [rows]})
    known = FeedState(
        SALES, {partition: 1}, outside, silver or {}, {}, {}, Decisions(()), {}, {}, FeedLedger(Ledger.nothing())
    )
    computed = together([candidate], None)
    return Evaluation(computed, live, outcomes_of(SALES, live, [partition], computed, known, {}), known.inputs)


@pytest.mark.parametrize(
    ("valid", "quarantined", "verdict"),
    [(95, 5, PUBLISHED), (94, 5, HELD_BACK), (100, 0, PUBLISHED), (0, 1, HELD_BACK), (0, 0, PUBLISHED)],
)
def test_the_score_decides_and_the_gate_itself_is_enough(valid: int, quarantined: int, verdict: str) -> None:
    [outcome] = evaluated(valid, quarantined).outcomes
    assert (outcome.verdict, outcome.passed) == (verdict, verdict == PUBLISHED)
    assert (outcome.valid, outcome.quarantined, outcome.duplicates, outcome.sources) == (valid, quarantined, 1, 1)


def test_records_that_only_wait_lower_no_score() -> None:
    [outcome] = evaluated(1, 9, waiting=9).outcomes
    assert (outcome.verdict, outcome.score, outcome.waiting) == (PUBLISHED, 1.0, 9)
    [outcome] = evaluated(1, 9, waiting=8).outcomes
    assert (outcome.verdict, outcome.score) == (HELD_BACK, 0.5)
    assert "(1 of 2 records break the contract; 8 more wait for what th" in outcome.message


def test_what_is_held_says_its_score_and_what_to_do() -> None:
    [outcome] = evaluated(9, 1).outcomes
    assert outcome.message == (
        f"{DAY}: quality score 0.9000 is below the gate 0.9500 (1 of 10 records break the contract). The "
        "published version stands. `lakehouse quarantine list --feed sales --date 2011-03-01` lists them; land "
        "corrected records, or correct the contract, and run again."
    )


def test_a_record_too_many_or_too_few_is_written_nowhere() -> None:
    for landed in (10, 12):
        found = evaluated(10, 0, landed=landed)
        [outcome] = found.outcomes
        assert (outcome.verdict, outcome.passed) == (UNACCOUNTED, False)
        assert f"source a.csv has {landed} records in the ledger but 11 in bronze" in outcome.message
        assert found.accounts().height == 0


def test_no_business_date_is_outside_of_the_gate() -> None:
    assert evaluated(0, 3, partition=UNDATED).outcomes[0].verdict == OUTSIDE
    [outcome] = evaluated(0, 3, outside=frozenset({DAY})).outcomes
    assert (outcome.verdict, outcome.passed) == (OUTSIDE, True)


def test_what_is_published_already_stays_below_the_gate_for_the_same_inputs_only() -> None:
    assert evaluated(1, 9, silver={DAY: 1}).outcomes[0].verdict == PUBLISHED
    assert evaluated(1, 9, silver={DAY: 2}).outcomes[0].verdict == HELD_BACK


@pytest.mark.parametrize(("quarantined", "published", "held"), [(0, 20, 0), (1, 20, 0), (2, 0, 20)])
def test_valid_records_are_published_or_held_and_nothing_else(quarantined: int, published: int, held: int) -> None:
    [account] = evaluated(20, quarantined).accounts().rows(named=True)
    assert (account["valid"], account["published"], account["held"]) == (20, published, held)
    assert account["landed"] == account["valid"] + account["quarantined"] + account["duplicates"]


def test_quarantined_rows_are_counted_by_rule_and_date() -> None:
    [row] = evaluated(20, 2).by_rule().rows(named=True)
    assert (row["_part"], row["rule"], row["records"], str(row["dt"])) == (DAY, "quantity_readable", 2, DAY)
    assert evaluated(20, 2, partition=UNDATED).by_rule()["dt"].to_list() == [None]
    assert [rows.height for rows in evaluated(20, 2).kept()] == [2]
