"""Every decision is in `ops.decisions`: what, by whom, why, when, and whether it still counts."""

import datetime as dt
import getpass
import json
from collections.abc import Callable

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.registry import registry
from lakehouse_assets.decisions.kinds import Decision, DecisionError
from lakehouse_assets.operations.decision_commands import accept, correct, discard, release, waive
from lakehouse_assets.query.overview import sizes
from lakehouse_assets.query.tables import described
from lakehouse_assets_tests.decisions.manifests import promise
from lakehouse_assets_tests.decisions.person import (
    NEXT,
    WHO,
    WHY,
    ask,
    bad_day,
    bad_line,
    landed,
    restore,
    settle,
    states,
    take,
    take_back,
    version,
)
from lakehouse_assets_tests.retail import DAY, day, land, line, sales, sales_csv

BAD = 61
COLUMNS = "feed, kind, state, who, why, source_key, source_hash, line, part, rules, values, revokes"


@pytest.fixture
def bad_lake(lake: Lake) -> Lake:
    """A lake with something to decide in each way."""
    promise(lake, "held.csv.manifest.json", rows=99)
    land(lake, "held.csv", sales_csv(1, "2011-03-04"))
    held = sales_csv([*day(NEXT, 8), line(InvoiceDate=f"{NEXT} 10:00:00", Quantity="six")])
    landed(lake, [("day.csv", bad_day(bad_line(), line(InvoiceNo="GIFT1", Quantity="500"))), ("next.csv", held)])
    return lake


def all_kinds(lake: Lake) -> dict[str, Decision]:
    """Take a decision of every kind; return them by kind."""
    settle(lake, gold=True)
    taken = {
        "correct": take(lake, correct, "day.csv", BAD, {"Quantity": "6", "Description": None}),
        "waive": take(lake, waive, "day.csv", BAD + 1, ["invoice_no_regex"]),
        "discard": take(lake, discard, "day.csv", 1),
        "release": take(lake, release, NEXT),
        "accept": take(lake, accept, "held.csv"),
        "pin": restore(lake, "gold.daily_sales", 0),
    }
    return taken | {"revoke": take_back(lake, taken["discard"])}


@pytest.mark.slow
def test_a_decision_of_each_kind_is_listed_with_all_that_it_says(bad_lake: Lake) -> None:
    taken = all_kinds(bad_lake)
    rows = {kind: values for _, kind, *values in ask(bad_lake, f"SELECT feed, kind, {COLUMNS} FROM ops.decisions")}  # noqa: S608
    [(day_hash,)] = ask(bad_lake, "SELECT DISTINCT source_hash FROM ops.ledger WHERE source_key = 'day.csv'")
    place = ("day.csv", day_hash)
    values = {"Quantity": "6", "Description": None}
    assert {kind: tuple(row) for kind, row in rows.items()} == {
        "correct": ("sales", "correct", "active", WHO, WHY, *place, BAD, DAY, [], json.dumps(values), None),
        "waive": (
            "sales", "waive", "active", WHO, WHY, *place, BAD + 1, DAY, ["invoice_no_regex"], None,
            None,
        ),
        "discard": ("sales", "discard", "revoked", WHO, WHY, *place, 1, DAY, [], None, None),
        "release": ("sales", "release", "active", WHO, WHY, None, None, None, NEXT, [], None, None),
        "accept": ("sales", "accept", "active", WHO, WHY, "held.csv", None, None, None, [], None, None),
        "pin": ("gold.daily_sales", "pin", "active", WHO, WHY, None, None, None, None, [], None, None),
        "revoke": (
            "sales", "revoke", "active", WHO, "it was right after all", None, None, None, None, [], None,
            taken["discard"].id,
        ),
    }  # fmt: skip
    assert ask(bad_lake, "SELECT table_name, version FROM ops.decisions WHERE kind = 'pin'") == [
        ("gold.daily_sales", 0)
    ]


@pytest.mark.slow
def test_ids_sort_in_the_order_in_which_decisions_were_taken(bad_lake: Lake) -> None:
    taken = all_kinds(bad_lake)
    found = [(kind,) for kind in taken]
    assert ask(bad_lake, "SELECT kind FROM ops.decisions ORDER BY id") == found
    assert ask(bad_lake, "SELECT kind FROM ops.decisions ORDER BY decided_at") == found
    now = dt.datetime.now(dt.UTC)
    [(first, last)] = ask(bad_lake, "SELECT min(decided_at), max(decided_at) FROM ops.decisions")
    assert now - dt.timedelta(minutes=5) < first < last < now


@pytest.mark.slow
def test_the_tables_command_counts_the_decisions_that_a_query_shows(bad_lake: Lake) -> None:
    all_kinds(bad_lake)
    [size] = [size for size in sizes(bad_lake) if size.name == "ops.decisions"]
    assert [(size.rows,)] == ask(bad_lake, "SELECT count(*) FROM ops.decisions")
    [(last,)] = ask(bad_lake, "SELECT max(decided_at) FROM ops.decisions")
    assert size.updated == last


def test_without_a_name_the_person_who_is_logged_in_decides(lake: Lake) -> None:
    landed(lake, [("day.csv", sales_csv(1))])
    assert discard(lake, sales(lake), "day.csv", 1, "twice").who == getpass.getuser()


def test_corrected_values_are_declared_as_personal(lake: Lake) -> None:
    [table] = [table for table in described() if table.full_name == "ops.decisions"]
    assert table.columns["values"].personal
    assert not table.columns["why"].personal
    assert lake.registry is registry()


@pytest.mark.slow(covered=True)
def test_a_lake_without_decisions_has_none(lake: Lake) -> None:
    assert states(lake) == {}
    landed(lake, [("day.csv", sales_csv(1))])
    assert states(lake) == {}


@pytest.mark.slow
@pytest.mark.parametrize("why", ["", "   ", "\n"])
@pytest.mark.parametrize(
    ("verb", "about"),
    [
        (correct, ("day.csv", BAD, {"Quantity": "6"})),
        (waive, ("day.csv", BAD + 1, ["invoice_no_regex"])),
        (discard, ("day.csv", BAD)),
        (release, (NEXT,)),
        (accept, ("held.csv",)),
    ],
)
def test_a_decision_without_a_reason_cannot_be_taken(
    bad_lake: Lake, verb: Callable[..., Decision], about: tuple[object, ...], why: str
) -> None:
    with pytest.raises(DecisionError, match="needs a reason"):
        verb(bad_lake, sales(bad_lake), *about, why)
    assert states(bad_lake) == {}


@pytest.mark.slow(covered=True)
def test_restoring_records_the_version_of_a_moment(lake: Lake) -> None:
    landed(lake, [("day.csv", sales_csv(1))])
    was = version(lake, "silver.sales")
    moment = dt.datetime.now(dt.UTC)
    landed(lake, [("day.csv", sales_csv(2))])
    assert restore(lake, "silver.sales", moment).version == was


@pytest.mark.slow(covered=True)
def test_the_columns_of_operational_tables_can_be_named_without_quotes(lake: Lake) -> None:
    for table in described():
        names = ", ".join(table.columns)
        assert ask(lake, f"SELECT {names} FROM {table.full_name} ORDER BY {names}") == [], table.full_name  # noqa: S608
