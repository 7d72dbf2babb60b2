"""What the records of each partition reference, as far as it takes to know what a change of the other table changes.

The candidate of a feed with awaited references follows from a second table, but only from whether *its* values are
there. So a partition's fingerprint has the values that are missing for it, and this index says which these are:

- `missing`: a value that a partition references and that was not there. When it comes, the partition is pending.
- `there`: the values that were, of partitions whose records do not all stand in silver: buckets, and dates that are
  held or have records that wait.
- `seen`: every value that was there for some published record. When one is gone, silver says whose it was.

The index of a batch is written before its silver, under the fingerprints without references. It is small, so each
commit writes all of it, and commits are serial. Not here: the records that wait, which are in quarantine.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Column, Feed, Table
from lakehouse_assets.contracts.partitioning import Partitioning
from lakehouse_assets.contracts.reference_rules import Reference
from lakehouse_assets.pipeline.inputs import fingerprint
from lakehouse_assets.pipeline.reference_values import (
    VALUE,
    as_stored,
    is_personal,
    now,
    published_with,
    referenced,
    values_of,
)
from lakehouse_assets.storage import delta, delta_log
from lakehouse_assets.storage.delta_log import Log
from lakehouse_assets.storage.schema_evolution import open_table

if TYPE_CHECKING:
    from deltalake import DeltaTable

_MISSING, _THERE, _SEEN = "missing", "there", "seen"
_SERIAL = "serial"
_COLUMNS = {
    "part": Column(pl.String(), "Partition of the feed; empty where the value is `seen`."),
    "rule": Column(pl.String(), "The rule that asks for the value."),
    "value": Column(pl.String(), "The value as text; of a personal column, a keyed hash of it."),
    "kind": Column(pl.String(), "missing, there or seen."),
}
_SCHEMA = {name: column.dtype for name, column in _COLUMNS.items()}
_VALUE = list(VALUE)


@dataclass(frozen=True)
class Standing:
    """The fingerprints of partitions with what is missing for them now.

    Attributes:
        unread: Partitions that the index does not describe as they are live: they have to be computed.
        missing: Of the others, how many values are missing, where any is.
    """

    inputs: dict[str, int]
    unread: frozenset[str]
    missing: dict[str, int]


def table_of(feed: Feed) -> Table:
    """Return the table of a feed's index. People do not query it."""
    text = f"{feed.description} Which values its records reference."
    name = f"{feed.name}_references"
    return Table("ops", name, _COLUMNS, Partitioning.SNAPSHOT, text, feed.owner, feed.revision)


def tables(feeds: Iterable[Feed]) -> list[Table]:
    """Return the tables of the indexes of those of some feeds that have one."""
    return [table_of(feed) for feed in feeds if feed.awaited]


def folders(lake: Lake, feed: str) -> list[str]:
    """Return the folders of the indexes that a feed has or had: those of other revisions, or of when records waited."""
    own = re.compile(rf"ops/{re.escape(feed)}_references(\.r\d+)?")
    return [folder for folder in lake.store.folders("ops") if own.fullmatch(folder)]


def logs(lake: Lake, feed: Feed) -> list[Log]:
    """Return the logs of what the awaited references follow from, besides the feed's own tables."""
    paths = [referenced(lake, reference).path for reference in feed.awaited.values()]
    return [delta_log.read(lake.store, path) for path in ([table_of(feed).path, *paths] if paths else [])]


def opened(lake: Lake, feed: Feed) -> "DeltaTable":
    """Open the index, creating it when there is none."""
    return open_table(lake.store, table_of(feed).path, _SCHEMA, Partitioning.SNAPSHOT)


def standing(lake: Lake, feed: Feed, bases: Mapping[str, int], silver: Mapping[str, int]) -> Standing:
    """Return the fingerprints of partitions with what is missing for them now, and what the index says of them.

    Args:
        bases: The fingerprint of each partition without references.
        silver: The published fingerprints.
    """
    table = table_of(feed)
    marks = delta_log.read(lake.store, table.path).transactions
    whole = {p for p, base in bases.items() if marks.get(p) == _mark(feed, base, is_whole=True)}
    known = whole | {p for p, base in bases.items() if marks.get(p) == _mark(feed, base, is_whole=False)}
    rows = delta.scan(lake.store, table.path, _SCHEMA).collect() if marks else pl.DataFrame(schema=_SCHEMA)
    present = now(lake, feed) if rows.height else pl.DataFrame(schema=VALUE)
    readable = [rule for rule, reference in feed.awaited.items() if values_of(lake, reference) is not None]
    is_own = (pl.col("kind") == _MISSING) | ((pl.col("kind") == _THERE) & pl.col("rule").is_in(readable))
    lacking = rows.filter(is_own).join(present, on=_VALUE, how="anti").select("part", *_VALUE)
    gone = _gone(rows.filter(pl.col("rule").is_in(readable)), present)
    if gone.height and silver:
        found = published_with(lake, feed, gone)
        lacking = pl.concat([lacking, found.filter(~pl.col("part").is_in(whole))])
    missing = _lists(lacking)
    inputs = {p: with_missing(base, missing.get(p, [])) for p, base in bases.items()}
    counts = {partition: len(values) for partition, values in missing.items() if partition in known}
    return Standing(inputs, frozenset(bases.keys() - known), counts)


