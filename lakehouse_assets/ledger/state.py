"""What follows from the ledger's entries: what is live, what was seen, what is refused. Pure; reads nothing."""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, cast

import polars as pl

from lakehouse_assets.contracts.declare import Column
from lakehouse_assets.ledger.summary import Summary

ACCEPTED = "accepted"
REJECTED = "rejected"
HELD = "held"
COLUMNS: Mapping[str, Column] = {
    "feed": Column(pl.String(), "Feed that the object was landed for."),
    "object_key": Column(pl.String(), "Key of the landed object below its feed's landing folder."),
    "object_token": Column(pl.String(), "Token of this version of the object: S3 ETag, or inode, times and size."),
    "object_hash": Column(pl.String(), "SHA-256 of the landed object's bytes."),
    "manifest_token": Column(pl.String(), "Version of the manifest that came with the object, if one did."),
    "version": Column(pl.Int64(), "Order in which the feed's object versions were recorded."),
    "source_key": Column(pl.String(), "Key of the source object: the object's, or `<zip>!<member>`."),
    "source_hash": Column(pl.String(), "SHA-256 of the source object's bytes; null when they cannot be had."),
    "state": Column(pl.String(), "accepted, alias, superseded, rejected, or held until a person accepts it."),
    "reason": Column(pl.String(), "Why it was rejected or held and what to do, or what its acceptance overruled."),
    "drift": Column(pl.String(), "How its columns differ from the contract's."),
    "part": Column(pl.String(), "Partition of the rows: a date, undated, or whole; null for no rows."),
    "rows": Column(pl.Int64(), "Records of the source object in this partition."),
    "bytes": Column(pl.Int64(), "Size of the landed object."),
    "contract": Column(pl.String(), "Version of the contract that the object was read with."),
    "dating": Column(
        pl.String(), "How the object was read: identity of the headers, drift policies and business date of then."
    ),
    "file": Column(pl.String(), "Name of the rows' bronze file, without its ending."),
    "ingested_at": Column(pl.Datetime("us", "UTC"), "When the version was recorded."),
    "run_id": Column(pl.String(), "Dagster run that recorded it."),
}
SCHEMA = {name: column.dtype for name, column in COLUMNS.items()}
WORKING = tuple(name for name in COLUMNS if name not in {"feed", "drift", "bytes", "run_id"})
"""The columns from which everything but a display follows."""
_SIDES: tuple[Literal["left"], Literal["right"]] = ("left", "right")


@dataclass(frozen=True)
class KnownVersion:
    """What the ledger knows of an object key's latest version: `state` is that of its worst source object.

    `overruled`: it was accepted only by a person's decision.
    """

    token: str
    state: str
    contract: str
    object_hash: str | None
    manifest_token: str | None
    overruled: bool = False
    reading_version: str | None = None

    def is_read_as(self, reading_version: str, contract: str) -> bool:
        """Return whether the object was read as a contract now says."""
        return _is_read_as(self.reading_version, self.contract, reading_version, contract)


@dataclass(frozen=True)
class Reading:
    """One way in which a content was read.

    Attributes:
        file: Name of its bronze files, without the ending.
        rows: Records by partition.
    """

    version: str | None
    contract: str
    file: str
    rows: Mapping[str, int]

    def is_read_as(self, reading_version: str, contract: str) -> bool:
        """Return whether the content was read as a contract now says."""
        return _is_read_as(self.version, self.contract, reading_version, contract)


