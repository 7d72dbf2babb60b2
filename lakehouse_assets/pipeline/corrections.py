"""What decisions on single records do to the bronze records that a candidate is computed from.

A correction replaces raw values (and may move the record to another date), a waiver lifts rules, a discard takes the
record out. Decisions on contents that are no longer live have no effect. Not here: taking decisions.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.contracts.partitioning import UNDATED, place
from lakehouse_assets.decisions.kinds import Correct, Discard, OnRecord, Waive
from lakehouse_assets.erasure.protocol import IS_BLANK
from lakehouse_assets.parsing.buckets import bucket_of
from lakehouse_assets.parsing.casting import business_dates
from lakehouse_assets.parsing.parse import nul_problem
from lakehouse_assets.pipeline.bronze import read_bronze, read_in_portions

Place = tuple[str, int]
"""Content hash and line: the record that a decision is about."""


@dataclass
class Effect:
    """All decisions on one record together: where it was, where it belongs now, and what holds for it."""

    partition: str
    partition_to: str
    values: dict[str, str | None] = field(default_factory=dict)
    waived: list[str] = field(default_factory=list)
    discarded: bool = False
    ids: list[str] = field(default_factory=list)

    @property
    def is_moved(self) -> bool:
        """Whether the record belongs to another partition than the one it landed in."""
        return self.partition_to != self.partition


def effects(feed: Feed, decisions: Iterable[OnRecord]) -> dict[Place, Effect]:
    """Fold decisions on records, in their order: later values win, and what follows a discard undoes it.

    A record stays in its partition unless the corrected values say another business date.
    """
    found: dict[Place, Effect] = {}
    for decision in decisions:
        if decision.line is None:  # of an erased record
            continue
        effect = found.setdefault((decision.source_hash, decision.line), Effect(decision.partition, decision.partition))
        effect.ids.append(decision.id)
        effect.discarded = isinstance(decision, Discard)
        if isinstance(decision, Correct):
            effect.values |= decision.values
            effect.partition_to = partition_of(feed, effect.values) or effect.partition
        elif isinstance(decision, Waive):
            effect.waived += [rule for rule in decision.rules if rule not in effect.waived]
    return found


def partition_of(feed: Feed, values: Mapping[str, str | None]) -> str | None:
    """Return the partition that corrected raw values put a record into; None when they do not say it.

    It follows from the business date, or from all the columns of the key.
    """
    if feed.key:
        return bucket_of(values, feed) if any(feed.sources[n].headers[0] in values for n in feed.key) else None
    if feed.business_date is None:
        return None
    header = feed.sources[feed.business_date].headers[0]
    if header not in values:
        return None
    date = business_dates(pl.DataFrame({header: [values[header]]}, schema={header: pl.String}), feed)[0]
    return UNDATED if date is None else str(date)


def touched(found: dict[Place, Effect]) -> dict[str, list[str]]:
    """Return the ids of the decisions that bear on each partition."""
    ids: dict[str, list[str]] = {}
    for effect in found.values():
        for partition in {effect.partition, effect.partition_to}:
            ids.setdefault(partition, []).extend(effect.ids)
    return {partition: sorted(those) for partition, those in ids.items()}


def records(
    lake: Lake, feed: Feed, live: pl.DataFrame, partitions: list[str], found: dict[Place, Effect], limit: int
) -> tuple[list[pl.LazyFrame], pl.DataFrame]:
    """Return the bronze records of some partitions as decided, and how many each content has in each.

    Args:
        live: `FeedLedger.live` of these partitions, and of those from which records move.
        partitions: The partitions wanted.
        found: The effects of the decisions on live contents.
        limit: The most records that are read at once.

    Returns:
        In portions, bronze columns with `_part`, `dt`, `bucket`, `_waived` (rule ids, or null) and `_discarded`, those
        from other partitions last; and the expected `rows` per `part`, `source_hash` and `source_key`.
    """
    wanted = set(partitions)
    coming = {place: e for place, e in found.items() if e.partition_to in wanted and e.partition not in wanted}
    here = live.filter(pl.col("part").is_in(partitions))
    portions = read_in_portions(lake, feed, here, limit)
    if coming:
        pairs = pl.DataFrame(
            [(e.partition, source_hash, line) for (source_hash, line), e in coming.items()],
            schema={"part": pl.String, "source_hash": pl.String, "_line": pl.Int64},
            orient="row",
        )
        sources = live.join(pairs.select("part", "source_hash").unique(), on=["part", "source_hash"])
        lines = pairs.select(pl.col("source_hash").alias("_source_hash"), "_line").lazy()
        portions.append(read_bronze(lake, feed, sources).join(lines, on=["_source_hash", "_line"], how="semi"))
    untouched = [pl.lit(None, pl.List(pl.String)).alias("_waived"), pl.lit(value=False).alias("_discarded")]
    portions = [portion.with_columns(untouched) for portion in portions]
    if not found:
        return portions, here
    decided = [_applied(feed, portion, found).filter(pl.col("_part").is_in(partitions)) for portion in portions]
    return decided, _expected(live, wanted, found)


def _applied(feed: Feed, bronze: pl.LazyFrame, found: dict[Place, Effect]) -> pl.LazyFrame:
    headers = feed.headers
    rows = [
        {
            "_source_hash": source_hash,
            "_line": line,
            "_part_to": effect.partition_to if effect.partition_to != effect.partition else None,
            "_waived_to": effect.waived or None,
            "_discarded_to": effect.discarded,
            **{f"_has_{h}": h in effect.values for h in headers},
            **{f"_new_{h}": effect.values.get(h) for h in headers},
        }
        for (source_hash, line), effect in found.items()
    ]
    schema: dict[str, pl.DataType] = {
        "_source_hash": pl.String(), "_line": pl.Int64(), "_part_to": pl.String(),
        "_waived_to": pl.List(pl.String()), "_discarded_to": pl.Boolean(),
    }  # fmt: skip
    schema |= {f"_has_{h}": pl.Boolean() for h in headers} | {f"_new_{h}": pl.String() for h in headers}
    decided = bronze.join(
        pl.LazyFrame(rows, schema=schema), on=["_source_hash", "_line"], how="left", maintain_order="left"
    )
    # A record moves only if its date was corrected: where it stands is for bronze to say.
    is_moved = pl.col("_part_to").is_not_null()
    is_there = ~IS_BLANK  # no decision brings an erased record back
    is_corrected = pl.any_horizontal(f"_has_{h}" for h in headers)
    changed = [pl.when(pl.col(f"_has_{h}")).then(pl.col(f"_new_{h}")).otherwise(pl.col(h)).alias(h) for h in headers]
    return (
        decided.with_columns(changed)
        .with_columns(
            # A corrected record has the shape that a person gave it, except for what is still in its values.
            pl.when(is_corrected & is_there).then(nul_problem(headers)).otherwise(pl.col("_problem")).alias("_problem"),
            pl.when(is_moved).then(pl.col("_part_to")).otherwise(pl.col("_part")).alias("_part"),
            pl.col("_waived_to").alias("_waived"),
            pl.col("_discarded_to").fill_null(value=False).alias("_discarded"),
        )
        .with_columns(place("_part"))
        .select(bronze.collect_schema().names())
    )


def _expected(live: pl.DataFrame, partitions: set[str], found: dict[Place, Effect]) -> pl.DataFrame:
    keys = dict(live.select("source_hash", "source_key").iter_rows())
    counts = {
        (partition, source_hash): rows
        for partition, source_hash, rows in live.filter(pl.col("part").is_in(partitions))
        .select("part", "source_hash", "rows")
        .iter_rows()
    }
    for (source_hash, _), effect in found.items():
        if effect.partition == effect.partition_to or source_hash not in keys:
            continue
        for partition, step in ((effect.partition, -1), (effect.partition_to, 1)):
            if partition in partitions:
                counts[partition, source_hash] = counts.get((partition, source_hash), 0) + step
    rows = [
        (partition, source_hash, keys[source_hash], count)
        for (partition, source_hash), count in counts.items()
        if count
    ]
    schema = {"part": pl.String, "source_hash": pl.String, "source_key": pl.String, "rows": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row").sort("part", "source_key")
