"""Publishing a feed: candidates through the gate into accounting, quarantine and silver, a batch of dates a commit.

The silver commit is the commit point (the history of a keyed feed comes before it); for a date that is held or
outside, the one of quarantine is. All tables are opened before the inputs are read and written through those handles,
so a writer whose inputs are stale conflicts and computes again. Not here: what a candidate is.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed, Table
from lakehouse_assets.contracts.partitioning import UNDATED
from lakehouse_assets.decisions.kinds import Decision
from lakehouse_assets.decisions.recorded import Decisions
from lakehouse_assets.ledger.ledger import Ledger, summarise
from lakehouse_assets.pipeline import accounting, reference_index, reference_values, vanished
from lakehouse_assets.pipeline.batches import batches
from lakehouse_assets.pipeline.candidate import compute
from lakehouse_assets.pipeline.corrections import records
from lakehouse_assets.pipeline.damaged_bronze import unreadable
from lakehouse_assets.pipeline.gate import (
    HELD_BACK,
    OUTSIDE,
    PUBLISHED,
    UNACCOUNTED,
    Evaluation,
    Outcome,
    outcomes_of,
)
from lakehouse_assets.pipeline.inputs import without_rows
from lakehouse_assets.pipeline.key_order import in_other_buckets, landings_of
from lakehouse_assets.pipeline.pending import HELD, FeedState
from lakehouse_assets.pipeline.pieces import sorted_out, together
from lakehouse_assets.pipeline.pins import pins_of, restored
from lakehouse_assets.pipeline.rows import Folder, Rows
from lakehouse_assets.storage import delta
from lakehouse_assets.storage.schema_evolution import open_table
from lakehouse_assets.storage.stores import StorageError

if TYPE_CHECKING:
    from deltalake import DeltaTable


def publish(
    lake: Lake,
    feed: Feed,
    partitions: list[str],
    run_id: str,
    *,
    force: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> Iterator[list[Outcome]]:
    """Decide and publish the candidates of some partitions, yielding after each batch of commits.

    Args:
        force: Compute also the partitions whose decision stands (a replay asked for by a person).
        progress: Called with the number of partitions of each batch.
    """
    rows = Ledger.load(lake.store).of_feed(feed.name).summary.partitions
    pins = pins_of(Decisions.load(lake.store, feed.name), feed.silver)
    # Pinned dates last: a version that is gone must not stop the others.
    free, pinned = (sorted(p for p in partitions if (p in pins) is wanted) for wanted in (False, True))
    limit = lake.settings.publish_batch_rows
    for batch in [*batches(free, rows, limit), *batches(pinned, rows, limit)]:
        outcomes = delta.until_committed(partial(_publish_batch, lake, feed, batch, run_id, force=force))
        progress(len(batch))
        if outcomes:
            yield outcomes
    if feed.awaited:
        _forget_gone(lake, feed)
    summarise(lake.store, feed.name)


def _forget_gone(lake: Lake, feed: Feed) -> None:
    """Tidy the index of references. Another writer does so, too: where it is first, nothing is lost.

    Not while a partition is pending: another writer may have written its index, and is about to write its silver.
    """
    table = reference_index.opened(lake, feed)
    state = FeedState.of(lake, feed)
    if not state.pending:
        with suppress(delta.Conflict):
            reference_index.forget_gone(lake, feed, table, state.bases)


def _publish_batch(lake: Lake, feed: Feed, partitions: list[str], run_id: str, *, force: bool) -> list[Outcome]:
    quarantine, by_rule = open_declared(lake, feed.quarantine), open_declared(lake, feed.by_rule)
    # Last: where one of the others refuses the contract, silver gets no column that nothing fills.
    history = None if feed.history is None else open_declared(lake, feed.history)
    silver = open_declared(lake, feed.silver)
    accounts = accounting.open_accounting(lake.store)
    index = reference_index.opened(lake, feed) if feed.awaited else None
    ledger = Ledger.load(lake.store).of_feed(feed.name)
    state = FeedState.read(lake, feed, ledger)
    pinned = {
        partition: state.pins[partition]
        for partition in partitions
        if partition in state.pins and state.is_pending(partition)
    }
    if pinned:
        predicate = feed.silver.partitioning.sql_predicate(pinned)
        fingerprints = {partition: pin.fingerprint for partition, pin in pinned.items()}
        delta.replace(lake.store, silver, restored(lake, feed.silver, pinned), predicate, fingerprints)
        silver = open_declared(lake, feed.silver)
    partitions = [p for p in partitions if p in state.inputs and p not in state.pins and (force or state.is_pending(p))]
    if not partitions:
        return []
    found = _evaluate(lake, state, partitions)
    decided = {outcome.partition: outcome for outcome in found.outcomes if outcome.verdict != UNACCOUNTED}
    held = {HELD + partition: found.inputs[partition] for partition, o in decided.items() if o.verdict == HELD_BACK}
    # A table that bears these fingerprints already was written by an attempt that ended after it.
    accounted = {
        accounting.mark(feed.name, partition): accounting.bears(found.inputs[partition], o.verdict)
        for partition, o in decided.items()
    }
    if index is not None and found.candidate.referenced is not None:
        bases = {partition: state.bases[partition] for partition in decided}
        is_keyed = feed.keyed is not None
        # Silver does not have the records that wait, which may reference something else that is there.
        whole = frozenset(p for p, o in decided.items() if is_keyed or o.verdict != PUBLISHED or o.waiting)
        reference_index.write(lake, feed, index, bases, whole, found.candidate.referenced)
    known = delta.fingerprints(lake.store, accounting.TABLE.path)
    lost = vanished.find(lake, state, found, known)
    if decided and (force or any(known.get(name) != value for name, value in accounted.items())):
        rows = found.accounts().with_columns(pl.lit(run_id).alias("run_id"))
        accounting.write(lake.store, accounts, feed.name, accounted, rows, lost.marks)
    inputs = {partition: found.inputs[partition] for partition in decided}
    if _differ(state.by_rule, inputs, force=force):
        _replace(lake, feed.by_rule, by_rule, [found.by_rule()], inputs)
    bears = {
        partition: without_rows(value) if decided[partition].expired else value for partition, value in inputs.items()
    }
    if _differ(state.quarantine, bears | held, force=force):
        _replace(lake, feed.quarantine, quarantine, found.kept(), bears, held)
    commits = {
        partition: value for partition, value in inputs.items()
        if partition != UNDATED and (
            decided[partition].verdict == PUBLISHED
            or (decided[partition].verdict == OUTSIDE and partition in state.silver)
        )
    }  # fmt: skip
    versions = found.candidate.history
    if feed.history and history and versions and _differ(state.history, commits, force=force):
        _replace(lake, feed.history, history, versions, commits)
    if _differ(state.silver, commits, force=force):
        _replace(lake, feed.silver, silver, found.candidate.valid, commits)
    return [replace(outcome, vanished=lost.new.get(outcome.partition, 0)) for outcome in found.outcomes]


def _differ(stored: Mapping[str, int], wanted: Mapping[str, int], *, force: bool) -> bool:
    return any(force or stored.get(name) != value for name, value in wanted.items())


def evaluate(lake: Lake, feed: Feed, partitions: list[str], hypothetical: tuple[Decision, ...] = ()) -> Evaluation:
    """Compute what the candidates of some partitions would be, and what would become of them. Writes nothing.

    Args:
        hypothetical: Decisions that are not taken: what if they were?
    """
    ledger = lake.ledger_of(feed)
    state = FeedState.read(lake, feed, ledger, hypothetical)
    return _evaluate(lake, state, [partition for partition in partitions if partition in state.inputs])


def _evaluate(lake: Lake, state: FeedState, partitions: list[str]) -> Evaluation:
    misplaced = in_other_buckets(state.feed, state.ledger)
    bronze, live, lost = _records(lake, state, [] if misplaced else partitions)
    lost |= dict.fromkeys(partitions, misplaced) if misplaced else {}
    landings, there = landings_of(state.feed, state.ledger), reference_values.there(lake, state.feed)
    pieces = (compute(state.feed, _ordered(piece, state), state.outside, landings, there) for piece in bronze)
    candidate = together(pieces, Folder() if len(bronze) > 1 else None)
    if candidate.referenced is not None:
        bases = {partition: state.bases[partition] for partition in partitions}
        inputs = reference_index.inputs_of(lake, state.feed, bases, candidate.referenced)
        state = replace(state, inputs=state.inputs | inputs)
    outcomes = outcomes_of(state.feed, live, partitions, candidate, state, lost)
    return Evaluation(candidate, live, outcomes, state.inputs)


def _ordered(piece: Rows, state: FeedState) -> pl.DataFrame:
    """Return the records of a piece by partition, source key and line: those that decisions move come last."""
    records = piece.frame()
    return records.sort("_part", "_source_key", "_line", maintain_order=True) if state.effects else records


def _records(lake: Lake, state: FeedState, partitions: list[str]) -> tuple[list[Rows], pl.DataFrame, dict[str, str]]:
    """Return the records of some partitions, how many there should be, and which partitions cannot be read, and why."""
    sources = {place.partition for place in state.effects.values()}  # records may move from one to another
    live = state.ledger.live_of({*partitions, *sources})

    def read(some: list[str]) -> tuple[list[Rows], pl.DataFrame]:
        limit = lake.settings.publish_batch_rows
        portions, expected = records(lake, state.feed, live, some, state.effects, limit)
        return sorted_out(state.feed, portions, int(expected["rows"].sum()), limit), expected

    try:
        return *read(partitions), {}
    except delta.UNREADABLE as error:
        lost = unreadable(lake, state.feed, live.filter(pl.col("part").is_in(partitions)))
        if not lost:
            raise StorageError(" ".join(str(error).split())) from error
    rest = [partition for partition in partitions if partition not in lost]
    return *read(rest), lost


def open_declared(lake: Lake, table: Table) -> "DeltaTable":
    """Open a declared table, creating it when there is none."""
    return open_table(lake.store, table.path, table.types, table.partitioning)


def _replace(
    lake: Lake,
    declared: Table,
    table: "DeltaTable",
    rows: Iterable[pl.DataFrame],
    partitions: dict[str, int],
    marks: dict[str, int] | None = None,
) -> None:
    chosen = pl.col("_part").is_in(sorted(partitions))
    frames = (frame.filter(chosen).select(*declared.columns) for frame in rows)
    predicate = declared.partitioning.sql_predicate(partitions)
    delta.replace(lake.store, table, delta.as_arrow(frames), predicate, partitions | (marks or {}))