def _is_read_as(version: str | None, contract: str, version_now: str, contract_now: str) -> bool:
    # Older ledgers know only how dates were read; but what was read with the very same contract was read the same way.
    return version == version_now or contract == contract_now


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

    @cached_property
    def summary(self) -> Summary:
        """What all entries come to, without what it takes to find it out again."""
        if self._summary is not None:
            return self._summary
        live = dict(self.live.group_by("part").agg(pl.col("rows").sum()).iter_rows())
        touched = self.entries["part"].drop_nulls().unique().sort()
        updated = self.entries["ingested_at"].max()
        sizes = self.rows.select("object_key", "version", "bytes").unique()
        return Summary(
            partitions={partition: live.get(partition, 0) for partition in touched},
            fingerprints=self.fingerprints,
            is_accepted=self.refused.is_empty(),
            updated=updated.isoformat() if isinstance(updated, dt.datetime) else None,
            landed_bytes=int(sizes["bytes"].sum()),
        )

    def extended(self, later: pl.DataFrame, rows: pl.LazyFrame) -> "FeedLedger":
        """Return the ledger with later entries. Only what they touch is computed anew.

        Args:
            later: The columns `WORKING` of the entries that came since.
            rows: Every column of every entry.
        """
        whole = FeedLedger(pl.concat([self.entries, later]), rows)
        if "live" not in self.__dict__:
            return whole
        touched = whole.entries.filter(_is_in("object_key", later["object_key"]))["source_hash"].drop_nulls()
        sharing = whole.entries.filter(_is_in("source_hash", touched))["object_key"]
        again = FeedLedger(whole.entries.filter(_is_in("object_key", sharing))).live
        is_touched = _is_in("source_hash", touched)
        after = again.filter(is_touched)
        whole.__dict__["live"] = pl.concat([self.live.filter(~is_touched), after]).sort("part", "source_key")
        changed = {*self.live.filter(is_touched)["part"], *after["part"]}
        whole.fingerprints = {
            contract: {partition: value for partition, value in known.items() if partition not in changed}
            for contract, known in self.fingerprints.items()
        }
        return whole

    @property
    def known_versions(self) -> dict[str, KnownVersion]:
        """The latest recorded version of each object key."""
        return _known_versions(self.entries)

    def known_among(self, keys: Iterable[str]) -> dict[str, KnownVersion]:
        """Return the latest recorded version of each of some object keys that was ever recorded."""
        return _known_versions(self.entries.filter(_is_in("object_key", pl.Series(list(keys), dtype=pl.String))))

    def _accepted(self) -> pl.DataFrame:
        """Return the entries of the source object versions that stand."""
        rows = self.entries
        if (rows["state"] == HELD).any():
            # What is held now was not good before either, had its manifest come first: the order must not matter.
            void = _latest(rows).filter(pl.col("state") == HELD).select("object_key", "object_hash").unique()
            rows = rows.filter(pl.col("state") != HELD).join(void, on=["object_key", "object_hash"], how="anti")
        accepted = rows.filter(pl.col("state") == ACCEPTED)
        mixed = rows.filter(pl.col("state") == REJECTED)["object_key"]
        if not mixed.len():
            return _latest(accepted)
        whole = _latest(accepted.filter(~_is_in("object_key", mixed)))
        keys = ["object_key", "source_key", "version"]
        standing = _standing(rows.filter(_is_in("object_key", mixed)).select(*keys, "state").unique())
        kept = pl.DataFrame(standing, schema={name: SCHEMA[name] for name in keys}, orient="row")
        return pl.concat([whole, accepted.join(kept, on=keys, how="semi")])

    @cached_property
    def live(self) -> pl.DataFrame:
        """What is live: one row per content and partition.

        Columns `part`, `source_hash`, `source_key` (the smallest of the keys with that content), `rows`, `file`;
        ordered by partition and key.
        """
        accepted = self._accepted()
        if accepted["file"].null_count() < accepted.height:  # read in several ways: the last one counts
            of_content = pl.col("source_key").min().over("source_hash")
            accepted = accepted.with_columns(of_content.alias("source_key")).filter(_is_last_of_content())
        return (
            accepted.filter(pl.col("part").is_not_null())
            .group_by("part", "source_hash")
            .agg(
                pl.col("source_key").min(),
                pl.col("rows").first(),
                pl.col("file").fill_null(pl.col("source_hash")).first(),
            )
            .sort("part", "source_key")
        )

    @cached_property
    def _by_content(self) -> tuple[pl.Series, pl.Series]:
        """The rows of `entries` in the order of a short hash of their contents: the hashes, and the row numbers."""
        hashes = self.entries.select(pl.col("source_hash").hash().alias("hash")).with_row_index("row").sort("hash")
        return hashes["hash"], hashes["row"]

    def _of_content(self, source_hash: str) -> pl.DataFrame:
        hashes, rows = self._by_content
        wanted = pl.Series([source_hash]).hash()[0]
        first, last = (hashes.search_sorted(wanted, side=side) for side in _SIDES)
        return self.entries[rows.slice(first, last - first)].filter(pl.col("source_hash") == source_hash)

    def readings(self, source_hash: str) -> list[Reading]:
        """Return the ways in which a content was ever read without being refused, the last one first."""
        found = self._of_content(source_hash).filter(pl.col("state") != REJECTED).sort("version", descending=True)
        readings: list[Reading] = []
        if not found.height:
            return readings
        for (_, reading, contract), rows in found.group_by("version", "dating", "contract", maintain_order=True):
            file = rows["file"].fill_null(source_hash)[0]
            partitions = dict(rows.select("part", "rows").drop_nulls("part").iter_rows())
            readings.append(Reading(cast("str | None", reading), str(contract), file, partitions))
        return readings

    def was_taken(self, object_key: str, object_hash: str) -> bool:
        """Return whether a landed object was ever accepted as it came, without a person's decision."""
        is_it = (pl.col("object_key") == object_key) & (pl.col("object_hash") == object_hash)
        is_taken = (pl.col("state") == ACCEPTED) & pl.col("reason").is_null()
        return self.entries.filter(is_it & is_taken).height > 0

    @property
    def partitions(self) -> list[str]:
        """Every partition that any version ever touched, sorted."""
        return sorted(self.summary.partitions)

    @cached_property
    def refused(self) -> pl.DataFrame:
        """Source objects whose latest version is rejected or held: their keys, `state`, `reason`, `ingested_at`."""
        columns = ["object_key", "source_key", "state", "reason", "ingested_at"]
        if self._summary is not None and self._summary.is_accepted:
            return pl.DataFrame(schema={name: SCHEMA[name] for name in columns})
        refused = _latest(self.entries).filter(pl.col("state") != ACCEPTED)
        return refused.select(columns).unique().sort("source_key")

    @property
    def shown(self) -> pl.DataFrame:
        """The entries with their state as of now: accepted, alias, superseded or rejected."""
        keys = ["object_key", "source_key", "version"]
        accepted = self._accepted()
        stands = accepted.select(keys).unique().with_columns(pl.lit(value=True).alias("_stands"))
        canonical = accepted.group_by("source_hash").agg(pl.col("source_key").min().alias("_canonical"))
        joined = self.rows.join(stands, on=keys, how="left").join(
            canonical, on="source_hash", how="left", nulls_equal=True
        )
        state = (
            pl.when(pl.col("state").is_in([REJECTED, HELD]))
            .then(pl.col("state"))
            .when(pl.col("_stands").is_null())
            .then(pl.lit("superseded"))
            .when(pl.col("_canonical") != pl.col("source_key"))
            .then(pl.lit("alias"))
            .otherwise(pl.lit(ACCEPTED))
        )
        return joined.with_columns(state.alias("state")).select(*SCHEMA)


