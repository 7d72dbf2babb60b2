"""The facts of a page of Dagster's event log. Not here: reading the log, and what each event means."""

import dagster as dg

from lakehouse_assets.alerts.checks import Evaluations, facts_of_check
from lakehouse_assets.alerts.conditions import facts_of_backlog, facts_of_freshness
from lakehouse_assets.alerts.facts import Fact
from lakehouse_assets.alerts.runs import facts_of_run, runs_of
from lakehouse_assets.alerts.stream import Page
from lakehouse_assets.context import Lake


def facts_of(lake: Lake, instance: dg.DagsterInstance, page: Page) -> list[Fact]:
    """Return what happened, in order. The same events always give the same facts."""
    runs, evaluations = runs_of(instance, page.events), Evaluations(instance)
    found: list[Fact] = []
    for event in page.events:
        match event.dagster_event.event_type:
            case dg.DagsterEventType.ASSET_CHECK_EVALUATION:
                found += facts_of_check(lake, event, evaluations)
            case dg.DagsterEventType.ASSET_OBSERVATION:
                found += facts_of_backlog(lake, instance, event)
            case dg.DagsterEventType.FRESHNESS_STATE_CHANGE:
                found += facts_of_freshness(lake, event)
            case _:
                found += facts_of_run(lake, instance, event, runs.get(event.entry.run_id))
    return found
