"""Sensors and the daily sweep: what makes landed files reach gold without a click.

Each tick compares fingerprints, so nothing depends on having seen an event; see docs/adr for why Dagster's
automation conditions are not used. Not here: what is pending, and the work itself.
"""

import datetime as dt
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.wording import counted
from lakehouse_assets.orchestration.arrivals import listing_waits, queue_of, unannounced, waiting
from lakehouse_assets.orchestration.follow_up import ASKS_FOR_TABLES
from lakehouse_assets.orchestration.instance import close_dead_runs
from lakehouse_assets.orchestration.parallel_tasks import shares
from lakehouse_assets.orchestration.pending_runs import (
    CATALOG,
    INGEST,
    Work,
    catalog_work,
    fingerprints_of,
    landed_work,
    refresh_job,
    table_work,
)
from lakehouse_assets.orchestration.resources import LakeResource
from lakehouse_assets.orchestration.run_requests import is_busy, is_followed, request_for
from lakehouse_assets.sources.landing import key_of, pending_among
from lakehouse_assets.sources.listing import Listing

# The daemon looks every five seconds: at that same interval, every second look would come a moment too early.
_INTERVAL_S = 3
# Catalogs come last. Where something else is always pending, or a table fails for days, they would never come.
_CATALOGS_WAIT_S = 300


def _may_rest(instance: dg.DagsterInstance, lake: Lake, cursor: Mapping[str, Any]) -> bool:
    """Return whether another look at a lake on S3, where each one costs money, can wait.

    It can for a while after a look that led to no run, unless a run went on since.
    """
    at = cursor.get("idle_at")
    if not lake.settings.is_s3 or at is None or time.time() - at >= lake.settings.idle_interval_s:
        return False
    return not instance.get_runs_count(dg.RunsFilter(updated_after=dt.datetime.fromtimestamp(at, dt.UTC)))


def _resting(cursor: str | None) -> dg.SensorResult:
    return dg.SensorResult(skip_reason="nothing happened since the last look; the next one is soon", cursor=cursor)


def _answer(
    instance: dg.DagsterInstance,
    works: list[Work],
    looked_at: float,
    idle: str,
    noted: Mapping[str, Any] | None = None,
    events: Sequence[dg.AssetObservation] = (),
) -> dg.SensorResult:
    """Return the requests for some works.

    Args:
        looked_at: When, in seconds since 1970.
        idle: What to say when there is no work.
        noted: What the cursor holds besides.
        events: What to show with a request.
    """
    answers = [request_for(instance, work) for work in works]
    requests = [answer for answer in answers if isinstance(answer, dg.RunRequest)]
    cursor = json.dumps({**(noted or {}), "idle_at": None if requests else looked_at})
    if requests:
        return dg.SensorResult(run_requests=requests, cursor=cursor, asset_events=events)
    reasons = [str(answer.skip_message) for answer in answers if isinstance(answer, dg.SkipReason)]
    return dg.SensorResult(skip_reason="; ".join(reasons) or idle, cursor=cursor)


@dg.sensor(
    job=refresh_job,
    minimum_interval_seconds=_INTERVAL_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Lists a page of each feed's landing and ingests what the ledger lacks; with a queue, now and then.",
)
def landing_sensor(context: dg.SensorEvaluationContext, lakehouse: LakeResource) -> dg.SensorResult:
    """Look at the next page of each feed, for some seconds; compare with the ledger, not with times."""
    if is_busy(context.instance, INGEST):
        return dg.SensorResult(skip_reason="a run of ingest is under way", cursor=context.cursor)
    lake, before, now = lakehouse.lake().at_once(), json.loads(context.cursor or "{}"), time.time()
    if _may_rest(context.instance, lake, before):
        return _resting(context.cursor)
    queue, listed_at = queue_of(lake), before.get("listed_at", 0)
    if queue and not before.get("after") and (why := listing_waits(lake, queue, listed_at, context.log.warning)):
        return dg.SensorResult(skip_reason=why, cursor=json.dumps({**before, "idle_at": now}))
    tables, config, landed_bytes, shown = {}, {}, 0, []
    listing = Listing(lake, before.get("after", {}))
    for page in listing.pages():
        feed = page.feed
        landed = list(pending_among(lake, feed, lake.ledger_of(feed), page.objects))
        landed_bytes += sum(stored.size for stored in landed)
        if found := fingerprints_of(feed, landed):
            tables[feed.landing] = found
            config[feed.landing] = {"after": page.after, "through": key_of(feed, page.objects[-1])}
            shown.append(dg.AssetObservation(feed.landing.split("/"), metadata=waiting(landed)))
    works = [Work(INGEST, tables, config, landed_bytes)] if tables else []
    noted = {"after": listing.after, "listed_at": listed_at if listing.after else now}
    shown += [unannounced(tables)] if queue else []
    return _answer(context.instance, works, now, "landing holds nothing new", noted, shown)


@dg.sensor(
    job=refresh_job,
    minimum_interval_seconds=_INTERVAL_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    tags=ASKS_FOR_TABLES,
    description="Publishes and builds exactly the dates whose inputs changed, and closes runs of dead processes.",
)
def tables_sensor(context: dg.SensorEvaluationContext, lakehouse: LakeResource) -> dg.SensorResult:
    """Compare the fingerprints of inputs with the published ones; request a run per wave that has work."""
    closed = close_dead_runs(context.instance)
    if closed:
        context.log.warning(f"closed {counted(len(closed), 'run')} whose process is dead: {', '.join(closed)}")
    lake, before, now = lakehouse.lake(), json.loads(context.cursor or "{}"), time.time()
    if _may_rest(context.instance, lake, before):
        return _resting(context.cursor)
    is_left, asked_at = not is_followed(context.instance), before.get("catalogs_at", now)
    works = table_work(lake) if is_left else []
    works = [share for work in works for share in shares(context.instance, lake, work)]
    if is_left and all(work.wave == CATALOG for work in works):
        asked_at = now
    elif now - asked_at >= _CATALOGS_WAIT_S:
        works, asked_at = works + catalog_work(lake.at_once()), now
    idle = "every table is up to date" if is_left else "a run of ingest goes on with the tables"
    return _answer(context.instance, works, now, idle, {"catalogs_at": asked_at})


@dg.schedule(
    cron_schedule="15 3 * * *",
    job=refresh_job,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Once a day: everything pending, all of landing listed, what had failed too often tried anew.",
)
def daily_sweep(
    context: dg.ScheduleEvaluationContext, lakehouse: LakeResource
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Request whatever is pending, with a fresh count of attempts."""
    lake = lakehouse.lake()
    sweep = f"-{(context.scheduled_execution_time or dt.datetime.now(dt.UTC)):%Y%m%d}"
    landed = landed_work(lake)
    works = ([landed] if landed else []) + table_work(lake)
    answers = [request_for(context.instance, work, sweep) for work in works]
    requests = [answer for answer in answers if isinstance(answer, dg.RunRequest)]
    if requests:
        yield from requests
    else:
        yield dg.SkipReason("nothing is pending, or it is under way")
