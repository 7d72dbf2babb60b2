"""Dagster's event log as one sequence, read page by page. Not here: what the events mean.

An event's storage id is its position. On a database with concurrent writers an id may become visible after a later
one, so an event is read when it is a few seconds old: by then those before it are there.
"""

import datetime as dt
import time
from collections.abc import Iterable
from dataclasses import dataclass

import dagster as dg

EVENTS_OF_FACTS = (
    dg.DagsterEventType.RUN_ENQUEUED,
    dg.DagsterEventType.RUN_START,
    dg.DagsterEventType.RUN_SUCCESS,
    dg.DagsterEventType.RUN_FAILURE,
    dg.DagsterEventType.RUN_CANCELED,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.ASSET_OBSERVATION,
    dg.DagsterEventType.FRESHNESS_STATE_CHANGE,
)
EVENTS_OF_FIGURES = (
    dg.DagsterEventType.ASSET_MATERIALIZATION,
    dg.DagsterEventType.ASSET_OBSERVATION,
    dg.DagsterEventType.RUN_START,
    dg.DagsterEventType.RUN_SUCCESS,
    dg.DagsterEventType.RUN_FAILURE,
)
PAGE = 500
SETTLED_S = 3.0


@dataclass(frozen=True)
class Event:
    """One event: its position, and what Dagster keeps of it."""

    position: int
    entry: dg.EventLogEntry

    @property
    def dagster_event(self) -> dg.DagsterEvent:
        """The event proper; the entry around it says when, and of which run."""
        return self.entry.get_dagster_event()

    @property
    def at(self) -> dt.datetime:
        """When it happened."""
        return dt.datetime.fromtimestamp(self.entry.timestamp, dt.UTC)


@dataclass(frozen=True)
class Page:
    """Some events in order, and the position through which everything is read."""

    events: list[Event]
    through: int


def end(instance: dg.DagsterInstance) -> int:
    """Return the position of the newest event; 0 without any."""
    return instance.event_log_storage.get_maximum_record_id() or 0


def read(
    instance: dg.DagsterInstance,
    types: Iterable[dg.DagsterEventType],
    after: int,
    settled_s: float = SETTLED_S,
    limit: int = PAGE,
) -> Page:
    """Return the next events of some types, in order.

    Args:
        after: Position of the last event that is known.
        settled_s: How old an event has to be, in seconds.
    """
    found: dict[int, dg.EventLogEntry] = {}
    last: int | None = None
    for kind in types:
        entries = instance.event_log_storage.get_logs_for_all_runs_by_log_id(after, kind, limit)
        found |= entries
        if len(entries) == limit:  # there may be more of this type, so what comes after its last one is not complete
            last = min(last or max(entries), max(entries))
    events: list[Event] = []
    until = time.time() - settled_s
    for position in sorted(found)[:limit]:
        if (last is not None and position > last) or found[position].timestamp > until:
            break
        events.append(Event(position, found[position]))
    return Page(events, events[-1].position if events else after)
