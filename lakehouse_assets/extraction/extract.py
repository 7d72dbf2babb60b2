"""One extraction: the pages of a feed's API land one after the other, each once its place is certain.

Nothing is kept but what landed. An extraction that is killed is gone on with by the next one. What was read to its end
says from when on the next one asks for changes. Not here: requests, pages, and the keys under which they land.
"""

import datetime as dt
from dataclasses import dataclass

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import ContractError, Feed, Json
from lakehouse_assets.contracts.rest_api import Pages, RestApi
from lakehouse_assets.extraction import paging, passes
from lakehouse_assets.extraction.client import Client
from lakehouse_assets.extraction.paging import Answer, CutError, ExtractionError, MovedError, Question, RefusedError

_PASSES = 5


@dataclass
class Extracted:
    """What an extraction did.

    Attributes:
        since: From when on it asked for changes; None for everything.
        passes: How often it began with the first page; 0 where it only went on.
        resumed_at: The pages that had landed before it was killed.
    """

    since: dt.datetime | None
    pages: int = 0
    records: int = 0
    bytes: int = 0
    requests: int = 0
    passes: int = 0
    resumed_at: int = 0

    @property
    def message(self) -> str:
        """The outcome in words."""
        since = "everything" if self.since is None else f"what changed since {self.since:%Y-%m-%d %H:%M:%S} UTC"
        before = f" after {self.resumed_at:,} that had landed before" if self.resumed_at else ""
        return f"asked for {since}: pages landed{before}: {self.pages:,}, records: {self.records:,}."

    @property
    def shown(self) -> dict[str, str | int]:
        """The same, by name."""
        return {
            "changed since": str(self.since or "ever"),
            "pages": self.pages,
            "records": self.records,
            "bytes": self.bytes,
            "requests": self.requests,
            "pages landed before": self.resumed_at,
            "readings from the first page": self.passes,
        }


def api_of(lake: Lake, feed: Feed) -> tuple[RestApi, str]:
    """Return a feed's API, and its address.

    Raises:
        ContractError: The feed declares none, or one below an address that is not set.
    """
    if not isinstance(feed.extract, RestApi):
        msg = f"feed {feed.name!r} has no API. Nothing was extracted; declare extract=RestApi(...), or land files."
        raise ContractError(msg)
    if feed.extract.url.startswith("/") and not lake.settings.api_url:
        msg = f"the API of the feed {feed.name!r} has no address. Nothing was extracted; set LAKEHOUSE_API_URL."
        raise ContractError(msg)
    return feed.extract, (lake.settings.api_url if feed.extract.url.startswith("/") else "") + feed.extract.url


def extract(lake: Lake, feed: Feed, *, full: bool = False) -> Extracted:
    """Land what the API has; only what changed, where the declaration says how to ask for that.

    Args:
        full: Ask for everything.

    Raises:
        ContractError: There is no API to ask.
        ExtractionError: The API refused or failed, or its records never stood still.
    """
    api, url = api_of(lake, feed)
    complete, unfinished = passes.left(lake.store, feed)
    since = None
    if not full and api.since is not None and complete is not None:
        since = (complete.started - api.since.overlap).replace(microsecond=0)  # as the key of a page has it
    done = Extracted(since)
    records = feed.format.records if isinstance(feed.format, Json) else None
    with Client(api, records, lake.settings.max_source_bytes) as client:
        reading = _Reading(lake, feed, api, client, records, done)
        try:
            if unfinished is not None and unfinished[0].since == since and reading.go_on(url, *unfinished):
                return done
            for _ in range(_PASSES):
                done.passes += 1
                if reading.whole(paging.first(api, url, since)):
                    return done
        finally:
            done.requests = client.requests
    msg = (
        f"{url}: records moved from page to page while they were read, {_PASSES} times. What was read has landed, and "
        f"the next extraction begins again; ask the API for pages by cursor, or extract {feed.name} when it is quiet."
    )
    raise ExtractionError(msg)


@dataclass(frozen=True)
class _Reading:
    """Reads pages into landing, and counts them."""

    lake: Lake
    feed: Feed
    api: RestApi
    client: Client
    records: str | None
    done: Extracted

    def whole(self, first: Question) -> bool:
        """Read everything from the first page on; return whether nothing moved meanwhile."""
        answer = self.client.ask(first)
        # A clock that was ahead once would hide what changes until then: of the two, the earlier one loses nothing.
        started = min(answer.at, dt.datetime.now(dt.UTC))
        into = passes.begun(self.feed, started, self.done.since)
        try:
            self._rest(into, answer, self._land(into, answer))
        except MovedError:
            return False
        return True

    def go_on(self, url: str, into: passes.Pass, page: passes.Page) -> bool:
        """Read what comes after the newest page of a pass that was killed; return whether that could be done."""
        if not paging.can_resume(self.api):
            return False
        first = paging.first(self.api, url, into.since)
        try:
            body = self.lake.store.read(page.path)
            landed = paging.landed(self.api, first, page.number, page.before, body, self.records)
            self._rest(into, landed, paging.following(self.api, landed))
        except (MovedError, CutError, RefusedError):
            return False  # the place is gone: records moved, its cursor expired, or the page was changed by `forget`
        self.done.resumed_at = page.number + 1
        return True

    def _identity(self, record: object) -> object:
        """Return by what a record is known wherever it stands: its key; without one, all of it."""
        ids = self.feed.key or (() if isinstance(self.feed.duplicates, str) else self.feed.duplicates)
        sources = [self.feed.sources[name] for name in ids if name in self.feed.sources]
        found = [next((v for h in s.headers if (v := paging.value_at(record, h)) is not None), None) for s in sources]
        return found if found and None not in found else record

    def _rest(self, into: passes.Pass, previous: Answer, asked: Question | None) -> None:
        """Land the pages after one, each once it is certain that nothing moved before it."""
        known = set[tuple[str, ...]]()
        while asked is not None:
            place = asked.url, *asked.params.values()
            if place in known:
                msg = (
                    f"{asked.shown}: page {asked.number:,} names one as the next that was read already. What came "
                    "before has landed; correct pages of the declaration, or ask the API's owner."
                )
                raise ExtractionError(msg)
            known.add(place)
            answer = self.client.ask(asked)
            paging.check_place(previous, answer, self._identity)
            if isinstance(self.api.pages, Pages):
                paging.check_still(previous, self.client.ask(previous.question), self._identity)
            previous, asked = answer, self._land(into, answer)

    def _land(self, into: passes.Pass, answer: Answer) -> Question | None:
        """Land a page; return the request for the one after it."""
        following = paging.following(self.api, answer)
        if following is None:
            paging.check_total(self.api, answer)
        path = into.path(answer, is_last=following is None)
        if not self.lake.store.create(path, answer.body) and self.lake.store.read(path) != answer.body:
            raise MovedError  # another extraction goes on with the same pass, and saw other records
        self.done.pages += 1
        self.done.records += len(answer.records) - answer.question.repeats
        self.done.bytes += len(answer.body)
        return following
