"""What earlier extractions left in landing: the key of a page says all that the next extraction has to know.

`landing/customers/api/2026-11/22T065012Z-since-20261121T064012Z-1f0c9a3e/000002-000000200-last.json` is the third page
of a pass that began on 22 November by the API's clock, asked for what changed since the 21st, and was read to its
end; 200 records came before it. A pass without a last page was killed, or given up. Not here: making passes.
"""

import datetime as dt
import itertools
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.extraction.paging import Answer
from lakehouse_assets.storage.stores import Store

_PASS = re.compile(r"/(\d{4}-\d{2}/\d{2}T\d{6}Z)-(?:full|since-(\d{8}T\d{6}Z))-[0-9a-f]{8}$")
_PAGE = re.compile(r"(\d{6})-(\d{9})(-last)?\.json")


@dataclass(frozen=True)
class Pass:
    """One reading of an API from its first page on.

    Attributes:
        folder: Where its pages land.
        started: By the API's clock; whatever changes later has a later time stamp.
        since: From when on changes were asked for; None for everything.
    """

    folder: str
    started: dt.datetime
    since: dt.datetime | None

    def path(self, answer: Answer, *, is_last: bool) -> str:
        """Return where a page of it lands."""
        asked = answer.question
        return f"{self.folder}/{asked.number:06}-{asked.before:09}{'-last' if is_last else ''}.json"


@dataclass(frozen=True)
class Page:
    """A page that landed: where, and its place."""

    path: str
    number: int
    before: int
    is_last: bool


def begun(feed: Feed, started: dt.datetime, since: dt.datetime | None) -> Pass:
    """Return a pass that begins now."""
    asked = "full" if since is None else f"since-{since:%Y%m%dT%H%M%SZ}"
    name = f"{started:%Y-%m/%dT%H%M%SZ}-{asked}-{uuid.uuid4().hex[:8]}"
    return Pass(f"{_folder(feed)}/{name}", started, since)


def left(store: Store, feed: Feed) -> tuple[Pass | None, tuple[Pass, Page] | None]:
    """Return the newest pass that was read to its end, and the newest one after it, with its newest page.

    Asks the storage about the newest passes only, whatever the age of the lake.
    """
    unfinished = None
    for found in _newest_first(store, feed):
        newest = _newest_page(store, found)
        if newest is not None and newest.is_last:
            return found, unfinished
        if newest is not None and unfinished is None:
            unfinished = found, newest
    return None, unfinished


def _newest_first(store: Store, feed: Feed) -> Iterator[Pass]:
    for month in sorted(store.folders(_folder(feed)), reverse=True):
        for folder in sorted(store.folders(month), reverse=True):
            if parts := _PASS.search(folder):
                started = dt.datetime.strptime(parts[1], "%Y-%m/%dT%H%M%S%z")
                since = dt.datetime.strptime(parts[2], "%Y%m%dT%H%M%S%z") if parts[2] else None
                yield Pass(folder, started, since)


def _newest_page(store: Store, found: Pass) -> Page | None:
    names = (stored.path.rpartition("/")[2] for stored in store.list(found.folder))
    known = (parts for name in names if (parts := _PAGE.fullmatch(name)))
    pages = [Page(f"{found.folder}/{p[0]}", int(p[1]), int(p[2]), p[3] is not None) for p in known]
    # A page that is missing between two others was removed: what comes after it does not follow from what is there.
    whole = itertools.takewhile(lambda at_page: at_page[0] == at_page[1].number, enumerate(pages))
    return max((page for _, page in whole), key=lambda page: page.number, default=None)


def _folder(feed: Feed) -> str:
    return f"{feed.landing}/api"
