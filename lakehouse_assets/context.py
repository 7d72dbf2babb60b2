"""A lake: its storage, its settings and its declared tables, together. Opening one does no I/O."""

import datetime as dt
import zoneinfo
from collections.abc import Iterable
from dataclasses import dataclass

from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.contracts.partitioning import as_date
from lakehouse_assets.contracts.registry import Registry, registry
from lakehouse_assets.ledger.ledger import TABLE as LEDGER
from lakehouse_assets.ledger.ledger import FeedLedger, Ledger
from lakehouse_assets.settings import Settings, settings
from lakehouse_assets.storage import delta
from lakehouse_assets.storage.stores import Store, store_for


@dataclass(frozen=True)
class Lake:
    """What every step of the pipeline needs to know of where it works."""

    store: Store
    settings: Settings
    registry: Registry

    def ledger_of(self, feed: Feed) -> FeedLedger:
        """Return a feed's ledger as it stands; creates none where nothing was ever ingested."""
        if not delta.exists(self.store, LEDGER.path):
            return FeedLedger(Ledger.nothing())
        return Ledger.load(self.store).of_feed(feed.name)

    def today(self, feed: Feed) -> dt.date:
        """Return the current day in a feed's business time zone."""
        return dt.datetime.now(zoneinfo.ZoneInfo(feed.time_zone)).date()

    def is_outside(self, feed: Feed, partition: str) -> bool:
        """Return whether a partition's date is no business date: before the first one or after today."""
        return partition in self.outside(feed, [partition])

    def outside(self, feed: Feed, partitions: Iterable[str]) -> frozenset[str]:
        """Return the partitions whose dates are no business dates."""
        first, today = self.settings.start_date, self.today(feed)
        dates = ((partition, as_date(partition)) for partition in partitions)
        return frozenset(partition for partition, date in dates if date is not None and not first <= date <= today)


def current() -> Lake:
    """Return the lake that the environment names."""
    return Lake(store_for(settings().root), settings(), registry())