def _is_in(column: str, values: pl.Series) -> pl.Expr:
    return pl.col(column).is_in(values.unique().implode())


def _latest(entries: pl.DataFrame) -> pl.DataFrame:
    """Return the entries of each object key's latest version among some entries."""
    if entries["object_key"].n_unique() == entries["version"].n_unique():
        return entries
    return entries.filter(pl.col("version") == pl.col("version").max().over("object_key"))


def _known_versions(entries: pl.DataFrame) -> dict[str, KnownVersion]:
    worst = pl.when((pl.col("state") == HELD).any()).then(pl.lit(HELD)).when((pl.col("state") == REJECTED).any())
    latest = (
        _latest(entries)
        .group_by("object_key")
        .agg(
            pl.col("object_token").first(),
            worst.then(pl.lit(REJECTED)).otherwise(pl.lit(ACCEPTED)).alias("state"),
            pl.col("contract", "object_hash", "manifest_token").first(),
            ((pl.col("state") == ACCEPTED) & pl.col("reason").is_not_null()).any().alias("overruled"),
            pl.col("dating").first(),
        )
    )
    return {key: KnownVersion(*values) for key, *values in latest.iter_rows()}


def _is_last_of_content() -> pl.Expr:
    return pl.col("version") == pl.col("version").max().over("source_hash")


def _standing(rows: pl.DataFrame) -> list[tuple[str, str, int]]:
    """Fold the versions of objects some of whose source objects were rejected, oldest first.

    A new version takes the place of the old one: members that it lacks are gone, one that it holds but that was
    rejected stays as it stood. A version of which nothing was accepted changes nothing.

    Args:
        rows: `object_key`, `source_key`, `version`, `state`.

    Returns:
        Object key, source key and version of what stands.
    """
    stands: dict[str, dict[str, int]] = {}
    for (key, version), entries in rows.sort("version").group_by("object_key", "version", maintain_order=True):
        states = dict(entries.select("source_key", "state").iter_rows())
        if ACCEPTED in states.values():
            before = stands.get(str(key), {})
            stands[str(key)] = {
                name: int(str(version)) if state == ACCEPTED else before[name]
                for name, state in states.items()
                if state == ACCEPTED or name in before
            }
    return [(key, name, version) for key, members in stands.items() for name, version in members.items()]
