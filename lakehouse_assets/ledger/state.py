"""What follows from the ledger's entries: what is live, what was seen, what is refused. Pure; reads nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from lakehouse_assets.contracts.declare import Column

ACCEPTED = "accepted"
REJECTED = "rejected"
HELD = "held"
COLUMNS: Mapping[str, Column] = {
    "feed": Column(pl.String(), "Feed that the object was landed for."),
    "object_key": Column(pl.String(), "Key of the landed object below its feed's landing folder."),
    "object_token": Column(pl.String(), "Token of this version of the object: S3 ETag, or inode, times and size."),
    "object_hash": Column(pl.String(), "SHA-256 of the landed object's bytes."),
    "manifest_token": Column(pl.String(), "Version of the manifest that came with the object, if one did."),
    "version": Column(pl.Int64(), "Order in which landing's versions were recorded, over all objects."),
    "source_key": Column(pl.String(), "Key of the source object: the object's, or `<zip>!<member>`."),
    "source_hash": Column(pl.String(), "SHA-256 of the source object's bytes; null when they cannot be had."),
    "state": Column(pl.String(), "accepted, alias, superseded, rejected, or held until a person accepts it."),
    "reason": Column(pl.String(), "Why it was rejected or held and what to do, or what its acceptance overruled."),
    "drift": Column(pl.String(), "How its columns differ from the contract's."),
    "part": Column(pl.String(), "Partition of the rows: a date, undated, or whole; null for no rows."),
    "rows": Column(pl.Int64(), "Records of the source object in this partition."),
    "bytes": Column(pl.Int64(), "Size of the landed object."),
    "contract": Column(pl.String(), "Version of the contract that the object was read with."),
    "dating": Column(pl.String(), "How the business dates of the rows were read."),
    "file": Column(pl.String(), "Name of the rows' bronze file, without its ending."),
    "ingested_at": Column(pl.Datetime("us", "UTC"), "When the version was recorded."),
    "run_id": Column(pl.String(), "Dagster run that recorded it."),
}
SCHEMA = {name: column.dtype for name, column in COLUMNS.items()}


@dataclass(frozen=True)
class KnownVersion:
    """What the ledger knows of an object key's latest version: `state` is that of its worst source object.

    `overruled` tells that it was accepted by a person's decision only.
    """

    token: str
    state: str
    contract: str
    object_hash: str | None
    manifest_token: str | None
    overruled: bool = False
    date_parsing_version: str = ""


class FeedLedger:
    """One feed's entries, and what follows from them."""

    def __init__(self, rows: pl.DataFrame) -> None:
        self.rows = rows

    @cached_property
    def known_versions(self) -> dict[str, KnownVersion]:
        """The latest recorded version of each object key."""
        worst = pl.when((pl.col("state") == HELD).any()).then(pl.lit(HELD)).when((pl.col("state") == REJECTED).any())
        latest = self._latest.group_by("object_key").agg(
            pl.col("object_token").first(),
            worst.then(pl.lit(REJECTED)).otherwise(pl.lit(ACCEPTED)).alias("state"),
            pl.col("contract", "object_hash", "manifest_token").first(),
            ((pl.col("state") == ACCEPTED) & pl.col("reason").is_not_null()).any().alias("overruled"),
            pl.col("dating").first(),
        )
        return {key: KnownVersion(*values) for key, *values in latest.iter_rows()}

    @property
    def _latest(self) -> pl.DataFrame:
        return self.rows.filter(pl.col("version") == pl.col("version").max().over("object_key"))

    @cached_property
    def _accepted(self) -> pl.DataFrame:
        """Entries of the source object versions that stand."""
        # What is held now was not good before either, had its manifest come first: the order must not matter.
        void = self._latest.filter(pl.col("state") == HELD).select("object_key", "object_hash").unique()
        rows = self.rows.filter(pl.col("state") != HELD).join(void, on=["object_key", "object_hash"], how="anti")
        accepted = rows.filter(pl.col("state") == ACCEPTED)
        mixed = rows.filter(pl.col("state") == REJECTED)["object_key"].unique()
        plain = accepted.filter(~pl.col("object_key").is_in(mixed.implode()))
        whole = plain.filter(pl.col("version") == pl.col("version").max().over("object_key"))
        if not mixed.len():
            return whole
        keys = ["object_key", "source_key", "version"]
        standing = _standing(rows.filter(pl.col("object_key").is_in(mixed.implode())).select(*keys, "state").unique())
        kept = pl.DataFrame(standing, schema={name: SCHEMA[name] for name in keys}, orient="row")
        return pl.concat([whole, accepted.join(kept, on=keys, how="semi")])

    @cached_property
    def live(self) -> pl.DataFrame:
        """What is live: one row per content and partition.

        Columns `part`, `source_hash`, `source_key` (the smallest of the keys with that content), `rows`, `file`;
        ordered by partition and key.
        """
        return (
            self._accepted.filter(pl.col("part").is_not_null() & _is_dated_last())
            .group_by("part", "source_hash")
            .agg(
                pl.col("source_key").min(),
                pl.col("rows").first(),
                pl.col("file").fill_null(pl.col("source_hash")).first(),
            )
            .sort("part", "source_key")
        )

    def files(self) -> dict[str, str]:
        """Return by which way of reading dates each content was first split: its bronze files have the plain name."""
        first = self.rows.filter(pl.col("source_hash").is_not_null()).sort("version").group_by("source_hash")
        return dict(first.agg(pl.col("dating").fill_null("").first()).iter_rows())

    @property
    def taken(self) -> frozenset[tuple[str, str]]:
        """Key and hash of every landed object that was ever accepted as it came, without a person's decision."""
        accepted = self.rows.filter((pl.col("state") == ACCEPTED) & pl.col("reason").is_null())
        return frozenset(accepted.select("object_key", "object_hash").drop_nulls().unique().iter_rows())

    @property
    def partitions(self) -> list[str]:
        """Every partition that any version ever touched, sorted."""
        return sorted(self.rows["part"].drop_nulls().unique().to_list())

    def contents(self, date_parsing_version: str = "") -> dict[str, dict[str, int]]:
        """Return rows by partition of every content ever accepted, by hash, if its dates were read so."""
        known: dict[str, dict[str, int]] = {}
        is_so = (pl.col("dating") == date_parsing_version) | pl.col("dating").is_null()
        accepted = self.rows.filter((pl.col("state") == ACCEPTED) & pl.col("source_hash").is_not_null() & is_so)
        for source_hash, partition, rows in accepted.select("source_hash", "part", "rows").iter_rows():
            partitions = known.setdefault(source_hash, {})
            if partition is not None:
                partitions[partition] = rows
        return known

    @cached_property
    def refused(self) -> pl.DataFrame:
        """Source objects whose latest version is rejected or held: their keys, `state`, `reason`, `ingested_at`."""
        columns = ["object_key", "source_key", "state", "reason", "ingested_at"]
        return self._latest.filter(pl.col("state") != ACCEPTED).select(columns).unique().sort("source_key")

    @cached_property
    def shown(self) -> pl.DataFrame:
        """The entries with their state as of now: accepted, alias, superseded or rejected."""
        keys = ["object_key", "source_key", "version"]
        stands = self._accepted.select(keys).unique().with_columns(pl.lit(value=True).alias("_stands"))
        canonical = self._accepted.group_by("source_hash").agg(pl.col("source_key").min().alias("_canonical"))
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


def _is_dated_last() -> pl.Expr:
    """Say which of a content's entries were split by the way of reading dates that it was last split by."""
    last = pl.col("dating").fill_null("").sort_by("version").last().over("source_hash")
    return pl.col("dating").fill_null("") == last


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
