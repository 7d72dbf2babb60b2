"""The verbs of `lakehouse` on bad data: what they show, record and refuse, each in one line."""

import json
import re
from pathlib import Path

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets_tests.conftest import Lakehouse, Said, copied
from lakehouse_assets_tests.decisions.bad_records import BAD, ODD, RAGGED, UNDATED, cells, recorded
from lakehouse_assets_tests.decisions.manifests import live
from lakehouse_assets_tests.decisions.person import (
    NEXT,
    ask,
    quantities,
    quarantined,
    settle,
    states,
)
from lakehouse_assets_tests.retail import DAY


@pytest.fixture
def lake(bad_lake: Lake, tmp_path: Path) -> Lake:
    """A copy of that lake."""
    return copied(bad_lake, tmp_path / "lake")


def refused(said: Said, message: str) -> None:
    """Assert that a command was refused in one clear line."""
    assert said.code in {1, 2}, said
    assert said.out == ""
    assert re.fullmatch(rf"lakehouse: .*{message}.*\n", said.err), said.err


# -- list and show


@pytest.mark.slow
def test_list_shows_each_quarantined_record_with_the_rules_that_it_breaks(lakehouse: Lakehouse) -> None:
    rows = cells(lakehouse("quarantine", "list"))
    assert [row[:4] for row in rows[:4]] == [
        ["sales", DAY, "day.csv", str(BAD)],
        ["sales", DAY, "day.csv", str(ODD)],
        ["sales", NEXT, "next.csv", "9"],
        ["sales", "day.csv", str(RAGGED), rows[3][3]],
    ]
    assert rows[1][4] == "invoice_no_regex, unit_price_min"
    assert rows[3][3].startswith("record_shape")
    assert len(rows) == 5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--rule", "quantity_readable"], {BAD, RAGGED, 9}),
        (["--rule", "unit_price_min"], {ODD}),
        (["--date", DAY], {BAD, ODD}),
        (["--date", "undated"], {RAGGED, UNDATED}),
        (["--date", "2011-12-24"], set()),
        (["--source", "next.csv"], {9}),
        (["--source", "nothing.csv"], set()),
        (["--feed", "sales", "--rule", "quantity_readable", "--date", NEXT, "--source", "next.csv"], {9}),
    ],
    ids=str,
)
def test_list_can_be_narrowed(lakehouse: Lakehouse, options: list[str], expected: set[int]) -> None:
    said = lakehouse("quarantine", "list", *options)
    numbers = re.findall(r"(?:day|next)\.csv\s+(\d+)", said.out)
    assert (said.code, {int(n) for n in numbers}) == (0, expected)


def test_list_says_how_many_it_leaves_out(lakehouse: Lakehouse) -> None:
    said = lakehouse("quarantine", "list", "--limit", 2)
    assert (said.code, len(re.findall(r"^\s*sales", said.out, re.MULTILINE))) == (0, 2)
    assert "3 more" in said.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--rule", "nonsense"], "no rule 'nonsense'; its rules are record_shape, "),
        (["--feed", "nonsense"], "no feed 'nonsense'; declared are: sales"),
        (["--date", "yesterday"], "yesterday"),
        (["--date", "2011-13-01"], "2011-13-01"),
        (["--limit", "0"], "'--limit'.* greater than or equal to 1"),
    ],
    ids=str,
)
@pytest.mark.parametrize("verb", ["list", "replay"])
def test_list_and_replay_refuse_what_they_do_not_know(
    lakehouse: Lakehouse, verb: str, options: list[str], message: str
) -> None:
    if verb == "replay":
        if options[0] == "--limit":
            return
        options = ["sales", *options] if options[0] != "--feed" else [options[1]]
    refused(lakehouse("quarantine", verb, *options), message)


def test_show_puts_the_raw_values_beside_the_reasons(lakehouse: Lakehouse) -> None:
    said = lakehouse("quarantine", "show", "sales", "day.csv", ODD)
    rows = {row[0]: row[1:] for row in cells(said)}
    assert rows["InvoiceNo"] == ["GIFT1", "invoice_no_regex: `invoice_no` matches `^[CA]?[0-9]{6}$`"]
    assert rows["UnitPrice"] == ["-1", "unit_price_min: `unit_price` is at least 0"]
    assert rows["Country"] == ["United Kingdom"]
    assert rows["_line"] == [str(ODD)]


def test_show_says_what_is_wrong_with_the_shape_of_a_record(lakehouse: Lakehouse) -> None:
    said = lakehouse("quarantine", "show", "sales", "day.csv", RAGGED)
    assert "9 fields, 8 expected" in said.out
    assert "breaks record_shape: the record has the shape of its object" in said.out


