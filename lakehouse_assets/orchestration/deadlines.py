"""Checks that the clock decides, beside those of runs: daily close, freshness, inventory. Each is on by declaration.

A schedule for each time zone evaluates them in its tick, without a run. A run of the asset evaluates them as well, so
that they pass as soon as what was missing is there. Nothing is remembered between ticks. Not here: what is evaluated.
"""

import datetime as dt
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed, Model
from lakehouse_assets.contracts.wording import counted
from lakehouse_assets.orchestration import events, failures
from lakehouse_assets.orchestration.pending_runs import refresh_job
from lakehouse_assets.orchestration.resources import LakeResource
from lakehouse_assets.pipeline.closed_days import closed_days
from lakehouse_assets.pipeline.freshness import dated_feeds, stale_dates, zone_of
from lakehouse_assets.pipeline.pending import FeedState
from lakehouse_assets.storage.stores import StorageError

_SHOWN = 50
_HOURLY = "5 * * * *"


@dataclass(frozen=True)
class _Found:
    """What a look found: a line for each thing that is wrong, or what to say when nothing is."""

    wrong: list[str]
    fine: str
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return "\n".join(self.wrong[:_SHOWN]) or self.fine


@dataclass(frozen=True)
class _Deadline:
    """A check of an asset, when it is due, and the look at the lake that decides it."""

    asset: str
    name: str
    description: str
    cron: str
    zone: str
    severity: dg.AssetCheckSeverity
    look: Callable[[Lake, dg.DagsterInstance], _Found]

    def evaluated(self, lake: Lake, instance: dg.DagsterInstance) -> dict[str, Any]:
        """Return what a result and an evaluation of the check have in common."""
        found = self.look(lake, instance)
        return {
            "asset_key": dg.AssetKey(self.asset.split("/")),
            "check_name": self.name,
            "passed": not found.wrong,
            "severity": self.severity,
            "description": found.text,
            "metadata": found.metadata,
        }


def deadlines(lake: Lake) -> dg.Definitions:
    """Return the checks, and a schedule for each time zone that they name; nothing where none is declared."""
    found = list(_declared(lake))
    zones = sorted({one.zone for one in found})
    return dg.Definitions(
        asset_checks=[_check(one) for one in found],
        schedules=[_schedule(zone, [one for one in found if one.zone == zone]) for zone in zones],
    )


def _declared(lake: Lake) -> Iterator[_Deadline]:
    for feed in lake.registry.feeds.values():
        if feed.daily_close is not None:
            yield _close(feed, feed.daily_close)
        if feed.inventory:
            yield _inventory(feed, feed.silver.key)
    for model in lake.registry.models.values():
        if model.fresh_within is not None:
            yield _freshness(lake, model, model.fresh_within)
        if model.inventory:
            yield _inventory(model, model.table.key)


def _close(feed: Feed, at: dt.time) -> _Deadline:
    def look(lake: Lake, _: dg.DagsterInstance) -> _Found:
        days = closed_days(lake, feed)
        counts = [dg.TableRecord({"day": str(d.day), "by the close": d.on_time, "later": d.late}) for d in days]
        missing = [day.message for day in days if day.is_missing]
        fine = f"{days[-1].day} is complete" if days else "no day is expected"
        metadata: dict[str, Any] = {"late": sum(day.late for day in days)}
        return _Found(missing, fine, metadata | ({"days": dg.MetadataValue.table(counts)} if counts else {}))

    text = f"something came of each business day before {at:%H:%M} of the next one ({feed.time_zone})"
    cron = f"{at.minute} {at.hour} * * *"
    return _Deadline(feed.landing, "daily_close", text, cron, feed.time_zone, dg.AssetCheckSeverity.ERROR, look)


def _freshness(lake: Lake, model: Model, within: dt.timedelta) -> _Deadline:
    minutes = int(within.total_seconds()) // 60 % (24 * 60)
    cron, zone = f"{minutes % 60} {minutes // 60} * * *", zone_of(dated_feeds(lake.registry, model))

    def look(lake: Lake, _: dg.DagsterInstance) -> _Found:
        return _Found(stale_dates(lake, model), "every date that is due is there, built from the present records")

    text = f"each date is there, and up to date, within {within} after its end ({zone})"
    return _Deadline(model.table.key, "fresh", text, cron, zone, dg.AssetCheckSeverity.ERROR, look)


def _inventory(table: Feed | Model, key: str) -> _Deadline:
    def look(lake: Lake, instance: dg.DagsterInstance) -> _Found:
        held = FeedState.of(lake, table).held if isinstance(table, Feed) else []
        failed = failures.of_table(lake, instance, key)
        lines = [*failed, *(f"{partition}: held by the gate; `lakehouse status` says why" for partition in held)]
        return _Found(lines, "no partition is held, none has failed", {"held": len(held), "failed": len(failed)})

    text = "no partition is held by the gate, and no work on one has failed"
    return _Deadline(key, "inventory", text, _HOURLY, "UTC", dg.AssetCheckSeverity.WARN, look)


def _check(one: _Deadline) -> dg.AssetChecksDefinition:
    @dg.asset_check(asset=one.asset.split("/"), name=one.name, description=one.description)
    def check(context: dg.AssetCheckExecutionContext, lakehouse: LakeResource) -> dg.AssetCheckResult:
        return events.TableCheckResult(**one.evaluated(lakehouse.lake(), context.instance))

    return check


def _schedule(zone: str, due: list[_Deadline]) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"deadlines_{re.sub(r'[^a-z0-9]', '_', zone.lower())}",
        cron_schedule=sorted({one.cron for one in due}),
        execution_timezone=zone,
        job=refresh_job,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Evaluates, without a run: {', '.join(sorted(f'{one.name} of {one.asset}' for one in due))}.",
    )
    def evaluate(context: dg.ScheduleEvaluationContext, lakehouse: LakeResource) -> dg.SkipReason:
        lake, failing, unread = lakehouse.lake(), 0, list[str]()
        for one in due:
            try:
                found = one.evaluated(lake, context.instance)
            except StorageError as error:
                unread.append(f"{one.name} of {one.asset}: {error}")
                continue
            context.instance.report_runless_asset_event(dg.AssetCheckEvaluation(**found))
            failing += not found["passed"]
        if unread:
            raise dg.Failure("\n".join(unread))
        return dg.SkipReason(f"evaluated {counted(len(due), 'check')}; {failing} of them failed")

    return evaluate
