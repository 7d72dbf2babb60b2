"""Telling each channel what it does not know yet, from a cursor of its own. Not here: the facts, and the channels.

A cursor lies in Dagster's storage, beside the events that it counts. It goes on after what was told was told, so
each fact is told at least once, and again, with the same id, after a crash in between.
"""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from lakehouse_assets.alerts import stream
from lakehouse_assets.alerts.channels import Channel
from lakehouse_assets.alerts.derive import facts_of
from lakehouse_assets.alerts.error_log import ErrorLog
from lakehouse_assets.alerts.facts import Fact
from lakehouse_assets.alerts.figures import Figure, figures_of
from lakehouse_assets.context import Lake

_LONGEST_ERROR = 300


def tell(
    lake: Lake, instance: dg.DagsterInstance, channels: Sequence[Channel], settled_s: float = stream.SETTLED_S
) -> tuple[list[str], list[str]]:
    """Tell each channel the next page of what it takes; return what was told and what could not be, a line per channel.

    A channel that is new begins with what happens next, or as far back as it looks.
    """
    told, failed = [], []
    log = next((channel for channel in channels if isinstance(channel, ErrorLog)), None)
    known: dict[tuple[type, int], tuple[list[Any], int]] = {}
    for channel in channels:
        after = _known(instance, channel)
        try:
            if (channel.takes, after) not in known:
                known[channel.takes, after] = _news(lake, instance, channel.takes, after, settled_s)
            news, through = known[channel.takes, after]
            if channel.takes is Fact and log is not None and log is not channel:
                news = _marked(log, news)
            _deliver(instance, channel, news)
        except Exception as error:  # noqa: BLE001 - whatever it is, others are told, and this one later
            text = " ".join(f"{type(error).__name__}: {error}".split())[:_LONGEST_ERROR]
            failed.append(f"{channel.name} cannot be told, and is told later ({text})")
            continue
        if through != after:
            _go_on(instance, channel, through)
        if news:
            told.append(f"{channel.name}: {len(news)} {channel.takes.__name__.lower()}s")
    return told, failed


def _news(
    lake: Lake, instance: dg.DagsterInstance, takes: type[Fact | Figure], after: int, settled_s: float
) -> tuple[list[Any], int]:
    """Return what happened after a position, and the position through which everything is read."""
    page = stream.read(
        instance, stream.EVENTS_OF_FACTS if takes is Fact else stream.EVENTS_OF_FIGURES, after, settled_s
    )
    derive = facts_of if takes is Fact else figures_of
    return list(derive(lake, instance, page)), page.through


def _deliver(instance: dg.DagsterInstance, channel: Channel, news: Sequence[Any]) -> None:
    """Tell as much at once as the channel takes, and let its cursor go on after each time."""
    for first in range(0, len(news), channel.at_once):
        some, rest = news[first : first + channel.at_once], news[first + channel.at_once :]
        channel.deliver(some)
        position = some[-1].position
        # What is left of the same event is told again with the rest, if that fails.
        _go_on(instance, channel, position - 1 if rest and rest[0].position == position else position)


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
