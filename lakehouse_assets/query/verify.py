"""`lakehouse verify`: computes everything again from what is stored, and reports every disagreement.

The ledger, bronze, quarantine, accounting, silver and gold must agree. Bronze must hold what a sample of the landed
originals says (all of them with `--deep`). Nothing is written. A difference that a pending run would remove is left
out.
"""

from collections.abc import Iterator
from functools import partial

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed, Model, Table
from lakehouse_assets.contracts.partitioning import UNDATED
from lakehouse_assets.decisions.recorded import Decisions
from lakehouse_assets.ledger.ledger import TABLE as LEDGER
from lakehouse_assets.ledger.ledger import ledger_of
from lakehouse_assets.maintenance import retired
from lakehouse_assets.pipeline import (
    accounting,
    as_of_index,
    gold,
    gold_on_spark,
    packs,
    reference_index,
    repair,
    silver,
)
from lakehouse_assets.pipeline.batches import batches, rows_by_partition
from lakehouse_assets.pipeline.gate import OUTSIDE, PUBLISHED, UNACCOUNTED, Evaluation, Outcome
from lakehouse_assets.pipeline.model_inputs import upstream_rows
from lakehouse_assets.pipeline.pending import FeedState, ModelState
from lakehouse_assets.pipeline.pins import Pin, decision_folder, restored
from lakehouse_assets.query import bronze_checks, originals, table_checks
from lakehouse_assets.query.table_checks import Finding, guarded
from lakehouse_assets.serving.destinations import destinations
from lakehouse_assets.storage.stores import StorageError

_ACCOUNT = ["part", "source_key", "source_hash", "landed", "valid", "quarantined", "waiting", "duplicates", "discarded",
            "erased", "published", "held", "verdict", "score"]  # fmt: skip


def verify(lake: Lake, *, deep: bool = False) -> Iterator[Finding]:
    """Yield every disagreement: what everything rests on first, then feed by feed, then gold, then the catalog.

    Args:
        deep: Read every landed original again, not only a sample.
    """
    yield from (Finding("declarations", "", str(broken)) for broken in lake.registry.broken)
    basis = [*guarded(LEDGER.full_name, partial(table_checks.files, lake, LEDGER)), *_decisions(lake)]
    yield from basis
    feeds, models = lake.registry.feeds.values(), lake.registry.models.values()
    declared = [table for feed in feeds for table in feed.tables if table is not feed.bronze]
    declared += reference_index.tables(feeds) + as_of_index.tables(lake, models)
    for table in (accounting.TABLE, packs.TABLE, *declared, *(model.table for model in models)):
        yield from guarded(table.full_name, partial(table_checks.files, lake, table))
    for one in retired.find(lake):
        for table in (table for table in one.tables if table.layer != "bronze"):
            yield from guarded(table.full_name, partial(table_checks.files, lake, table))
    if basis:  # without a readable ledger nothing else can be checked
        return
    for feed in feeds:
        yield from guarded(feed.bronze.full_name, partial(bronze_checks.stored, lake, feed))
        yield from guarded(feed.bronze.full_name, partial(originals.disagreements, lake, feed, deep=deep))
        yield from guarded(feed.silver.full_name, partial(_silver, lake, feed))
    yield from guarded(accounting.TABLE.full_name, partial(_unknown_accounts, lake))
    for model in models:
        yield from guarded(model.table.full_name, partial(_model, lake, model))
    yield from guarded("catalog", partial(_catalogs, lake))


def _decisions(lake: Lake) -> Iterator[Finding]:
    about = [*lake.registry.feeds, *(decision_folder(model.table) for model in lake.registry.models.values())]
    for name in about:
        try:
            Decisions.load(lake.store, name)
        except StorageError as error:
            yield Finding("decisions", "", str(error))


def _silver(lake: Lake, feed: Feed) -> Iterator[Finding]:
    """Compute every decided candidate again, and compare it with what is published, quarantined and accounted for."""
    ledger = lake.ledger_of(feed)
    state = FeedState.read(lake, feed, ledger)
    decided = [
        partition for partition in state.inputs if partition not in state.pins and not state.is_pending(partition)
    ]
    for partitions in batches(decided, rows_by_partition(ledger.live), lake.settings.publish_batch_rows):
        found = silver.evaluate(lake, feed, partitions)
        lost = [outcome for outcome in found.outcomes if outcome.verdict == UNACCOUNTED]
        for outcome in lost:
            yield Finding(feed.silver.full_name, outcome.partition, str(outcome.problem))
        sound = [outcome for outcome in found.outcomes if outcome not in lost]
        names, silver_name = [outcome.partition for outcome in sound], feed.silver.full_name
        kept = _kept(found, state)
        yield from table_checks.rows(lake, feed.silver, _written(sound, state), found.candidate.valid, silver_name)
        if feed.history is not None and (versions := found.candidate.history) is not None:
            yield from table_checks.rows(lake, feed.history, _written(sound, state), versions, silver_name)
        yield from table_checks.rows(lake, feed.quarantine, names, kept, silver_name)
        yield from table_checks.rows(lake, feed.by_rule, names, [found.by_rule()], silver_name)
        yield from _accounts(lake, feed, names, found.accounts())
        for partition in names:
            if found.inputs[partition] != state.inputs[partition]:
                what = "what its records reference is not what the index of references says; "
                what += repair.of_rows(silver_name, partition)
                yield Finding(reference_index.table_of(feed).full_name, partition, what)
    yield from _pinned(lake, feed.silver, {p: pin for p, pin in state.pins.items() if not state.is_pending(p)})
    for table in feed.typed:
        yield from table_checks.unknown_partitions(lake, table, set(state.inputs) - {UNDATED})
    for table in (feed.quarantine, feed.by_rule):
        yield from table_checks.unknown_partitions(lake, table, set(state.inputs))


