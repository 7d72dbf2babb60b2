"""The versions of each key of a keyed feed: its history, and the current state that follows from it.

Both follow from the set of valid records alone, whatever their order. Not here: which records are valid.
"""

from dataclasses import dataclass

import polars as pl

from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.contracts.keys import Key
from lakehouse_assets.contracts.partitioning import place
from lakehouse_assets.pipeline.absence import absences

_IS_LAST, _IS_SAME = "_is_last", "_is_same"


@dataclass(frozen=True)
class Versions:
    """What the valid records of some buckets come to. Each record is a version, or `repeated`, or `overruled`.

    Attributes:
        current: The current state: silver columns, plus `_part`.
        history: A row per version: the columns of the history, plus `_part`.
        repeated: Records that say again what the version before them says: `_part`, `_source_key`, `_line`.
        overruled: Records that say something else of a key than another one of the same version does, which counts:
            the same columns.
    """

    current: pl.DataFrame
    history: pl.DataFrame
    repeated: pl.DataFrame
    overruled: pl.DataFrame


def deletes(feed: Feed, typed: pl.DataFrame) -> pl.Series:
    """Return which records delete their key."""
    key = feed.keyed
    if key is None or key.deleted_when is None:
        return pl.repeat(value=False, n=typed.height, eager=True, dtype=pl.Boolean)
    found = typed.select(pl.int_range(pl.len()).alias("_row"), key.deleted_when.fill_null(value=False).alias("deletes"))
    return found["deletes"]


def with_first_landing(bronze: pl.DataFrame, landings: pl.DataFrame) -> pl.DataFrame:
    """Return bronze records with `_landed`: where in the order of landing their content stands first."""
    first = landings.group_by("_source_hash").agg(pl.min("_landed"))
    return bronze.join(first, on="_source_hash", how="left", maintain_order="left")


def versions_of(
    feed: Feed, key: Key, valid: pl.DataFrame, broken: pl.DataFrame, landings: pl.DataFrame | None
) -> Versions:
    """Return the versions of the keys of some records.

    A record holds from its own version to the next one of its key. Of several with the same version one counts: by
    landing the last one of its object; else one that deletes, then the one with the largest values, compared in the
    order of the contract's columns. A version that says the same as the one before it is none: the
    first of them stands.

    Args:
        valid: Valid records: contract columns, partition columns, provenance, `_part`, `_deletes`.
        broken: Records that break the contract: the same columns, as far as they can be read.
        landings: By landing, when each content landed, perhaps several times.
    """
    if landings is not None:
        valid, broken = (rows.drop("_landed").join(landings, on="_source_hash") for rows in (valid, broken))
        if key.is_full:
            gone = absences(key, valid, broken, landings).with_columns(place("_part"))
            valid = pl.concat([valid, gone.select(name for name in gone.columns if name in valid)], how="diagonal")
    said = [name for name in feed.sources if name not in {*key.columns, key.versioned_by}]
    order, since = ("_landed", "_landed_at") if key.is_by_landing else (key.versioned_by, key.versioned_by)
    ties = ["_source_key", "_line"] if key.is_by_landing else ["_deletes", *said]
    ordered = valid.sort("_part", *key.columns, order, *ties, nulls_last=False, maintain_order=True)

    def equal(names: list[str], step: int) -> pl.Expr:
        return pl.all_horizontal(pl.col(name).eq_missing(pl.col(name).shift(step)) for name in names)

    identity = ["_part", *key.columns]
    is_last = ~(equal([*identity, order], -1) & _has(-1))
    ordered = ordered.with_columns(is_last.alias(_IS_LAST))
    winners = ordered.filter(_IS_LAST)
    both_deleted = pl.col("_deletes") & pl.col("_deletes").shift(1)
    same = equal(identity, 1) & (both_deleted | equal(["_deletes", *said], 1)) & _has(1)
    winners = winners.with_columns(same.alias(_IS_SAME))
    kept = winners.filter(~pl.col(_IS_SAME))
    has_next = equal(identity, -1) & _has(-1)
    history = kept.with_columns(
        pl.col(since).alias("valid_from"),
        pl.when(has_next).then(pl.col(since).shift(-1)).alias("valid_to"),
        (~has_next & ~pl.col("_deletes")).alias("is_current"),
        pl.col("_deletes").alias("is_deleted"),
    )
    about = ["_part", "_source_key", "_line"]
    table = feed.history
    return Versions(
        current=history.filter("is_current").select(*feed.silver.columns, "_part"),
        history=history.select(*(table.columns if table else ()), "_part"),
        repeated=winners.filter(_IS_SAME).select(about).unique(),
        overruled=ordered.filter(~pl.col(_IS_LAST)).select(about).unique(),
    )


def _has(step: int) -> pl.Expr:
    """Return whether there is a row so many before (or after, below 0)."""
    row = pl.int_range(pl.len())
    return row >= step if step > 0 else row < pl.len() + step
