"""Twenty feeds and a gold table, for measuring what a long history costs. `history.py` writes that history."""

from pathlib import Path

import dataframely as dy

from lakehouse_assets.contracts.declare import Contract, Feed, Model, source
from lakehouse_assets.defs.automation.refresh import landing_sensor, tables_sensor
from lakehouse_assets.orchestration.pending_runs import refresh_job

__all__ = ["FEEDS", "MODEL", "landing_sensor", "refresh_job", "tables_sensor"]

FEEDS = 20


class Event(Contract):
    """Something that happened, with an amount."""

    name = dy.String(nullable=False, description="Name of the event.", metadata=source("name"))
    happened_at = dy.Datetime(
        time_zone="UTC", nullable=False, description="When it happened.", metadata=source("happened_at")
    )
    amount = dy.Int64(nullable=False, description="Its amount.", metadata=source("amount"))


class DailyEvents(dy.Schema):
    """One row per business date."""

    dt = dy.Date(nullable=False, description="Business date.")
    events = dy.Int64(nullable=False, description="Events of the first feed.")
    amount = dy.Int64(nullable=False, description="Their amount.")


def _feed(number: int) -> Feed:
    return Feed(
        name=f"feed{number:02}",
        contract=Event,
        description="Events of one of many sources.",
        owner="team:benchmarks",
        business_date="happened_at",
        time_zone="UTC",
    )


# The registry takes what stands in a module under a name.
globals().update({f"FEED_{number:02}": _feed(number) for number in range(FEEDS)})

MODEL = Model(
    name="daily_events",
    schema=DailyEvents,
    sql=Path(__file__).with_name("daily_events.sql"),
    description="Events of the first feed per business date.",
    owner="team:benchmarks",
    date="dt",
)
