"""Telling each channel what it does not know yet, from a cursor of its own. Not here: the facts, and the channels.

A cursor lies in Dagster's storage, beside the events that it counts. It goes on after what was told was told, so
each fact is told at least once, and again, with the same id, after a crash in between.
"""

from collections.abc import Sequence

import dagster as dg

from lakehouse_assets.alerts import stream
from lakehouse_assets.alerts.channels import Channel
from lakehouse_assets.alerts.derive import facts_of
from lakehouse_assets.alerts.error_log import ErrorLog
from lakehouse_assets.alerts.facts import Fact
from lakehouse_assets.context import Lake

_LONGEST_ERROR = 300


def tell(
    lake: Lake, instance: dg.DagsterInstance, channels: Sequence[Channel], settled_s: float = stream.SETTLED_S
) -> tuple[list[str], list[str]]:
    """Tell each channel the next page of facts; return what was told and what could not be, a line per channel.

    A channel that is new begins with what happens next, or as far back as it looks.
    """
    told, failed = [], []
    log = next((channel for channel in channels if isinstance(channel, ErrorLog)), None)
    pages: dict[int, tuple[stream.Page, list[Fact]]] = {}
    for channel in channels:
        after = _known(instance, channel)
        if after not in pages:
            page = stream.read(instance, stream.EVENTS_OF_FACTS, after, settled_s)
            pages[after] = page, facts_of(lake, instance, page)
        page, facts = pages[after]
        try:
            facts = facts if log is None or log is channel else _marked(log, facts)
            for first in range(0, len(facts), channel.at_once):
                some = facts[first : first + channel.at_once]
                channel.deliver(some)
                _go_on(instance, channel, some[-1].position)
        except Exception as error:  # noqa: BLE001 - whatever it is, others are told, and this one later
            text = " ".join(f"{type(error).__name__}: {error}".split())[:_LONGEST_ERROR]
            failed.append(f"{channel.name} cannot be told, and is told later ({text})")
            continue
        if page.through != after:
            _go_on(instance, channel, page.through)
        if facts:
            told.append(f"{channel.name}: {len(facts)} facts")
    return told, failed


def _marked(log: ErrorLog, facts: list[Fact]) -> list[Fact]:
    """Return the facts with what the error log knows of them; as they are while it cannot be asked."""
    try:
        return log.marked(facts)
    except Exception:  # noqa: BLE001 - its own delivery says why
        return facts


def _known(instance: dg.DagsterInstance, channel: Channel) -> int:
    """Return the position through which a channel knows everything; for a new one, the end."""
    key, newest = _key(channel), stream.end(instance)
    kept = instance.daemon_cursor_storage.get_cursor_values({key}).get(key)
    if kept is not None and int(kept) <= newest:
        return int(kept)
    # A new channel, or an event log that was emptied and begins anew.
    begin = max(0, newest - channel.looks_back)
    _go_on(instance, channel, begin)
    return begin


def _go_on(instance: dg.DagsterInstance, channel: Channel, position: int) -> None:
    instance.daemon_cursor_storage.set_cursor_values({_key(channel): str(position)})


def _key(channel: Channel) -> str:
    return f"lakehouse/alerts/{channel.name}"
