"""Object versions for tests, recorded in a ledger, and what it then says of them. Not here: the tests."""

from collections.abc import Sequence

import polars as pl

from lakehouse_assets.ledger.ledger import Entry, FeedLedger, Ledger, ObjectVersion
from lakehouse_assets.storage.stores import Store

Members = dict[str, str | None]
"""Source key to content, None for a rejected one. A content is a word of letters: each letter a row of that day."""


def entry_of(key: str, content: str | None) -> Entry:
    if content is None:
        return Entry(key, None, {}, "it cannot be read")
    return Entry(key, f"hash-{content}", parts(content))


def parts(content: str) -> dict[str, int]:
    return {f"2011-03-{ord(letter) - ord('a') + 1:02}": content.count(letter) for letter in sorted(set(content))}


def version_of(key: str, content: str | Members | None, feed: str = "sales", contract: str = "c1") -> ObjectVersion:
    members = content if isinstance(content, dict) else {key: content}
    entries = tuple(entry_of(source, inside) for source, inside in members.items())
    return ObjectVersion(feed, key, f"token-{content}", 10, contract, entries)


def recorded(store: Store, *batches: Sequence[ObjectVersion]) -> FeedLedger:
    for number, batch in enumerate(batches):
        ledger = Ledger.load(store)
        ledger.of_feed("sales").live  # noqa: B018 - so that what follows is computed from it, and not anew
        ledger.append(batch, f"run-{number}")
    return Ledger.load(store).of_feed("sales")


def live(ledger: FeedLedger) -> set[tuple[str, str, str, int]]:
    """What is live as (part, content, source key, rows)."""
    return set(
        ledger.live.select("part", pl.col("source_hash").str.strip_prefix("hash-"), "source_key", "rows").iter_rows()
    )


def states(ledger: FeedLedger) -> list[tuple[int, str, str]]:
    return sorted(set(ledger.shown.select("version", "source_key", "state").iter_rows()))
