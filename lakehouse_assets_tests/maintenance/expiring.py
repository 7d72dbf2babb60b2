"""A lake whose quarantine expires: how it is looked after, and what is then left of the rows."""

import datetime as dt
from typing import Any

from lakehouse_assets.context import Lake
from lakehouse_assets.maintenance.maintain import Action, maintain
from lakehouse_assets.maintenance.policy import Policy
from lakehouse_assets.query.overview import status
from lakehouse_assets_tests.decisions.person import ask, bad_day, bad_line, findings
from lakehouse_assets_tests.maintenance.aging import made
from lakehouse_assets_tests.retail import land, line, run, sales, sales_csv

FIRST, SECOND, THIRD = "2011-03-01", "2011-03-02", "2011-03-03"


def bad(date: str, number: int = 1) -> dict[str, str | None]:
    """Return a record of a date whose quantity cannot be read."""
    return bad_line(InvoiceDate=f"{date} 10:00:00", InvoiceNo=f"{540000 + number}")


def good_and_bad(date: str, number: int = 1) -> bytes:
    """Return a file of a date that passes the gate, with one bad record."""
    return bad_day(bad(date, number), date=date, good=40)


def look_after(lake: Lake, before: str | None = None, *, feed: str = "sales", dry_run: bool = False) -> list[Action]:
    """Look after the lake; what is before a date is too old, by the policy. Return what is told of a feed's rows."""
    age = None if before is None else lake.today(lake.registry.feed(feed)) - dt.date.fromisoformat(before)
    done = list(maintain(lake, Policy(quarantine=age, who="ann"), dry_run=dry_run))
    assert not [action for action in done if action.problem]
    return [action for action in done if action.table == f"quarantine.{feed}" and " row" in action.action]


def kept(lake: Lake) -> dict[str, int]:
    """Return the quarantined rows that are there, by date."""
    return dict(ask(lake, "SELECT coalesce(dt::VARCHAR, 'undated'), count(*) FROM quarantine.sales GROUP BY 1"))


def counted(lake: Lake) -> dict[str, tuple[int, float]]:
    """Return the quarantined records and the score of each partition, as accounted for."""
    rows = ask(lake, "SELECT part, sum(quarantined)::BIGINT, any_value(score) FROM ops.accounting GROUP BY 1")
    return {partition: (count, score) for partition, count, score in rows}


def by_rule(lake: Lake) -> dict[str, int]:
    """Return the records that gold counts by date, over all rules."""
    return dict(ask(lake, "SELECT coalesce(dt::VARCHAR, 'undated'), sum(records)::INT FROM gold.quarantine_by_rule "
                          "GROUP BY 1"))  # fmt: skip


def expiries(lake: Lake) -> list[tuple[Any, ...]]:
    """Return the decisions to expire."""
    return ask(lake, "SELECT before::VARCHAR, state FROM ops.decisions WHERE kind = 'expire' ORDER BY id")


def assert_settled(lake: Lake) -> None:
    assert findings(lake) == []
    assert status(lake).is_idle


def age_of(lake: Lake, before: str) -> dt.timedelta:
    return lake.today(sales(lake)) - dt.date.fromisoformat(before)


def published(lake: Lake) -> Lake:
    """Publish three dates with a bad record each, and an undated record, in a fresh lake."""
    return made(lake, _publish)


def _publish(lake: Lake) -> None:
    for date in (FIRST, SECOND, THIRD):
        land(lake, f"{date}.csv", good_and_bad(date))
    land(lake, "undated.csv", sales_csv([line(InvoiceDate="yesterday")]))
    run(lake)