def test_show_masks_personal_data_unless_asked(lakehouse: Lakehouse) -> None:
    masked = lakehouse("quarantine", "show", "sales", "day.csv", BAD)
    assert ["CustomerID", "(personal data)"] in cells(masked)
    assert "16161" not in masked.out + masked.err
    # The surplus of a ragged record may be anything, so it is masked, too.
    assert "France" not in lakehouse("quarantine", "show", "sales", "day.csv", RAGGED).out
    assert ["CustomerID", "16161"] in cells(lakehouse("quarantine", "show", "sales", "day.csv", BAD, "--personal"))


def test_list_shows_no_raw_values(lakehouse: Lakehouse) -> None:
    said = lakehouse("quarantine", "list")
    assert not [text for text in ("16161", "16162", "16163", "GIFT1") if text in said.out]


def test_show_of_a_valid_record_says_that_it_is_not_in_quarantine(lakehouse: Lakehouse) -> None:
    assert lakehouse("quarantine", "show", "sales", "day.csv", 1).out.endswith("the record is not in quarantine\n")


@pytest.mark.slow
def test_show_of_a_corrected_record_that_is_still_bad_shows_the_values_that_break_the_rules(
    lake: Lake, lakehouse: Lakehouse
) -> None:
    assert lakehouse("quarantine", "correct", "sales", "day.csv", BAD, "--set", "Quantity=6.5", "--why", "w").code == 0
    settle(lake)
    rows = {row[0]: row[1:] for row in cells(lakehouse("quarantine", "show", "sales", "day.csv", BAD))}
    assert rows["Quantity"] == ["6.5", "quantity_readable: `quantity` can be read as an integer"]


@pytest.mark.slow
def test_correct_records_a_correction_for_the_next_run(lake: Lake, lakehouse: Lakehouse) -> None:
    said = lakehouse(
        "quarantine", "correct", "sales", "day.csv", BAD, "--set", "Quantity=600", "--set", "Description=", "--set",
        "Country=A=B", "--why", "the till said so", "--who", "bea",
    )  # fmt: skip
    identity = recorded(said, "correct")
    assert ask(lake, "SELECT id, who, why FROM ops.decisions") == [(identity, "bea", "the till said so")]
    assert 600 not in quantities(lake)
    settle(lake)
    assert ask(lake, "SELECT description, country FROM silver.sales WHERE quantity = 600") == [(None, "A=B")]