def known(lake: Lake, feed: Feed, reference: Reference, values: pl.Series) -> pl.Series:
    """Return those of some values that published records may reference; all of them where there is no index."""
    path = table_of(feed).path
    if not delta.exists(lake.store, path):
        return values
    is_asked = (pl.col("rule") == reference.rule) & (pl.col("kind") != _MISSING)
    there = delta.scan(lake.store, path, _SCHEMA).filter(is_asked).select("value").unique().collect()["value"]
    return values.filter(as_stored(lake, feed, reference, values.cast(pl.String)).is_in(there.implode()))


def with_missing(base: int, values: list[list[str]]) -> int:
    """Return the fingerprint of a partition for which some values are missing."""
    return fingerprint([base, values]) if values else base


def inputs_of(lake: Lake, feed: Feed, bases: Mapping[str, int], referenced: pl.DataFrame) -> dict[str, int]:
    """Return the fingerprints of partitions that were computed, with what was missing for them.

    Args:
        referenced: What their records reference: `awaited.VALUES`.
    """
    missing = _lists(_stored(lake, feed, referenced).filter(~pl.col("is_there")).select("part", *_VALUE))
    return {partition: with_missing(base, missing.get(partition, [])) for partition, base in bases.items()}


def write(
    lake: Lake, feed: Feed, table: "DeltaTable", bases: Mapping[str, int], whole: frozenset[str], found: pl.DataFrame
) -> None:
    """Put the index of some partitions in place of the one that they had. Raises `Conflict`.

    Args:
        table: Opened before the other table was read.
        bases: The fingerprints of the partitions without references.
        whole: Those of them of which not all records without another fault will stand in silver.
        found: What their records reference: `awaited.VALUES`.
    """
    before, after = delta.rows(lake.store, table).select(*_SCHEMA).collect(), _stored(lake, feed, found)
    is_there, is_whole = pl.col("is_there"), pl.col("part").is_in(whole)
    seen = before.filter(pl.col("kind") == _SEEN)
    new = after.filter(is_there & ~is_whole).select(pl.lit("").alias("part"), *_VALUE).unique()
    kept = before.filter((pl.col("kind") != _SEEN) & ~pl.col("part").is_in(list(bases)))
    rows = [
        kept,
        seen,
        *(
            some.select("part", *_VALUE, pl.lit(kind).alias("kind"))
            for some, kind in (
                (after.filter(~is_there), _MISSING),
                (after.filter(is_there & is_whole), _THERE),
                (new.join(seen, on=_VALUE, how="anti"), _SEEN),
            )
        ),
    ]
    marks = {partition: _mark(feed, base, is_whole=partition in whole) for partition, base in bases.items()}
    _replace(lake, table, pl.concat(rows), marks)


def forget_gone(lake: Lake, feed: Feed, table: "DeltaTable", bases: Mapping[str, int]) -> None:
    """Take values out that are gone, once no published record has one that does not know it. Raises `Conflict`.

    Args:
        table: Opened before `bases` were read, which are as in `write`, of all partitions.
    """
    rows = delta.rows(lake.store, table).select(*_SCHEMA).collect()
    if not (gone := _gone(rows, now(lake, feed))).height:
        return
    marks = delta_log.read(lake.store, table_of(feed).path).transactions
    whole = [p for p, base in bases.items() if marks.get(p) == _mark(feed, base, is_whole=True)]
    known = rows.filter((pl.col("kind") == _MISSING) | pl.col("part").is_in(whole))
    stale = published_with(lake, feed, gone).filter(~pl.col("part").is_in(whole))
    if stale.join(known, on=["part", *_VALUE], how="anti").height:
        return
    is_left = rows.join(gone.with_columns(pl.lit(_SEEN).alias("kind")), on=[*_VALUE, "kind"], how="anti")
    _replace(lake, table, is_left, {})


def _replace(lake: Lake, table: "DeltaTable", rows: pl.DataFrame, marks: Mapping[str, int]) -> None:
    delta.replace(lake.store, table, rows.select(*_SCHEMA), None, {**marks, _SERIAL: table.version() + 1})


def _mark(feed: Feed, base: int, *, is_whole: bool) -> int:
    """Return the fingerprint under which the index of a partition is written."""
    hashed = [rule for rule, reference in feed.awaited.items() if is_personal(feed, reference)]
    return fingerprint([base, is_whole, hashed])


def _gone(rows: pl.DataFrame, present: pl.DataFrame) -> pl.DataFrame:
    return rows.filter(pl.col("kind") == _SEEN).select(_VALUE).unique().join(present, on=_VALUE, how="anti")


def _stored(lake: Lake, feed: Feed, found: pl.DataFrame) -> pl.DataFrame:
    """Return `awaited.VALUES` as the index stores them: `part`, `rule`, `value`, `is_there`."""
    frames = [found.rename({"_part": "part"}).clear()]
    for rule, reference in feed.awaited.items():
        rows = found.filter(pl.col("rule") == rule).rename({"_part": "part"})
        frames.append(rows.with_columns(as_stored(lake, feed, reference, rows["value"]).alias("value")))
    return pl.concat(frames)


def _lists(values: pl.DataFrame) -> dict[str, list[list[str]]]:
    """Return values by partition, each once, sorted."""
    found: dict[str, list[list[str]]] = {}
    for partition, *value in values.unique().sort("part", *_VALUE).iter_rows():
        found.setdefault(partition, []).append(value)
    return found
