"""A dry run of a decision records nothing, and foretells exactly what the next run does."""

from pathlib import Path

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets_tests.conftest import Lakehouse, Said, copied
from lakehouse_assets_tests.decisions.bad_records import BAD, ODD, UNDATED, cells, recorded
from lakehouse_assets_tests.decisions.person import (
    NEXT,
    THIRD,
    ask,
    restore,
    settle,
    shown,
    states,
)
from lakehouse_assets_tests.retail import DAY


@pytest.fixture
def lake(bad_lake: Lake, tmp_path: Path) -> Lake:
    """A copy of that lake."""
    return copied(bad_lake, tmp_path / "lake")


BOTH_RULES = ("--rule", "invoice_no_regex", "--rule", "unit_price_min")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "arguments"),
    [
        ([], ["quarantine", "correct", "sales", "day.csv", BAD, "--set", "Quantity=600"]),
        ([], ["quarantine", "correct", "sales", "day.csv", BAD, "--set", "Quantity=6.5"]),
        ([], ["quarantine", "correct", "sales", "day.csv", 1, "--set", "Quantity=-"]),
        ([], ["quarantine", "correct", "sales", "day.csv", 1, "--set", f"InvoiceDate={THIRD} 10:00:00"]),
        ([], ["quarantine", "correct", "sales", "day.csv", 1, "--set", "InvoiceDate=2011-05-05 10:00:00"]),
        ([], ["quarantine", "correct", "sales", "day.csv", 1, "--set", "InvoiceDate=2999-05-05 10:00:00"]),
        ([], ["quarantine", "correct", "sales", "day.csv", UNDATED, "--set", f"InvoiceDate={NEXT} 10:00:00"]),
        ([], ["quarantine", "correct", "sales", "next.csv", 9, "--set", "Quantity=600"]),
        ([], ["quarantine", "waive", "sales", "day.csv", ODD, "--rule", "invoice_no_regex"]),
        (
            [],
            ["quarantine", "waive", "sales", "day.csv", ODD, *BOTH_RULES],
        ),
        ([], ["quarantine", "discard", "sales", "day.csv", BAD]),
        ([], ["quarantine", "discard", "sales", "next.csv", 9]),
        ([], ["quarantine", "discard", "sales", "day.csv", UNDATED]),
        ([], ["release", "sales", NEXT]),
        (
            ["quarantine", "correct", "sales", "day.csv", 1, "--set", f"InvoiceDate={THIRD} 10:00:00"],
            ["quarantine", "correct", "sales", "day.csv", 1, "--set", "InvoiceDate=2011-05-05 10:00:00"],
        ),
        (
            ["quarantine", "correct", "sales", "day.csv", 1, "--set", f"InvoiceDate={THIRD} 10:00:00"],
            ["quarantine", "discard", "sales", "day.csv", 1],
        ),
        (
            ["quarantine", "correct", "sales", "day.csv", ODD, "--set", f"InvoiceDate={THIRD} 10:00:00"],
            ["quarantine", "waive", "sales", "day.csv", ODD, *BOTH_RULES],
        ),
    ],
    ids=lambda value: " ".join(map(str, value[1:])),
)
def test_a_dry_run_records_nothing_and_foretells_exactly_what_the_run_does(
    lake: Lake, lakehouse: Lakehouse, first: list[object], arguments: list[object]
) -> None:
    why = ["--why", "checked"]
    if first:
        assert lakehouse(*first, *why).code == 0
        settle(lake)
    before, decided = shown(lake), states(lake)

    foretold = lakehouse(*arguments, *why, "--dry-run")

    assert foretold.out.endswith("Dry run: nothing was recorded.\n")
    assert (states(lake), settle(lake), shown(lake)) == (decided, {}, before)
    told = {partition: tuple(rest) for partition, *rest in cells(Said(0, foretold.out.rsplit("Dry run", 1)[0], ""))}
    now = dict(ask(lake, "SELECT coalesce(dt::VARCHAR, 'undated'), count(*) FROM quarantine.sales GROUP BY 1"))

    assert lakehouse(*arguments, *why).code == 0
    outcomes = settle(lake)

    assert told == {
        partition: (str(now.get(partition, 0)), str(o.quarantined), str(o.valid), f"{o.score:.4f}", o.verdict)
        for partition, o in outcomes.items()
    }


@pytest.mark.slow(covered=True)
def test_a_dry_run_on_a_restored_date_says_that_it_is_pinned(lake: Lake, lakehouse: Lakehouse) -> None:
    restore(lake, "silver.sales", 0)
    settle(lake)
    arguments = ("quarantine", "correct", "sales", "day.csv", BAD, "--set", "Quantity=600", "--why", "checked")
    foretold = lakehouse(*arguments, "--dry-run")
    assert lakehouse(*arguments).code == 0
    assert settle(lake) == {}
    assert "published" not in foretold.out
    assert "pinned" in foretold.out


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize("verb", ["accept", "revoke"])
def test_a_dry_run_of_what_speaks_of_no_record_records_nothing(lake: Lake, lakehouse: Lakehouse, verb: str) -> None:
    about = "held.csv"
    if verb == "revoke":
        about = recorded(lakehouse("quarantine", "discard", "sales", "day.csv", BAD, "--why", "w"), "discard")
    settle(lake)
    before, decided = shown(lake), states(lake)
    said = lakehouse(verb, "sales", about, "--why", "checked", "--dry-run")
    assert (said.code, said.out) == (0, "Dry run: nothing was recorded.\n")
    assert (states(lake), settle(lake), shown(lake)) == (decided, {}, before)


@pytest.mark.slow(covered=True)
def test_a_dry_run_of_a_replay_runs_nothing(lake: Lake, lakehouse: Lakehouse) -> None:
    before = shown(lake)
    said = lakehouse("quarantine", "replay", "sales", "--rule", "quantity_readable", "--dry-run")
    assert [row[0] for row in cells(said)] == [DAY, NEXT, "undated"]
    assert shown(lake) == before
    none = lakehouse("quarantine", "replay", "sales", "--date", "2011-12-24")
    assert (none.code, none.out) == (0, "No quarantined record is chosen; nothing to replay.\n")
