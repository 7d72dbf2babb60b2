"""One feed's part of a ledger of many entries: only those are read that a question is about, unless it is about all."""

import datetime as dt
from collections.abc import Iterable

import polars as pl

from lakehouse_assets.ledger.entries import HELD, REJECTED
from lakehouse_assets.ledger.readings import Reading, Readings
from lakehouse_assets.ledger.selection import Selection
from lakehouse_assets.ledger.standing import live, state_without
from lakehouse_assets.ledger.state import FeedLedger
from lakehouse_assets.ledger.summary import Summary

_LOOKS = 1_000


class LargeFeedLedger(FeedLedger):
    """A feed's ledger that answers from a selection of its entries, and from the summary of all."""

    def __init__(self, selection: Selection, summary: Summary | None = None) -> None:
        super().__init__(selection.entries, selection.rows, summary)
        self._selection, self._looks = selection, 0

    @property
    def object_keys(self) -> pl.Series:
        """Every object key that was ever recorded."""
        return super().object_keys if self.is_read else self._selection.keys

    @property
    def last_version(self) -> int:
        """The number of the version that was recorded last; 0 without any."""
        return super().last_version if self.is_read else self._selection.last_version

    def live_of(self, partitions: Iterable[str]) -> pl.DataFrame:
        """Return what is live in some partitions, as `live` does."""
        wanted = pl.Series(list(partitions), dtype=pl.String)
        if not self.is_read:
            touching = self._of_keys(self._selection.keys_of_partitions(wanted))
            contents = touching.filter(pl.col("part").is_in(wanted.implode()))["source_hash"]
            return self.live_of_contents(contents).filter(pl.col("part").is_in(wanted.implode()))
        return super().live_of(wanted)

    def live_of_contents(self, contents: pl.Series) -> pl.DataFrame:
        """Return what is live of some contents, as `live` does."""
        return super().live_of_contents(contents) if self.is_read else self._live_alone(contents)

    def readings(self, source_hash: str) -> list[Reading]:
        """Return the ways in which a content was ever read without being refused, the last one first."""
        if self.is_read:
            return super().readings(source_hash)
        keys = self._selection.keys_of_contents(pl.Series([source_hash]))
        return Readings(self._of_keys(keys)).of(source_hash) if keys.len() else []

    def seen(self, contents: pl.Series) -> set[str]:
        """Return which of some contents were ever recorded, also those that were refused."""
        if self.is_read:
            return super().seen(contents)
        # Of objects with other contents, too: then these are among those asked for, or do not matter.
        return set(self._of_keys(self._selection.keys_of_contents(contents))["source_hash"].drop_nulls())

    def extended(self, later: pl.DataFrame, rows: pl.LazyFrame) -> FeedLedger:
        """Return the ledger with later entries. Only what they touch is computed anew."""
        if self.is_read:
            return super().extended(later, rows)
        return self._following(self._selection.extended(rows, later), later)

    def _retracted(self, retracted: frozenset[tuple[str, str]]) -> FeedLedger:
        if self.is_read:
            return super()._retracted(retracted)
        state, keys = state_without(retracted), pl.Series([key for key, _ in sorted(retracted)], dtype=pl.String)
        selection = self._selection.extended(self._selection.rows.with_columns(state), self._of_keys(keys).clear())
        return self._following(selection, self._of_keys(keys))

    def _of_keys(self, keys: pl.Series) -> pl.DataFrame:
        self._looks += 1
        # After many looks, reading all entries costs less than as many more.
        return super()._of_keys(keys) if self.is_read or self._looks > _LOOKS else self._selection.of_keys(keys)

    def _live_alone(self, contents: pl.Series) -> pl.DataFrame:
        bearing = self._of_keys(self._selection.keys_of_contents(contents))
        return live(bearing).filter(pl.col("source_hash").is_in(contents.implode()))

    def _keys_of_partitions(self, partitions: pl.Series) -> pl.Series:
        return (
            super()._keys_of_partitions(partitions) if self.is_read else self._selection.keys_of_partitions(partitions)
        )

    def _refused_objects(self) -> pl.DataFrame:
        if self.is_read:
            return super()._refused_objects()
        return self._of_keys(self._selection.keys_where(pl.col("state").is_in([REJECTED, HELD])))

    def _following(self, selection: Selection, changed: pl.DataFrame) -> "LargeFeedLedger":
        """Return a ledger that differs from this one in some entries; its summary follows from this one's."""
        whole = LargeFeedLedger(selection)
        keys = changed["object_key"]
        before, after = self._changed(whole, keys)
        if self._summary is not None:
            partitions = dict.fromkeys(changed["part"].drop_nulls(), 0) | self._summary.partitions
            for sign, rows in ((-1, before), (1, after)):
                for partition, count in rows.group_by("part").agg(pl.col("rows").sum()).iter_rows():
                    partitions[partition] += sign * count
            whole._summary = Summary(
                partitions=dict(sorted(partitions.items())),
                fingerprints=whole.fingerprints,
                is_accepted=whole.refused.is_empty(),
                updated=_later(self._summary.updated, changed["ingested_at"].max()),
                landed_bytes=self._summary.landed_bytes + selection.bytes_of(keys) - self._selection.bytes_of(keys),
            )
        return whole


def _later(before: str | None, at: object) -> str | None:
    if not isinstance(at, dt.datetime) or (before is not None and dt.datetime.fromisoformat(before) >= at):
        return before
    return at.isoformat()
