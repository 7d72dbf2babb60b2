"""Landed objects that messages name: where they belong, and which of them the ledger lacks.

A message is a hint: what it says of an object only saves a look at it. Nothing is listed. Not here: the queue.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.ledger.ledger import FeedLedger
from lakehouse_assets.sources import manifest
from lakehouse_assets.sources.landing import key_of, pending_among
from lakehouse_assets.sources.s3_events import ObjectEvent
from lakehouse_assets.storage.s3 import is_hidden
from lakehouse_assets.storage.stores import Stored

_LOOKS_AT_ONCE = 16


class NothingToReadError(Exception):
    """What an event names will never be in the ledger because of this event; the text says why, in some words."""


def path_of(lake: Lake, event: ObjectEvent) -> str:
    """Return the path in the lake of the landed object that an event names.

    Raises:
        NothingToReadError: There is nothing to read.
    """
    bucket, _, prefix = lake.settings.root.removeprefix("s3://").partition("/")
    if event.bucket != bucket:
        msg = "it is in another bucket"
        raise NothingToReadError(msg)
    path = event.key.removeprefix(f"{prefix}/" if prefix else "")
    if prefix and path == event.key:
        msg = "it is outside of the lake's root"
        raise NothingToReadError(msg)
    if feed_of(lake, path) is None:
        msg = "no feed has its landing there"
        raise NothingToReadError(msg)
    if path.endswith("/") or is_hidden(path):
        msg = "its key is reserved: hidden, or a folder"
        raise NothingToReadError(msg)
    if event.kind == "removed":
        msg = "it was removed, which changes nothing"
        raise NothingToReadError(msg)
    if event.kind == "other":
        msg = "its bytes are as they were"
        raise NothingToReadError(msg)
    return path


def feed_of(lake: Lake, path: str) -> Feed | None:
    """Return the feed in whose landing a path lies."""
    layer, _, rest = path.partition("/")
    name, slash, _ = rest.partition("/")
    feed = lake.registry.feeds.get(name) if slash else None
    return feed if feed is not None and feed.landing == f"{layer}/{name}" else None


def lacking(lake: Lake, told: Iterable[Stored], *, look: bool) -> dict[str, Stored]:
    """Return the landed objects, by path, that the ledger lacks of some that messages tell of.

    An object whose manifest was told of is one of them.

    Args:
        told: As the messages describe them.
        look: Look at each one that seems to be lacking, instead of only at those of which the ledger knows a version.
    """
    by_feed: dict[str, list[Stored]] = {}
    for stored in told:
        if feed := feed_of(lake, stored.path):
            by_feed.setdefault(feed.name, []).append(stored)
    found: dict[str, Stored] = {}
    for name, objects in by_feed.items():
        feed = lake.registry.feed(name)
        ledger = lake.ledger_of(feed)
        seem = list(pending_among(lake, feed, ledger, objects))
        known = ledger.known_among(key_of(feed, stored) for stored in seem)
        doubtful = {stored.path for stored in seem if look or key_of(feed, stored) in known}
        # An object can be lacking because of its manifest alone.
        with_manifests = [*doubtful, *(s.path for s in objects if doubtful and manifest.is_manifest(s.path))]
        found |= {stored.path: stored for stored in seem if stored.path not in doubtful}
        there = pending_among(lake, feed, ledger, _looked_at(lake, with_manifests))
        found |= {stored.path: stored for stored in there}
    return found


def waits(paths: Iterable[str], lacking: Iterable[str]) -> set[str]:
    """Return which of some paths still wait: the objects that the ledger lacks, and the manifests of such objects."""
    waiting = {name for path in lacking for name in (path, *manifest.paths(path))}
    return waiting.intersection(paths)


def pending_at(lake: Lake, feed: Feed, ledger: FeedLedger, paths: Sequence[str]) -> Iterator[Stored]:
    """Yield the objects at some paths that are there and that the ledger lacks, in the order of a listing."""
    mine = [path for path in sorted(set(paths)) if feed_of(lake, path) is feed]
    return pending_among(lake, feed, ledger, _looked_at(lake, mine))


def _looked_at(lake: Lake, paths: Sequence[str]) -> Iterator[Stored]:
    """Yield the objects that there are at some paths, looked at together."""
    rest = iter(paths)
    with ThreadPoolExecutor(_LOOKS_AT_ONCE) as pool:
        while some := list(itertools.islice(rest, 10 * _LOOKS_AT_ONCE)):
            yield from (stored for stored in pool.map(lake.store.stat, some) if stored is not None)
