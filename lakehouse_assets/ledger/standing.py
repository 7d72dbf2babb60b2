"""Which of the ledger's entries stand, and so what is live. Pure functions of entries.

A new version of an object takes the place of the one before; what was rejected, is held or was retracted leaves what
stood.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from lakehouse_assets.ledger.entries import ACCEPTED, HELD, REJECTED, RETRACTED, SCHEMA, is_read_as


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
        return is_read_as(self.reading_version, self.contract, reading_version, contract)


def live(entries: pl.DataFrame) -> pl.DataFrame:
    """What is live: one row per content and partition.

    Columns `part`, `source_hash`, `source_key` (the smallest of the keys with that content), `rows`, `file`;
    ordered by partition and key.
    """
    stands = accepted(entries)
    if stands["file"].null_count() < stands.height:  # read in several ways: the last one counts
        of_content = pl.col("source_key").min().over("source_hash")
        stands = stands.with_columns(of_content.alias("source_key")).filter(_is_last_of_content())
    return (
        stands.filter(pl.col("part").is_not_null())
        .group_by("part", "source_hash")
        .agg(
            pl.col("source_key").min(),
            pl.col("rows").first(),
            pl.col("file").fill_null(pl.col("source_hash")).first(),
        )
        .sort("part", "source_key")
    )


def accepted(entries: pl.DataFrame) -> pl.DataFrame:
    """Return the entries of the source object versions that stand."""
    rows = without_held(entries)
    taken = rows.filter(pl.col("state") == ACCEPTED)
    mixed = rows.filter(pl.col("state") == REJECTED)["object_key"]
    if not mixed.len():
        return latest(taken)
    whole = latest(taken.filter(~is_in("object_key", mixed)))
    keys = ["object_key", "source_key", "version"]
    standing = _standing(rows.filter(is_in("object_key", mixed)).select(*keys, "state").unique())
    kept = pl.DataFrame(standing, schema={name: SCHEMA[name] for name in keys}, orient="row")
    return pl.concat([whole, taken.join(kept, on=keys, how="semi")])


def without_held(entries: pl.DataFrame) -> pl.DataFrame:
    """Return the entries without those that are held, nor those that were taken before their bytes were held."""
    if not (entries["state"] == HELD).any():
        return entries
    # What is held now was not good before either, had its manifest come first: the order must not matter.
    void = latest(entries).filter(pl.col("state") == HELD).select("object_key", "object_hash").unique()
    return entries.filter(pl.col("state") != HELD).join(void, on=["object_key", "object_hash"], how="anti")


def state_without(retracted: Iterable[tuple[str, str]]) -> pl.Expr:
    """Return the state of an entry: `retracted` where its object was.

    Args:
        retracted: Object keys, each with the hash of the object's bytes.
    """
    named = pl.Series([f"{key}\0{digest}" for key, digest in sorted(retracted)], dtype=pl.String)
    is_retracted = pl.concat_str("object_key", pl.lit("\0"), "object_hash").is_in(named.implode())
    is_taken = pl.col("state") == ACCEPTED
    return pl.when(is_taken & is_retracted).then(pl.lit(RETRACTED)).otherwise("state").alias("state")


def is_in(column: str, values: pl.Series) -> pl.Expr:
    """Return whether a column's value is one of some values."""
    return pl.col(column).is_in(values.unique().implode())


def latest(entries: pl.DataFrame) -> pl.DataFrame:
    """Return the entries of each object key's latest version among some entries."""
    if entries["object_key"].n_unique() == entries["version"].n_unique():
        return entries
    return entries.filter(pl.col("version") == pl.col("version").max().over("object_key"))


def known_versions(entries: pl.DataFrame) -> dict[str, KnownVersion]:
    """Return the latest version of each object key among some entries."""
    worst = pl.when((pl.col("state") == HELD).any()).then(pl.lit(HELD)).when((pl.col("state") == REJECTED).any())
    known = (
        latest(entries)
        .group_by("object_key")
        .agg(
            pl.col("object_token").first(),
            worst.then(pl.lit(REJECTED)).otherwise(pl.lit(ACCEPTED)).alias("state"),
            pl.col("contract", "object_hash", "manifest_token").first(),
            ((pl.col("state") == ACCEPTED) & pl.col("reason").is_not_null()).any().alias("overruled"),
            pl.col("dating").first(),
        )
    )
    return {key: KnownVersion(*values) for key, *values in known.iter_rows()}


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


def shown(rows: pl.DataFrame, entries: pl.DataFrame) -> pl.DataFrame:
    """Return rows of entries with their state as of now: accepted, alias, superseded, rejected, held or retracted."""
    keys = ["object_key", "source_key", "version"]
    stand = accepted(entries)
    stands = stand.select(keys).unique().with_columns(pl.lit(value=True).alias("_stands"))
    canonical = stand.group_by("source_hash").agg(pl.col("source_key").min().alias("_canonical"))
    joined = rows.join(stands, on=keys, how="left").join(canonical, on="source_hash", how="left", nulls_equal=True)
    state = (
        pl.when(pl.col("state").is_in([REJECTED, HELD, RETRACTED]))
        .then(pl.col("state"))
        .when(pl.col("_stands").is_null())
        .then(pl.lit("superseded"))
        .when(pl.col("_canonical") != pl.col("source_key"))
        .then(pl.lit("alias"))
        .otherwise(pl.lit(ACCEPTED))
    )
    return joined.with_columns(state.alias("state")).select(*SCHEMA)
