"""What is known of the contents of source objects before they are read. Not here: reading them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.erasure.protocol import Erasures
from lakehouse_assets.ledger.ledger import FeedLedger
from lakehouse_assets.ledger.readings import Reading
from lakehouse_assets.pipeline.bronze_writing import is_counted
from lakehouse_assets.pipeline.rows import Rows


@dataclass(frozen=True)
class Known:
    """What the ledger knows of contents, but those from which people were erased.

    Attributes:
        force: A person asked to read what is known again: its bronze files may be damaged.
        is_read_again: The object has to be read whatever is known of it.
        unsearched: Why erased people cannot be taken out of the source object; None when they can.
        new: Records of contents that the ledger does not know, read already, by hash and partition.
        packed: The names of the bronze files of those whose records lie in packs already.
    """

    ledger: FeedLedger
    feed: Feed
    erasures: Erasures
    force: bool = False
    is_read_again: bool = False
    unsearched: str | None = None
    new: Mapping[str, Mapping[str, Rows]] = field(default_factory=dict)
    packed: Mapping[str, str] = field(default_factory=dict)

    def reading(self, source_hash: str) -> Reading | None:
        """Return how a content that was read as the contract now says lies in bronze; None for one to be read."""
        if self.force or self.is_read_again or self.erasures.has_replaced(source_hash):
            return None
        return self._read_as_now(source_hash)

    def damaged(self, source_hash: str, parts: Mapping[str, Rows]) -> Reading | None:
        """Return how a content lies in bronze whose files a person asked to write again where they are.

        None for one that has other records than the ledger knows: they go beside the old ones.
        """
        if not self.force or self.erasures.has_replaced(source_hash):
            return None
        reading = self._read_as_now(source_hash)
        return reading if reading and is_counted(parts, reading) else None

    def _read_as_now(self, source_hash: str) -> Reading | None:
        known = self.ledger.readings(source_hash)
        return next((r for r in known if r.is_read_as(self.feed.reading_version, self.feed.version)), None)