@pytest.mark.slow
def test_waive_discard_release_accept_and_revoke_do_what_they_say(lake: Lake, lakehouse: Lakehouse) -> None:
    why = ("--why", "checked")
    rules = ("--rule", "invoice_no_regex", "--rule", "unit_price_min")
    recorded(lakehouse("quarantine", "waive", "sales", "day.csv", ODD, *rules, *why), "waive")
    discarded = recorded(lakehouse("quarantine", "discard", "sales", "day.csv", BAD, *why), "discard")
    recorded(lakehouse("release", "sales", NEXT, *why), "release")
    recorded(lakehouse("accept", "sales", "held.csv", *why), "accept")
    settle(lake)
    assert set(quarantined(lake)) == {("day.csv", RAGGED), ("day.csv", UNDATED), ("next.csv", 9)}
    assert (len(quantities(lake, NEXT)), live(lake)["held.csv"]) == (8, 1)
    refused(lakehouse("quarantine", "discard", "sales", "day.csv", BAD, *why), "is discarded already. Nothing was")
    recorded(lakehouse("revoke", "sales", discarded, *why), "revoke")
    settle(lake)
    assert ("day.csv", BAD) in quarantined(lake)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["quarantine", "correct", "sales", "no.csv", BAD, "--set", "Quantity=6"], "no live source object 'no.csv'"),
        (["quarantine", "correct", "sales", "held.csv", 1, "--set", "Quantity=6"], "no live source object 'held.csv'"),
        (["quarantine", "correct", "sales", "day.csv", 999, "--set", "Quantity=6"], "'day.csv' has no record 999"),
        (["quarantine", "correct", "sales", "day.csv", "one", "--set", "Quantity=6"], "'line'.* valid integer"),
        (
            ["quarantine", "correct", "sales", "day.csv", BAD, "--set", "Weight=6"],
            "'Weight' is not a field; the fields",
        ),
        (["quarantine", "correct", "sales", "day.csv", BAD, "--set", "quantity=6"], "'quantity' is not a field"),
        (["quarantine", "correct", "sales", "day.csv", BAD, "--set", "_line=6"], "'_line' is not a field"),
        (["quarantine", "correct", "sales", "day.csv", BAD, "--set", "dt=2011-03-01"], "'dt' is not a field"),
        (["quarantine", "correct", "sales", "day.csv", BAD, "--set", "Quantity"], "is not of the form FIELD=VALUE"),
        (["quarantine", "correct", "sales", "day.csv", BAD], "Missing option '--set'"),
        (["quarantine", "correct", "nonsense", "day.csv", BAD, "--set", "Quantity=6"], "no feed 'nonsense'"),
        (["quarantine", "waive", "sales", "day.csv", BAD, "--rule", "quantity_readable"], "'quantity_readable' cannot"),
        (["quarantine", "waive", "sales", "day.csv", ODD, "--rule", "nonsense"], "'nonsense' cannot be waived"),
        (["quarantine", "waive", "sales", "day.csv", ODD, "--rule", "country_required"], "'country_required' cannot"),
        (["quarantine", "waive", "sales", "day.csv", ODD], "Missing option '--rule'"),
        (
            ["quarantine", "waive", "sales", "day.csv", 1, "--rule", "invoice_no_regex"],
            "record 1 of 'day.csv' is not in quarantine. Nothing was decided.",
        ),
        (
            ["quarantine", "waive", "sales", "day.csv", ODD, "--rule", "cancellation_not_positive"],
            "does not break 'cancellation_not_positive'; it breaks invoice_no_regex, unit_price_min. Nothing was",
        ),
        (["quarantine", "discard", "sales", "day.csv", 0], "'day.csv' has no record 0"),
        (["quarantine", "show", "sales", "day.csv", 0], "'day.csv' has no record 0"),
        (["quarantine", "show", "sales", "no.csv", 1], "no live source object 'no.csv'"),
        (["release", "sales", DAY], f"{DAY} of sales is not held .held are: {NEXT}."),
        (["release", "sales", "yesterday"], "yesterday of sales is not held"),
        (["release", "nonsense", NEXT], "no feed 'nonsense'"),
        (["accept", "sales", "day.csv"], "'day.csv' of sales is not held .held are: held.csv."),
        (["revoke", "sales", "nonsense"], "sales has no active decision 'nonsense'"),
        (["revoke", "nonsense", "nonsense"], "nonsense has no active decision 'nonsense'"),
        (["restore", "silver.sales", "--version", 99999], "silver.sales has no version 99999"),
        (["restore", "silver.sales"], "either --version or --at"),
        (["restore", "silver.sales", "--version", 1, "--at", "2011-03-01"], "either --version or --at"),
        (["restore", "silver.sales", "--at", "yesterday"], "'yesterday' is not a point in time"),
        (["restore", "quarantine.sales", "--version", 1], "takes a silver or gold table"),
        (["restore", "ops.ledger", "--version", 1], "no table 'ops.ledger'"),
        (["restore", "gold.nonsense", "--version", 1], "no table 'gold.nonsense'"),
        (["restore", "gold.daily_sales", "--version", 0], "gold.daily_sales is not yet written, so it has no versions"),
        (["restore", "silver.sales", "--version", -1], "'--version'.* greater than or equal to 0"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_what_cannot_be_decided_is_refused_in_one_line_and_nothing_is_recorded(
    lake: Lake, lakehouse: Lakehouse, arguments: list[object], message: str
) -> None:
    why = [] if "show" in arguments else ["--why", "checked"]
    refused(lakehouse(*arguments, *why), message)
    assert states(lake) == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ["quarantine", "correct", "sales", "day.csv", BAD, "--set", "Quantity=6"],
        ["quarantine", "waive", "sales", "day.csv", ODD, "--rule", "invoice_no_regex"],
        ["quarantine", "discard", "sales", "day.csv", BAD],
        ["release", "sales", NEXT],
        ["accept", "sales", "held.csv"],
        ["restore", "silver.sales", "--version", 0],
    ],
    ids=lambda value: " ".join(map(str, value)),
)
def test_a_decision_needs_a_reason(lake: Lake, lakehouse: Lakehouse, arguments: list[object]) -> None:
    refused(lakehouse(*arguments), "Missing option '--why'")
    refused(lakehouse(*arguments, "--why", " "), "a decision needs a reason: give one with --why")
    assert states(lake) == {}


def test_the_form_of_an_answer_holds_no_personal_value_of_a_correction(lakehouse: Lakehouse) -> None:
    said = lakehouse("quarantine", "correct", "sales", "day.csv", BAD, "--set", "CustomerID=16999", "--why", "asked")
    assert said.code == 0
    assert "16999" not in said.out + said.err


@pytest.mark.slow
def test_decisions_can_be_queried_as_json(lake: Lake, lakehouse: Lakehouse) -> None:
    assert lakehouse("quarantine", "discard", "sales", "day.csv", BAD, "--why", 'a "quoted" reason').code == 0
    said = lakehouse("query", "SELECT kind, why, rules FROM ops.decisions", "--format", "json")
    assert json.loads(said.out) == [{"kind": "discard", "why": 'a "quoted" reason', "rules": []}]
    assert len(states(lake)) == 1
