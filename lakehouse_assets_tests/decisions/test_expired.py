"""A person meets expired quarantine: what is told of it, what can still be decided, and how it is taken back."""

import datetime as dt

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.wording import counted
from lakehouse_assets_tests.conftest import Lakehouse
from lakehouse_assets_tests.decisions.person import GOOD, NEXT, ask, bad_day, bad_line, landed, settle
from lakehouse_assets_tests.retail import DAY, sales

BAD = GOOD + 1


def days_ago(lake: Lake, date: str) -> int:
    return (lake.today(sales(lake)) - dt.date.fromisoformat(date)).days


@pytest.fixture
def expired(lake: Lake, lakehouse: Lakehouse) -> Lake:
    """A lake of two dates with a bad record each, of which the first one's row has expired."""
    files = [("day.csv", bad_day(bad_line())), ("next.csv", bad_day(bad_line(InvoiceDate=f"{NEXT} 10:00"), date=NEXT))]
    landed(lake, files)
    said = lakehouse("maintain", "--expire-quarantine-days", days_ago(lake, NEXT))
    assert said.code == 0
    assert f"1 row expiring: dated before {NEXT}" in said.out
    return lake


@pytest.mark.slow
def test_the_list_shows_what_is_kept_and_the_record_can_be_seen_all_the_same(
    expired: Lake, lakehouse: Lakehouse
) -> None:
    assert [key in lakehouse("quarantine", "list").out for key in ("day.csv", "next.csv")] == [False, True]
    shown = lakehouse("quarantine", "show", "sales", "day.csv", BAD)
    assert "quantity_readable: `quantity` can be read as an integer" in shown.out
    assert "is not in quarantine" in lakehouse("quarantine", "show", "sales", "day.csv", 1).out
    assert ask(expired, "SELECT count(*) FROM quarantine.sales") == [(1,)]


@pytest.mark.slow
def test_what_a_correction_would_change_counts_the_records_and_not_the_rows(
    expired: Lake, lakehouse: Lakehouse
) -> None:
    change = ("quarantine", "correct", "sales", "day.csv", BAD, "--set", "Quantity=6000", "--why", "w")
    said = lakehouse(*change, "--dry-run")
    row = next(line.split() for line in said.out.splitlines() if DAY in line)
    assert row == [DAY, "1", "0", str(GOOD + 1), "1.0000", "published"]
    assert lakehouse(*change).code == 0
    settle(expired)
    assert ask(expired, "SELECT dt::VARCHAR FROM silver.sales WHERE quantity = 6000") == [(DAY,)]


@pytest.mark.slow
def test_it_is_a_decision_like_any_other_and_can_be_taken_back(expired: Lake, lakehouse: Lakehouse) -> None:
    [(taken, kind, before, why)] = ask(expired, 'SELECT id, kind, "before"::VARCHAR, why FROM ops.decisions')
    assert (kind, before) == ("expire", NEXT)
    assert why == f"policy: quarantined rows of more than {counted(days_ago(expired, NEXT), 'day')} ago are not kept"
    assert lakehouse("revoke", "sales", taken, "--why", "an audit").code == 0
    assert f"silver.sales: {DAY}\n" in lakehouse("status").out
    settle(expired)
    assert "day.csv" in lakehouse("quarantine", "list").out
    assert lakehouse("verify").code == 0


@pytest.mark.parametrize("days", [0, -1, 40_000, "soon"])
def test_an_age_that_is_none_is_refused(lakehouse: Lakehouse, days: object) -> None:
    said = lakehouse("maintain", "--expire-quarantine-days", days)
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
