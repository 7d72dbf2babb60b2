"""The queue in Dagster: a sensor that asks for what messages name, an asset that shows the backlog, a check.

All of it is absent unless a queue is configured. Not here: handling messages, and the listing that finds what no
message named.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import dagster as dg

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.wording import counted
from lakehouse_assets.orchestration.events import bullets
from lakehouse_assets.orchestration.pending_runs import INGEST, Work, fingerprints_of, refresh_job
from lakehouse_assets.orchestration.resources import LakeResource
from lakehouse_assets.orchestration.run_requests import ATTEMPTS, is_busy, request_for
from lakehouse_assets.sources import message_batch
from lakehouse_assets.sources.announced import feed_of
from lakehouse_assets.sources.handling import Handling
from lakehouse_assets.sources.queue import Depth, Queue, QueueError
from lakehouse_assets.sources.sqs import SqsQueue
from lakehouse_assets.storage.stores import Stored

QUEUE = dg.AssetKey(["arrivals", "queue"])
CHECK = "messages_handled"
_INTERVAL_S = 3
_SHOWN = 20
_Event = dg.AssetObservation | dg.AssetCheckEvaluation


def queue_of(lake: Lake) -> Queue | None:
    """Return the queue that announces what lands; None without one. Does no I/O."""
    return SqsQueue(lake.settings.queue_url) if lake.settings.queue_url else None


def arrivals(lake: Lake) -> dg.Definitions:
    """Return the definitions of the queue; nothing where none is configured."""
    if not lake.settings.queue_url:
        return dg.Definitions()
    asset = dg.AssetSpec(
        QUEUE,
        group_name="landing",
        kinds={"sqs"},
        description="Messages about landed objects: how many wait, and what came of those that were received.",
        metadata={"queue": dg.MetadataValue.url(lake.settings.queue_url)},
    )
    return dg.Definitions(assets=[asset], asset_checks=[messages_handled], sensors=[queue_sensor])


@dg.asset_check(asset=QUEUE, name=CHECK, description="no message ended in the dead-letter queue")
def messages_handled(lakehouse: LakeResource) -> dg.AssetCheckResult:
    """Ask the queue how many messages nobody could handle."""
    queue = queue_of(lakehouse.lake())
    if queue is None:
        return dg.AssetCheckResult(passed=True, description="no queue is configured")
    try:
        passed, text = _verdict(queue.depth(), [])
    except QueueError as error:
        raise dg.Failure(str(error), allow_retries=False) from None
    return dg.AssetCheckResult(passed=passed, severity=dg.AssetCheckSeverity.WARN, description=text)


@dg.sensor(
    job=refresh_job,
    minimum_interval_seconds=_INTERVAL_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Receives messages about landing and ingests what they name and the ledger lacks.",
)
def queue_sensor(context: dg.SensorEvaluationContext, lakehouse: LakeResource) -> dg.SensorResult:
    """Delete the messages that are done, receive others, and request one run for what the ledger lacks."""
    lake = lakehouse.lake().at_once()
    queue = queue_of(lake)
    if queue is None:
        return dg.SensorResult(skip_reason="no queue is configured")
    before = json.loads(context.cursor or "{}")
    handling = Handling(lake, queue)
    try:
        if is_busy(context.instance, INGEST):
            return _while_busy(handling, before)
        return _handle(context, handling, before)
    except QueueError as error:
        context.log.warning(str(error))
        return dg.SensorResult(skip_reason=str(error), cursor=context.cursor)


def listing_waits(lake: Lake, queue: Queue, listed_at: float, warn: Callable[[str], None]) -> str | None:
    """Return why landing need not be listed now, as messages announce what lands; None to list it.

    Args:
        listed_at: When the last listing of everything ended, in seconds since 1970.
        warn: Told when the queue cannot be asked; then landing is listed as if there were none.
    """
    since, interval = time.time() - listed_at, lake.settings.reconcile_interval_s
    try:
        depth = queue.depth()
    except QueueError as error:
        warn(str(error))
        return None
    if since < interval:
        return f"messages announce what lands; the next listing of everything is in {interval - since:,.0f} s"
    if depth.backlog and since < 2 * interval:
        return f"{counted(depth.backlog, 'message')} waiting; what they name is not listed before"
    return None


def unannounced(found: Mapping[str, Mapping[str, int]]) -> dg.AssetObservation:
    """Return the event that shows what a listing found and no message named.

    Args:
        found: Keys by the path of their landing.
    """
    named = [f"{landing}/{key}" for landing, keys in found.items() for key in keys]
    metadata: dict[str, Any] = {"unannounced": len(named), "found": dg.MetadataValue.md(bullets(named[:_SHOWN]))}
    return dg.AssetObservation(QUEUE, metadata=metadata, description="found by listing; no message named them")


def waiting(objects: Iterable[Stored]) -> dict[str, int]:
    """Return metadata of landed objects that wait for a run of ingest."""
    sizes = [stored.size for stored in objects]
    return {"objects_waiting": len(sizes), "bytes_waiting": sum(sizes)}


def _while_busy(handling: Handling, before: Mapping[str, Any]) -> dg.SensorResult:
    store, after = handling.lake.store, dict(before)
    if time.time() >= before.get("hidden_until", 0) - handling.lake.settings.queue_hidden_s / 2:
        stored = message_batch.load(store)
        batch = handling.hide(stored)
        if batch is not stored:
            message_batch.save(store, batch)
        after["hidden_until"] = batch.hidden_until
    return dg.SensorResult(skip_reason="a run of ingest is under way", cursor=json.dumps(after))


def _handle(context: dg.SensorEvaluationContext, handling: Handling, before: Mapping[str, Any]) -> dg.SensorResult:
    lake, stored = handling.lake, message_batch.load(handling.lake.store)
    left, missing = handling.settle(stored, ATTEMPTS)
    batch, more = handling.receive(handling.hide(left))
    missing |= more
    work = _work(lake, missing)
    answer = request_for(context.instance, work) if work else None
    if isinstance(answer, dg.RunRequest):
        asked = tuple(replace(message, runs=message.runs + 1) for message in batch.messages)
        batch = replace(batch, messages=asked)
    else:
        # What failed too often goes back to the queue, which counts how often it was received.
        handling.returned += batch.paths
        batch = message_batch.batch_of((), (), 0, is_stored=batch.is_stored)
    if batch.messages or stored.is_stored:
        message_batch.save(lake.store, batch)
    for line in _lines(handling):
        context.log.warning(line)
    after = {"hidden_until": batch.hidden_until, "looked_at": before.get("looked_at", 0), "shown": before.get("shown")}
    events = list(_shown(handling, missing.values(), after))
    cursor = json.dumps(after)
    if isinstance(answer, dg.RunRequest):
        return dg.SensorResult(run_requests=[answer], cursor=cursor, asset_events=events)
    why = str(answer.skip_message) if answer else _idle(handling)
    return dg.SensorResult(skip_reason=why, cursor=cursor, asset_events=events)


def _work(lake: Lake, missing: Mapping[str, Stored]) -> Work | None:
    """Return the ingest of what the messages being handled name and the ledger lacks."""
    tables: dict[str, dict[str, int]] = {}
    for path, stored in missing.items():
        if feed := feed_of(lake, path):
            tables.setdefault(feed.landing, {}).update(fingerprints_of(feed, [stored]))
    landed_bytes = sum(stored.size for stored in missing.values())
    return Work(INGEST, tables, {table: {"announced": True} for table in tables}, landed_bytes) if tables else None


def _idle(handling: Handling) -> str:
    if not handling.received:
        return "no message waits"
    return f"{counted(handling.received, 'message')} received; the ledger lacks nothing that they name"


def _lines(handling: Handling) -> Iterator[str]:
    """Yield what somebody should know, for the log of the tick."""
    unknown, returned = handling.unknown, handling.returned
    yield from (f"{line}; it is left for the dead-letter queue" for line in unknown[:_SHOWN])
    yield from (f"{path}: no run could ingest it; its message goes back to the queue" for path in returned[:_SHOWN])
    for lines in (unknown, returned):
        if len(lines) > _SHOWN:
            yield f"and {len(lines) - _SHOWN:,} more"
    yield from (f"{counted(count, 'object')} named in vain: {why}" for why, count in handling.nothing_to_read.items())
    if handling.not_deleted:
        yield f"{counted(handling.not_deleted, 'message')} done and not deleted: what comes back is done again then"


def _shown(handling: Handling, missing: Iterable[Stored], cursor: dict[str, Any]) -> Iterator[_Event]:
    """Yield the events that show the queue, if something happened or the time for a look has come.

    Args:
        missing: What the ledger lacks of what messages name.
        cursor: Of the sensor; what is shown is noted in it.
    """
    due = time.time() - cursor["looked_at"] >= handling.lake.settings.idle_interval_s
    if not (handling.received or handling.recorded or due):
        return
    depth = handling.queue.depth()
    now = [depth.waiting, depth.in_flight, depth.delayed, depth.dead]
    changed = now != cursor["shown"] or handling.received or handling.recorded
    cursor |= {"looked_at": time.time(), "shown": now}
    if not changed:
        return
    passed, text = _verdict(depth, handling.unknown)
    vain = [f"{count:,}: {why}" for why, count in handling.nothing_to_read.items()]
    metadata = {
        "backlog": depth.backlog,
        "waiting": depth.waiting,
        "in_flight": depth.in_flight,
        "dead_letters": "no dead-letter queue" if depth.dead is None else depth.dead,
        **waiting(missing),
        "received": handling.received,
        "recorded": handling.recorded,
        "named_in_vain": dg.MetadataValue.md(bullets(vain)),
        "unknown": dg.MetadataValue.md(bullets(handling.unknown[:_SHOWN])),
        "returned": dg.MetadataValue.md(bullets(handling.returned[:_SHOWN])),
    }
    yield dg.AssetObservation(QUEUE, metadata=metadata)
    yield dg.AssetCheckEvaluation(
        asset_key=QUEUE,
        check_name=CHECK,
        passed=passed,
        severity=dg.AssetCheckSeverity.WARN,
        description=text,
        metadata={"dead_letters": depth.dead or 0, "unknown": len(handling.unknown)},
    )


def _verdict(depth: Depth, unknown: list[str]) -> tuple[bool, str]:
    if depth.dead:
        return False, (
            f"messages in the dead-letter queue: {depth.dead:,}. What they name is found by the next listing; look at "
            "them, mend the cause, then start a redrive or purge that queue."
        )
    if unknown:
        end = "has no dead-letter queue: they come back until they expire" if depth.dead is None else "drops them later"
        return False, f"messages that could not be read: {len(unknown):,}. The queue {end}. The first: {unknown[0]}."
    return True, "every message was handled"
