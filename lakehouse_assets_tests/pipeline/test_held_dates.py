"""A date below the gate is held: the published version stays, until a better candidate or a decision releases it."""

from dataclasses import replace
from pathlib import Path

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.pipeline.pending import FeedState, ModelState
from lakehouse_assets.storage import delta
from lakehouse_assets_tests.conftest import copied, lake_at
from lakehouse_assets_tests.pipeline.sales_by_date import (
    accounts,
    put,
    quarantine_by_date,
    silver_by_date,
    state,
    table_versions,
)
from lakehouse_assets_tests.retail import DAY, build, day, line, publish, sales

NEXT = "2011-03-02"

BAD = [line(Quantity="x"), line(Quantity="y")]


def test_a_date_at_the_gate_passes_and_one_below_is_held(lake: Lake) -> None:
    at, below = [*day(DAY, 19), BAD[0]], [*day(NEXT, 18), line(Quantity="x", InvoiceDate=f"{NEXT} 09:00:00")]
    outcomes = put(lake, "x.csv", [*at, *below])
    assert (outcomes[DAY].score, outcomes[DAY].verdict) == (0.95, "published")
    assert (outcomes[NEXT].score, outcomes[NEXT].verdict) == (18 / 19, "held")
    assert not outcomes[NEXT].passed
    assert silver_by_date(lake) == {DAY: 19}


@pytest.fixture(scope="module")
def held_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake whose date was published with 20 records, then resent with 2 bad ones of 20. Read only."""
    lake = lake_at(str(tmp_path_factory.mktemp("held") / "lake"))
    put(lake, "x.csv", day(count=20))
    build(lake)
    outcome = put(lake, "x.csv", [*day(count=18, Description="RESENT"), *BAD])[DAY]
    assert (outcome.verdict, outcome.score) == ("held", 0.9)
    return lake


@pytest.fixture
def held(held_lake: Lake, tmp_path: Path) -> Lake:
    """A copy of that lake."""
    return copied(held_lake, tmp_path / "lake")


@pytest.mark.slow
def test_a_held_date_leaves_the_published_version_as_it_was(held: Lake) -> None:
    published = delta.scan(held.store, "silver/sales", {}).collect()
    assert published.height == 20
    assert "RESENT" not in published["description"].to_list()


@pytest.mark.slow(covered=True)
def test_the_failing_records_of_a_held_date_show_in_quarantine_and_its_valid_ones_are_counted_as_held(
    held: Lake,
) -> None:
    rows = delta.scan(held.store, "quarantine/sales", {}).collect()
    assert rows["rules"].to_list() == [["quantity_readable"]] * 2
    assert accounts(held) == [
        {
            "part": DAY, "source_key": "x.csv", "landed": 20, "valid": 18, "quarantined": 2, "duplicates": 0,
            "published": 0, "held": 18, "verdict": "held",
        }
    ]  # fmt: skip


def test_a_held_date_is_not_computed_again_and_not_pending_downstream(held: Lake) -> None:
    assert state(held).held == [DAY]
    assert state(held).pending == []
    before = table_versions(held)
    assert publish(held) == {}
    assert table_versions(held) == before
    # What quarantine holds of it is counted; nothing that reads silver has anything to do.
    pending = {model.name for model in held.registry.models.values() if ModelState.read(held, model).pending}
    assert pending == {"quarantine_by_rule"}


def test_a_held_date_says_what_and_why_and_what_to_do(held: Lake) -> None:
    message = publish(held, force=True)[DAY].message
    assert message == (
        f"{DAY}: quality score 0.9000 is below the gate 0.9500 (2 of 20 records break the contract). The published "
        "version stands. `lakehouse quarantine list --feed sales --date 2011-03-01` lists them; land corrected "
        "records, or correct the contract, and run again."
    )


def test_corrected_records_release_a_held_date(held: Lake) -> None:
    outcome = put(held, "x.csv", day(count=25, Description="FIXED"))[DAY]
    assert outcome.verdict == "published"
    assert set(delta.scan(held.store, "silver/sales", {}).collect()["description"]) == {"FIXED"}
    assert silver_by_date(held) == {DAY: 25}
    assert quarantine_by_date(held) == {}
    assert state(held).held == []


def test_a_further_file_can_lift_a_held_date_over_the_gate(held: Lake) -> None:
    outcome = put(held, "y.csv", day(count=30, InvoiceNo="999999"))[DAY]
    assert (outcome.verdict, outcome.valid, outcome.quarantined) == ("published", 48, 2)
    assert silver_by_date(held) == {DAY: 48}


def test_the_version_before_landed_again_is_the_published_one_again(held: Lake) -> None:
    put(held, "x.csv", day(count=20))
    assert state(held).held == state(held).pending == []
    assert silver_by_date(held) == {DAY: 20}
    assert quarantine_by_date(held) == {}


def test_a_looser_gate_releases_a_held_date(held: Lake) -> None:
    feed = replace(sales(held), gate=0.9)
    looser = replace(held, registry=Registry([feed], list(held.registry.models.values())))
    assert FeedState.read(looser, feed, looser.ledger_of(feed)).pending == [DAY]
    assert publish(looser)[DAY].verdict == "published"
    assert silver_by_date(held) == {DAY: 18}
