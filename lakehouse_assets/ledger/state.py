"""One feed's part of the ledger: what is live, what was seen. Writes nothing."""

import datetime as dt
from collections.abc import Callable, Iterable
from functools import cached_property

import polars as pl

from lakehouse_assets.ledger import deliveries, landing_order, standing
from lakehouse_assets.ledger.entries import ACCEPTED, HELD, REJECTED, SCHEMA
from lakehouse_assets.ledger.readings import Reading, Readings
from lakehouse_assets.ledger.standing import KnownVersion, accepted, is_in, known_versions, latest, live, state_without
from lakehouse_assets.ledger.summary import Summary


class FeedLedger:
    """One feed's entries, and what follows from them. Entries are read when something asks for them.

    Attributes:
        fingerprints: What the pipeline keeps here of each partition while it stays as it is, by contract version.
    """

    def __init__(
        self,
        entries: pl.DataFrame | Callable[[], pl.DataFrame],
        rows: pl.LazyFrame | None = None,
        summary: Summary | None = None,
    ) -> None:
        self._entries, self._rows, self._summary = entries, rows, summary
        self._landings: dict[tuple[str | None, str], pl.DataFrame] = {}
        self._without: tuple[frozenset[tuple[str, str]], FeedLedger] | None = None
        self.fingerprints: dict[str, dict[str, int]] = summary.fingerprints if summary else {}

    @cached_property
    def entries(self) -> pl.DataFrame:
        """The columns `WORKING` of every entry."""
        return self._entries if isinstance(self._entries, pl.DataFrame) else self._entries()

    @property
    def is_read(self) -> bool:
        """Whether the entries are in memory."""
        return "entries" in self.__dict__

    @property
    def rows(self) -> pl.DataFrame:
        """Every column of every entry, read anew each time."""
        return self.entries if self._rows is None else self._rows.collect()

    def recorded_by(self, run_ids: list[str]) -> pl.DataFrame:
        """Every column of the entries that some runs recorded, read anew each time; of the others nothing is kept."""
        rows = self.entries.lazy() if self._rows is None else self._rows
        return rows.filter(pl.col("run_id").is_in(run_ids)).collect()

    @cached_property
    def summary(self) -> Summary:
        """What all entries come to, without what it takes to find it out again."""
        if self._summary is not None:
            return self._summary
        return Summary.of(self.rows, self.live, self.fingerprints, is_accepted=self.refused.is_empty())

    def extended(self, later: pl.DataFrame, rows: pl.LazyFrame) -> "FeedLedger":
        """Return the ledger with later entries. Only what they touch is computed anew.

        Args:
            later: The columns `WORKING` of the entries that came since.
            rows: Every column of every entry.
        """
        whole = FeedLedger(pl.concat([self.entries, later]), rows)
        return self._with_live(whole, later["object_key"]) if "live" in self.__dict__ else whole

    def without(self, retracted: frozenset[tuple[str, str]]) -> "FeedLedger":
        """Return the ledger in which some objects, by key and hash, do not count: the version before each stands."""
        if not retracted:
            return self
        if self._without is None or self._without[0] != retracted:
            self._without = retracted, self._retracted(retracted)
        return self._without[1]

    def _retracted(self, retracted: frozenset[tuple[str, str]]) -> "FeedLedger":
        state = state_without(retracted)
        rows = None if self._rows is None else self._rows.with_columns(state)
        whole = FeedLedger(self.entries.with_columns(state), rows)
        return self._with_live(whole, pl.Series([key for key, _ in sorted(retracted)], dtype=pl.String))

    def _with_live(self, whole: "FeedLedger", keys: pl.Series) -> "FeedLedger":
        """Fill in what is live of a ledger that differs from this one in some object keys only."""
        before, after = self._changed(whole, keys)
        rest = self.live.join(before, on="source_hash", how="anti")
        whole.__dict__["live"] = pl.concat([rest, after]).sort("part", "source_key")
        return whole

    def _changed(self, whole: "FeedLedger", keys: pl.Series) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return what was and what is live of the contents that some object keys bear on.

        The other ledger takes over the fingerprints of the partitions that stay as they are.
        """
        touched = whole._of_keys(keys)["source_hash"].drop_nulls()  # noqa: SLF001
        before, after = self.live_of_contents(touched), whole._live_alone(touched)  # noqa: SLF001
        changed = {*before["part"], *after["part"]}
        whole.fingerprints = {
            contract: {partition: value for partition, value in known.items() if partition not in changed}
            for contract, known in self.fingerprints.items()
        }
        return before, after

    def _of_keys(self, keys: pl.Series) -> pl.DataFrame:
        return self.entries.filter(is_in("object_key", keys))

    def _keys_of_partitions(self, partitions: pl.Series) -> pl.Series:
        """Return the keys of objects with rows in some partitions, in any version; a few others may be among them."""
        return self.entries.filter(is_in("part", partitions))["object_key"]

    def _live_alone(self, contents: pl.Series) -> pl.DataFrame:
        """Return what is live of some contents, computed from the entries that bear on it."""
        sharing = self._of_keys(self.entries.filter(is_in("source_hash", contents))["object_key"])
        return live(sharing).filter(is_in("source_hash", contents))

    @property
    def known_versions(self) -> dict[str, KnownVersion]:
        """The latest recorded version of each object key."""
        return known_versions(self.entries)

    def known_among(self, keys: Iterable[str]) -> dict[str, KnownVersion]:
        """Return the latest recorded version of each of some object keys that was ever recorded."""
        return known_versions(self._of_keys(pl.Series(list(keys), dtype=pl.String)))

    def rows_of(self, keys: Iterable[str]) -> int:
        """Return how many records stand of the objects with some keys."""
        return int(accepted(self._of_keys(pl.Series(list(keys), dtype=pl.String)))["rows"].sum())

    @property
    def object_keys(self) -> pl.Series:
        """Every object key that was ever recorded."""
        return self.entries["object_key"].unique()

    @property
    def last_version(self) -> int:
        """The number of the version that was recorded last; 0 without any."""
        return int(self.entries["version"].max() or 0)  # type: ignore[arg-type]

    @cached_property
    def live(self) -> pl.DataFrame:
        """What is live: one row per content and partition, as `standing.live` returns them."""
        return live(self.entries)

    def live_of(self, partitions: Iterable[str]) -> pl.DataFrame:
        """Return what is live in some partitions, as `live` does."""
        return self.live.filter(pl.col("part").is_in(list(partitions)))

    def live_of_contents(self, contents: pl.Series) -> pl.DataFrame:
        """Return what is live of some contents, as `live` does."""
        return self.live.filter(is_in("source_hash", contents))

    def live_of_objects(self, keys: Iterable[str]) -> pl.DataFrame:
        """Return what is live of the contents that objects with some keys had in any version, as `live` does."""
        return self.live_of_contents(self._of_keys(pl.Series(list(keys), dtype=pl.String))["source_hash"].drop_nulls())

    def objects_of(self, partitions: Iterable[str]) -> set[str]:
        """Return the keys of the landed objects whose records are live in some partitions."""
        contents = self.live_of(partitions)["source_hash"]
        return set(accepted(self.entries).filter(is_in("source_hash", contents))["object_key"])

    def landings(self, pattern: str | None = None, zone: str = "UTC") -> pl.DataFrame:
        """Return when what is live landed, as `landing_order.landings` does."""
        if (pattern, zone) not in self._landings:
            self._landings[pattern, zone] = landing_order.landings(self.entries, pattern, zone)
        return self._landings[pattern, zone]

    def first_landings(self, partitions: Iterable[str]) -> pl.DataFrame:
        """Return when each content that is live in some partitions landed first: `source_hash`, `_landed_at`."""
        keys = self._keys_of_partitions(pl.Series(list(partitions), dtype=pl.String))
        return landing_order.landings(self._of_keys(keys)).group_by("source_hash").agg(pl.min("_landed_at"))

    def landings_since(self, at: dt.datetime) -> pl.DataFrame:
        """Return the landings of accepted objects since a moment, as `landing_order.of_versions` does."""
        rows = self.entries.lazy() if self._rows is None else self._rows
        keys = rows.filter(pl.col("ingested_at") > at).select("object_key").unique().collect()["object_key"]
        landed = landing_order.of_versions(accepted(self._of_keys(keys)))
        return landed.filter(pl.col("_landed_at") > at).unique("_landed")

    @cached_property
    def last_readings(self) -> pl.DataFrame:
        """How what is live was read, as `landing_order.last_readings` returns it."""
        return landing_order.last_readings(self.entries)

    @cached_property
    def _readings(self) -> Readings:
        return Readings(self.entries)

    def readings(self, source_hash: str) -> list[Reading]:
        """Return the ways in which a content was ever read without being refused, the last one first."""
        return self._readings.of(source_hash)

    def seen(self, contents: pl.Series) -> set[str]:
        """Return which of some contents were ever recorded, also those that were refused."""
        return set(self.entries.filter(is_in("source_hash", contents))["source_hash"])

    def was_taken(self, object_key: str, object_hash: str) -> bool:
        """Return whether a landed object was ever accepted as it came, without a person's decision."""
        is_taken = (pl.col("state") == ACCEPTED) & pl.col("reason").is_null()
        return self._of_keys(pl.Series([object_key])).filter(is_taken, object_hash=object_hash).height > 0

    def newest(self, pattern: str | None) -> "FeedLedger":
        """Return the part of the newest delivery that was accepted whole, for a feed whose deliveries replace others.

        Args:
            pattern: Where the keys say when a delivery was made; None for the order in which they were recorded.
        """
        return FeedLedger(deliveries.newest(self.entries, pattern))

    @property
    def partitions(self) -> list[str]:
        """Every partition that any version ever touched, sorted."""
        return sorted(self.summary.partitions)

    def drifted(self) -> pl.DataFrame:
        """Return `source_key` and `drift` of the latest source objects whose columns differ from the contract's."""
        if self._rows is None:
            return pl.DataFrame(schema={name: SCHEMA[name] for name in ("source_key", "drift")})
        found = self._rows.filter(pl.col("drift").is_not_null())
        rows = found.select("object_key", "version", "source_key", "drift").unique().collect()
        if rows.height:
            rows = rows.join(latest(self._of_keys(rows["object_key"])), on=["object_key", "version"], how="semi")
        return rows.select("source_key", "drift").unique().sort("source_key")

    @cached_property
    def refused(self) -> pl.DataFrame:
        """Source objects whose latest version is rejected or held: their keys, `state`, `reason`, `ingested_at`."""
        columns = ["object_key", "source_key", "state", "reason", "ingested_at"]
        if self._summary is not None and self._summary.is_accepted:
            return pl.DataFrame(schema={name: SCHEMA[name] for name in columns})
        refused = latest(self._refused_objects()).filter(pl.col("state").is_in([REJECTED, HELD]))
        return refused.select(columns).unique().sort("source_key")

    def _refused_objects(self) -> pl.DataFrame:
        """Return the entries of objects of which a version was rejected or held."""
        return self.entries

    @property
    def shown(self) -> pl.DataFrame:
        """The entries with their state as of now: accepted, alias, superseded, rejected, held or retracted."""
        return standing.shown(self.rows, self.entries)
