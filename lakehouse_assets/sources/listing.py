"""Listing landing bit by bit: a page of each feed at a time, for a bounded time, going on where the last one stopped.

Not here: which of the listed objects the ledger lacks.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.sources.landing import key_of
from lakehouse_assets.storage.stores import Stored


@dataclass(frozen=True)
class Page:
    """Some objects of a feed's landing: those that follow a key, in the order of their keys."""

    feed: Feed
    after: str
    objects: list[Stored]


class Listing:
    """One look at landing. The feeds that the last look did not come to are first, whatever the others hold.

    Attributes:
        after: By feed, the last key that was listed of each one that is not at its end; what the next look begins with.
            Empty when every feed came to its end since the first look.
    """

    def __init__(self, lake: Lake, after: Mapping[str, str], clock: Callable[[], float] = time.monotonic) -> None:
        """Begin a look.

        Args:
            after: That of the look before; empty to begin anew.
            clock: Seconds.
        """
        self.after: dict[str, str] = {}
        self._lake, self._before, self._clock = lake, after, clock

    def pages(self) -> Iterator[Page]:
        """Yield a page of each feed until the time is over; the first one has at least an object, if there is any."""
        settings, feeds, before = self._lake.settings, self._lake.registry.feeds, self._before
        until = self._clock() + settings.listing_s
        order = [*(name for name in before if name in feeds), *(name for name in feeds if name not in before)]
        full: dict[str, str] = {}
        for number, name in enumerate(order):
            after = before.get(name, "")
            if number and self._clock() >= until:
                # Outside of `before` are those that came to their end, unless this look is the first.
                if name in before or not before:
                    self.after[name] = after
                continue
            page = Page(feeds[name], after, [])
            start = f"{page.feed.landing}/{after}" if after else ""
            is_cut = False
            for stored in islice(self._lake.store.list(page.feed.landing, start), settings.listing_page):
                page.objects.append(stored)
                if is_cut := self._clock() >= until:
                    break
            if is_cut or len(page.objects) == settings.listing_page:
                full[name] = key_of(page.feed, page.objects[-1])
            yield page
        self.after |= full
