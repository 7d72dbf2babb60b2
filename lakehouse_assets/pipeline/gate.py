"""What becomes of a candidate: the verdict of gate and accounting on each of its partitions, and the account of it.

Pure: nothing is read or written here.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.contracts.partitioning import UNDATED, WHOLE, place
from lakehouse_assets.contracts.wording import counted
from lakehouse_assets.pipeline import accounting, repair
from lakehouse_assets.pipeline.batches import rows_by_partition
from lakehouse_assets.pipeline.pending import FeedState
from lakehouse_assets.pipeline.pieces import Computed

PUBLISHED, HELD_BACK, OUTSIDE = accounting.VERDICTS
UNACCOUNTED = "unaccounted"

_SAMPLES = 3


@dataclass(frozen=True)
class Outcome:
    """What became of one partition's candidate. Counts are records; `broken` counts records by rule.

    Attributes:
        expired: The rows of its quarantined records are not kept.
        vanished: Records that were published and are not any more, though the same bytes are live.
        current: Of a keyed feed, the keys that there are now; None for any other feed.
        overruled: Of a keyed feed, records that say something else than another one of the same key and version.
        overruled_such_as: Where some of them stand.
        waiting: Quarantined records that only wait for what they reference. They count for no score.
    """

    feed: str
    partition: str
    verdict: str
    landed: int
    valid: int
    quarantined: int
    duplicates: int
    sources: int
    score: float
    threshold: float
    broken: dict[str, int]
    problem: str | None = None
    expired: bool = False
    vanished: int = 0
    current: int | None = None
    overruled: int = 0
    overruled_such_as: tuple[str, ...] = ()
    waiting: int = 0

    @property
    def rows(self) -> int:
        """Rows of silver that follow from its valid records."""
        return self.valid if self.current is None else self.current

    @property
    def kept(self) -> int:
        """Quarantined records whose rows are kept."""
        return 0 if self.expired else self.quarantined

    @property
    def passed(self) -> bool:
        """Whether the gate and the accounting let it through."""
        return self.verdict in {PUBLISHED, OUTSIDE}

    @property
    def vanishing(self) -> str:
        """What became of the published records that vanished: culprit, consequence, fix."""
        where = "is no longer a business date" if self.verdict == OUTSIDE else "has records that now break the contract"
        return (
            f"{self.partition}: {counted(self.vanished, 'published record')} left for quarantine, though the same "
            f"files are live: the date {where}. If that is not meant, undo the change of the contract and run again."
        )

    @property
    def message(self) -> str:
        """The verdict in words: culprit, consequence, fix."""
        if self.verdict == UNACCOUNTED:
            return f"{self.partition}: {self.problem}. Nothing was written; the last good version stands."
        if self.verdict == HELD_BACK and not self.valid + self.quarantined:
            return (
                f"{self.partition}: the newest delivery has no records. The published version stands; land a delivery "
                "with records, or release this one if the table is to be empty."
            )
        if self.verdict == HELD_BACK and self.waiting == self.valid + self.quarantined:
            return (
                f"{self.partition}: the newest delivery ({counted(self.waiting, 'record')}) waits for what it "
                "references. The published version stands; this one is published by itself when that is there."
            )
        if self.verdict == HELD_BACK:
            bad = self.quarantined - self.waiting
            date = "" if self.partition == WHOLE else f" --date {self.partition}"
            return (
                f"{self.partition}: quality score {self.score:.4f} is below the gate {self.threshold:.4f} "
                f"({bad:,} of {self.valid + bad:,} records break the contract{self._besides}). The "
                f"published version stands. `lakehouse quarantine list --feed {self.feed}{date}` lists them; land "
                "corrected records, or correct the contract, and run again."
            )
        return f"{self.partition}: {self.verdict}, {self.valid:,} valid, {self.quarantined:,} quarantined."

    @property
    def _besides(self) -> str:
        waiting = f"; {self.waiting:,} more wait for what they reference, and count when that is there"
        return waiting if self.waiting else ""


@dataclass(frozen=True)
class Evaluation:
    """What the candidates of some partitions are, and what becomes of them.

    Attributes:
        live: How many records each content should have in each partition: `part`, `source_hash`, `source_key`, `rows`.
        inputs: The fingerprint of what each partition was computed from.
    """

    candidate: Computed
    live: pl.DataFrame
    outcomes: list[Outcome]
    inputs: dict[str, int]

    def kept(self) -> Iterator[pl.DataFrame]:
        """Yield the quarantined rows that are kept: the quarantine columns, and `_part`."""
        expired = [outcome.partition for outcome in self.outcomes if outcome.expired]
        yield from (rows.filter(~pl.col("_part").is_in(expired)) for rows in self.candidate.quarantined)

    def by_rule(self) -> pl.DataFrame:
        """Return how many records break each rule: the columns of that table, and `_part`."""
        return self.candidate.broken.select("_part", "rule", pl.col("rows").alias("records"), *place("_part"))

    def accounts(self) -> pl.DataFrame:
        """Return the accounting of every partition that is accounted for, without the run that evaluated it."""
        decided = [outcome for outcome in self.outcomes if outcome.verdict != UNACCOUNTED]
        verdicts = pl.DataFrame(
            [(outcome.partition, outcome.verdict, outcome.score) for outcome in decided],
            schema={"part": pl.String, "verdict": pl.String, "score": pl.Float64},
            orient="row",
        )
        names = {"_part": "part", "_source_hash": "source_hash"}
        counts = self.candidate.accounting.rename(names).drop("_source_key")
        rows = self.live.rename({"rows": "landed"}).join(counts, on=["part", "source_hash"]).join(verdicts, on="part")
        is_held = pl.col("verdict") == HELD_BACK
        return rows.with_columns(
            pl.when(is_held).then(0).otherwise(pl.col("valid")).alias("published"),
            pl.when(is_held).then(pl.col("valid")).otherwise(0).alias("held"),
        )


def outcomes_of(
    feed: Feed,
    live: pl.DataFrame,
    partitions: list[str],
    candidate: Computed,
    state: FeedState,
    lost: dict[str, str],
) -> list[Outcome]:
    """Return what becomes of the candidate of each of some partitions.

    Args:
        live: How many records there should be: `part`, `source_hash`, `source_key`, `rows`.
        lost: The partitions whose records cannot be read, with the reason.
    """
    accounts = candidate.accounting.rename({"_source_hash": "source_hash"})
    missing = {
        partition: f"source {key} has {counted(landed, 'record')} in the ledger but {found:,} in bronze; "
        + repair.of_bronze(feed.name, [partition])
        for partition, key, landed, found in accounting.unaccounted(live, accounts).iter_rows()
    } | lost
    sums = {
        partition: counts
        for partition, *counts in accounts.group_by("_part")
        .agg(pl.sum("valid", "quarantined", "duplicates", "waiting"), pl.len())
        .iter_rows()
    }
    broken: dict[str, dict[str, int]] = {partition: {} for partition in partitions}
    for partition, rule, rows in candidate.broken.iter_rows():
        broken[partition][rule] = rows
    landed = rows_by_partition(live)
    overruled = {} if candidate.overruled is None else _places(candidate.overruled)
    outcomes = []
    for partition in partitions:
        valid, quarantined, duplicates, waiting, sources = sums.get(partition, (0, 0, 0, 0, 0))
        # An empty date is sound; an empty delivery would take the whole table away.
        without_any = 0.0 if feed.snapshot == "latest" else 1.0
        judged = valid + quarantined - waiting
        score = valid / judged if judged else without_any
        if partition in missing:
            verdict = UNACCOUNTED
        elif partition == UNDATED or partition in state.outside:
            verdict = OUTSIDE
        else:
            # What a release published stays when the release is revoked, until other inputs come.
            is_let_through = state.is_released(partition) or state.is_published(partition)
            verdict = PUBLISHED if score >= feed.gate or is_let_through else HELD_BACK
        outcomes.append(
            Outcome(
                feed.name,
                partition,
                verdict,
                landed.get(partition, 0),
                valid,
                quarantined,
                duplicates,
                sources,
                score,
                feed.gate,
                broken[partition],
                missing.get(partition),
                # The records of a held date still need a person's decision.
                state.is_expired(partition) and verdict != HELD_BACK,
                current=None if candidate.current is None else candidate.current.get(partition, 0),
                overruled=len(overruled.get(partition, ())),
                overruled_such_as=tuple(overruled.get(partition, ())[:_SAMPLES]),
                waiting=waiting,
            )
        )
    return outcomes


def _places(records: pl.DataFrame) -> dict[str, list[str]]:
    """Return where some records stand, by partition."""
    places = records.select("_part", pl.format("{} line {}", "_source_key", "_line").alias("at")).sort("_part", "at")
    return dict(places.group_by("_part", maintain_order=True).agg("at").iter_rows())
