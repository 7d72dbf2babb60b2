"""A lake: its storage, its settings and its declared tables, together. Opening one does no I/O."""

import datetime as dt
import zoneinfo
from collections.abc import Iterable
from dataclasses import dataclass, replace

from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.contracts.partitioning import as_date
from lakehouse_assets.contracts.registry import Registry, registry
from lakehouse_assets.decisions.recorded import FOLDER as DECISIONS
from lakehouse_assets.decisions.recorded import Decisions
from lakehouse_assets.engines.spark_models import Translatable
from lakehouse_assets.ledger.ledger import FeedLedger, ledger_of
from lakehouse_assets.settings import Settings, SettingsError, settings
from lakehouse_assets.storage.snapshot import Snapshot
from lakehouse_assets.storage.stores import Store, store_for


@dataclass(frozen=True)
class Lake:
    """What every step of the pipeline needs to know of where it works."""

    store: Store
    settings: Settings
    registry: Registry

    def ledger_of(self, feed: Feed) -> FeedLedger:
        """Return a feed's ledger as it stands; creates none where nothing was ever ingested."""
        return ledger_of(self.store, feed.name)

    def counting(self, feed: Feed) -> FeedLedger:
        """Return a feed's ledger as it stands, in which the landed objects that people retracted do not count."""
        return self.ledger_of(feed).without(Decisions.load(self.store, feed.name).retracted)

    def at_once(self) -> "Lake":
        """Return the lake for one answer about it as it stands: each object is looked at once."""
        return replace(self, store=Snapshot(self.store, frozenset({DECISIONS})))

    def today(self, feed: Feed) -> dt.date:
        """Return the current day in a feed's business time zone."""
        return dt.datetime.now(zoneinfo.ZoneInfo(feed.time_zone)).date()

    def is_outside(self, feed: Feed, partition: str) -> bool:
        """Return whether a partition's date is no business date: before the first one or after today."""
        return partition in self.outside(feed, [partition])

    def outside(self, feed: Feed, partitions: Iterable[str]) -> frozenset[str]:
        """Return the partitions whose dates are no business dates."""
        today = self.today(feed)
        dates = ((partition, as_date(partition)) for partition in partitions)
        return frozenset(part for part, date in dates if date is not None and not feed.start_date <= date <= today)


def current() -> Lake:
    """Return the lake that the environment names."""
    return lake_at(settings().root)


def lake_at(root: str) -> Lake:
    """Return the lake at a root, with the other settings of the environment.

    Raises:
        SettingsError: A variable holds a value that cannot be used, or another one than the declarations.
    """
    own = settings().model_copy(update={"root": root})
    lake = Lake(store_for(root), own, registry(Translatable(everything=bool(own.spark and own.spark_above_bytes))))
    given = lake.settings.start_date
    feeds = (feed for feed in lake.registry.feeds.values() if feed.business_date is not None)
    if given is not None and (other := next((feed for feed in feeds if feed.start_date != given), None)):
        msg = (
            f"LAKEHOUSE_START_DATE={given}: the first business date no longer depends on a variable; that of the feed "
            f"{other.name!r} is {other.start_date}. Nothing was read or written; put "
            f"start_date=dt.date({given.year}, {given.month}, {given.day}) into its declaration if that is meant, "
            "or unset the variable."
        )
        raise SettingsError(msg)
    return lake