def _kept(found: Evaluation, state: FeedState) -> Iterator[pl.DataFrame]:
    """Yield the rows that quarantine should hold: of an expired date none, once its fingerprint says so.

    Until maintenance has been there, for which it may have been killed, they are all to be there still.
    """
    gone = [partition for partition in state.inputs if state.has_expired(partition)]
    yield from (rows.filter(~pl.col("_part").is_in(gone)) for rows in found.candidate.quarantined)


def _written(outcomes: list[Outcome], state: FeedState) -> list[str]:
    """Return the partitions whose silver is this candidate; a held date keeps the version before."""
    outside = [o.partition for o in outcomes if o.verdict == OUTSIDE and o.partition in state.silver]
    return [o.partition for o in outcomes if o.verdict == PUBLISHED] + outside


def _accounts(lake: Lake, feed: Feed, partitions: list[str], expected: pl.DataFrame) -> Iterator[Finding]:
    of_feed = accounting.scan_accounting(lake.store).filter(pl.col("feed") == feed.name)
    there = of_feed.filter(pl.col("part").is_in(partitions)).select(_ACCOUNT).collect()
    wanted = expected.select(pl.col(name).cast(there.schema[name]) for name in _ACCOUNT)
    for partition in partitions:
        is_it = pl.col("part") == partition
        has, should = (set(rows.filter(is_it).iter_rows()) for rows in (there, wanted))
        if has != should or there.filter(is_it).height != len(has):
            keys = sorted({row[1] for row in has ^ should}) or ["a source object that is there twice"]
            what = f"what became of the records of {', '.join(keys[:3])} is not what follows from what is live; "
            what += repair.of_rows(feed.silver.full_name, partition)
            yield Finding(accounting.TABLE.full_name, f"{feed.name} {partition}", what)


def _unknown_accounts(lake: Lake) -> Iterator[Finding]:
    known = {
        (feed.name, partition) for feed in lake.registry.feeds.values() for partition in FeedState.of(lake, feed).inputs
    }
    may_be_declared = any(broken.may_be_feed for broken in lake.registry.broken)
    rows = accounting.scan_accounting(lake.store).select("feed", "part").unique().collect()
    # Of a retired feed the ledger still tells what landed.
    others = set(rows["feed"].unique()) - lake.registry.feeds.keys()
    known |= {(feed, partition) for feed in others for partition in ledger_of(lake.store, feed).partitions}
    for feed, partition in rows.iter_rows():
        if (feed, partition) not in known and (feed in lake.registry.feeds or not may_be_declared):
            yield Finding(accounting.TABLE.full_name, f"{feed} {partition}", "nothing ever landed for it")


def _pinned(lake: Lake, table: Table, pins: dict[str, Pin]) -> Iterator[Finding]:
    """Compare pinned partitions with the version that they are pinned to, as long as that can be read."""
    for version in sorted({pin.version for pin in pins.values()}):
        of_version = {partition: pin for partition, pin in pins.items() if pin.version == version}
        try:
            then = restored(lake, table, of_version)
        except StorageError:  # once restored, a partition no longer needs the files of the old version
            continue
        yield from table_checks.rows(
            lake, table, list(of_version), [then.with_columns(table_checks.partition_of(table.partitioning))]
        )


def _model(lake: Lake, model: Model) -> Iterator[Finding]:
    """Build every partition that is not pending again, and compare it with what is stored."""
    state, name = ModelState.read(lake, model), model.table.full_name
    current = [partition for partition in state.inputs if not state.is_pending(partition)]
    built = [p for p in current if p not in state.pins and not gold_on_spark.is_only_elsewhere(lake, model)]
    for partitions in batches(built, upstream_rows(lake, model), lake.settings.publish_batch_rows):
        expected = gold.compute(lake, model, partitions).with_columns(table_checks.partition_of(model.layout))
        yield from table_checks.rows(lake, model.table, partitions, [expected], name)
        for date in as_of_index.wrong(lake, model, partitions):
            what = f"the versions that its rows use are not those that the index has; {repair.of_rows(name, date)}"
            yield Finding(as_of_index.table_of(model).full_name, date, what)
    yield from _pinned(
        lake, model.table, {partition: pin for partition, pin in state.pins.items() if partition in current}
    )
    yield from table_checks.unknown_partitions(lake, model.table, set(state.inputs))


def _catalogs(lake: Lake) -> Iterator[Finding]:
    """Compare each catalog with what its last refresh wrote."""
    for catalog in destinations(lake):
        for problem in catalog.problems(lake):
            yield Finding("catalog", problem.where, problem.what)
