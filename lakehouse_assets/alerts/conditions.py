"""Facts about the condition of an asset that no check evaluates: freshness, backlog. Not here: checks and runs."""

from collections.abc import Iterator
from itertools import pairwise

import dagster as dg

from lakehouse_assets.alerts.facts import Fact, Kind, Severity
from lakehouse_assets.alerts.stream import Event
from lakehouse_assets.context import Lake

GROWING = 5
"""Looks in a row, each with a larger backlog than the one before, after which it counts as growing."""
_FAIL, _PASS = "FAIL", "PASS"


def facts_of_freshness(lake: Lake, event: Event) -> Iterator[Fact]:
    """Yield the fact that a change of an asset's freshness is: it is missed, or it is met again."""
    change = event.dagster_event.asset_freshness_state_change_data
    before, after = change.previous_state.value, change.new_state.value
    if after == _FAIL:
        cause = "its freshness policy is not met: it was not materialized in time"
        yield _fact(lake, event, change.key, Kind.FRESHNESS_MISSED, Severity.ERROR, "freshness", cause)
    elif after == _PASS and before == _FAIL:
        yield _fact(lake, event, change.key, Kind.BACK_TO_NORMAL, Severity.INFO, "freshness")


def facts_of_backlog(lake: Lake, instance: dg.DagsterInstance, event: Event) -> Iterator[Fact]:
    """Yield the fact that a look at a backlog is: it grew for some looks in a row, or shrinks again after that."""
    seen = event.dagster_event.asset_observation_data.asset_observation
    now = backlog_of(seen)
    if now is None:
        return
    records = instance.fetch_observations(
        dg.AssetRecordsFilter(asset_key=seen.asset_key, before_storage_id=event.position), limit=GROWING + 1
    ).records
    before = [
        backlog
        for record in records
        if (data := record.event_log_entry.get_dagster_event().asset_observation_data)
        and (backlog := backlog_of(data.asset_observation)) is not None
    ]
    grew = [later > earlier for later, earlier in pairwise([now, *before])]
    if _in_a_row(grew) == GROWING:
        cause = f"its backlog grew {GROWING} times in a row, from {before[GROWING - 1]:,.0f} to {now:,.0f}"
        yield _fact(lake, event, seen.asset_key, Kind.BACKLOG_GROWING, Severity.WARNING, "backlog", cause)
    elif not _in_a_row(grew) and _in_a_row(grew[1:]) >= GROWING:
        yield _fact(lake, event, seen.asset_key, Kind.BACK_TO_NORMAL, Severity.INFO, "backlog")


def _in_a_row(grew: list[bool]) -> int:
    return next((number for number, larger in enumerate(grew) if not larger), len(grew))


def backlog_of(seen: dg.AssetObservation) -> float | None:
    """Return the backlog that an observation shows, if it shows one."""
    value = seen.metadata["backlog"].value if "backlog" in seen.metadata else None
    return float(value) if isinstance(value, int | float) else None


def _fact(
    lake: Lake, event: Event, key: dg.AssetKey, kind: Kind, severity: Severity, about: str, cause: str = ""
) -> Fact:
    return Fact(
        position=event.position,
        kind=kind,
        severity=severity,
        at=event.at,
        lake=lake.settings.root,
        assets=(".".join(key.path),),
        about=about,
        cause=cause,
        command="lakehouse status" if cause else "",
        run_id=event.entry.run_id,
        link=lake.settings.link_to_run(event.entry.run_id),
    )
