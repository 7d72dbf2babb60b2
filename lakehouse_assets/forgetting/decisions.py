"""Rewriting decisions after an erasure: they name the new contents and no longer hold the person's values.

A decision on an erased record keeps who took it and when, and loses its values and its record. Not here: new decisions.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed, Model
from lakehouse_assets.contracts.partitioning import Partitioning
from lakehouse_assets.decisions import recorded
from lakehouse_assets.decisions.kinds import Accept, Correct, Decision, OnRecord, Pin, Release
from lakehouse_assets.erasure.evidence import Erasures
from lakehouse_assets.erasure.matching import BLANK, followed, have
from lakehouse_assets.pipeline.pending import FeedState
from lakehouse_assets.pipeline.pins import decision_folder


def rewrite(lake: Lake, feed: Feed, redact: Callable[[str], str]) -> int:
    """Bring the decisions about a feed to the contents of now, without the value; return how many changed.

    What people changed of others' records stays as it is, whatever it says: only the columns that tell a person count.
    """
    erasures = Erasures.load(lake.store, feed.name)
    hashes = _given_up(lake, feed, erasures)
    keys = {feed.sources[column].headers[0]: column for column in followed(feed, erasures)}

    def change(decision: Decision) -> Decision:
        changed = replace(decision, who=redact(decision.who), why=redact(decision.why))
        if isinstance(changed, Accept) and changed.object_hash is not None:
            return replace(changed, object_hash=hashes.get(changed.object_hash, changed.object_hash))
        if not isinstance(changed, OnRecord):
            return changed
        changed = replace(changed, source_hash=hashes.get(changed.source_hash, changed.source_hash))
        if changed.line in erasures.blank_lines(changed.source_hash):
            changed = replace(changed, line=None)
            return replace(changed, partition_to=None, values={}) if isinstance(changed, Correct) else changed
        if not isinstance(changed, Correct):
            return changed
        told = {
            header: f"({BLANK})"
            for header in changed.values.keys() & keys.keys()
            if have(feed, erasures, keys[header], pl.Series([changed.values[header]])).any()
        }
        return replace(changed, values={**changed.values, **told})

    return recorded.rewrite(lake.store, feed.name, change)


def _given_up(lake: Lake, feed: Feed, erasures: Erasures) -> dict[str, str]:
    """Return the contents and objects that the ledger no longer knows, with what it knows in their place."""
    rows = lake.ledger_of(feed).rows
    known = {*rows["source_hash"], *rows["object_hash"]}
    found: dict[str, str] = {}
    for before in erasures.before.keys() - known:
        afters = [erased.after for erased in erasures.of_before(before) if erased.after in known]
        found |= {before: afters[-1]} if afters else {}
    return found


def released(lake: Lake, feed: Feed) -> dict[str, int]:
    """Return the partitions that a release publishes now, with the fingerprints of their inputs."""
    state = FeedState.of(lake, feed)
    return {partition: value for partition, value in state.inputs.items() if state.is_released(partition)}


def release_again(lake: Lake, feed: Feed, before: Mapping[str, int]) -> None:
    """Renew the releases that were in force before the erasure: no new data has come."""
    after = FeedState.of(lake, feed)

    def change(decision: Decision) -> Decision:
        if not isinstance(decision, Release) or decision.partition not in after.inputs:
            return decision
        is_same = decision.fingerprint == before.get(decision.partition)
        return replace(decision, fingerprint=after.inputs[decision.partition]) if is_same else decision

    recorded.rewrite(lake.store, feed.name, change)


def repin(lake: Lake, folder: str, table: str, fingerprints: Mapping[str, int | None]) -> int:
    """Change what some partitions of a table are pinned to, or unpin them (None); return how many decisions changed."""

    def change(decision: Decision) -> Decision:
        if not isinstance(decision, Pin) or decision.table != table:
            return decision
        now = {partition: fingerprints.get(partition, value) for partition, value in decision.pins.items()}
        return replace(decision, pins={partition: value for partition, value in now.items() if value is not None})

    return recorded.rewrite(lake.store, folder, change)


def unpin_gold(lake: Lake, feed: Feed, partitions: set[str]) -> int:
    """Unpin the partitions of gold that a person's records went into; return how many decisions changed."""
    return sum(_unpin(lake, model, partitions) for model in downstream(lake, feed))


def _unpin(lake: Lake, model: Model, partitions: set[str]) -> int:
    table, folder = model.table, decision_folder(model.table)
    pinned = {partition for d in recorded.Decisions.load(lake.store, folder).active_of(Pin) for partition in d.pins}
    gone = pinned if model.layout is Partitioning.SNAPSHOT else pinned & partitions
    return repin(lake, folder, table.full_name, dict.fromkeys(gone)) if gone else 0


def _reads(lake: Lake, model: Model, feed: Feed) -> bool:
    """Return whether a model follows from a feed, however far down."""
    own = {table.full_name for table in feed.tables}
    by_table = {other.table.full_name: other for other in lake.registry.models.values()}
    return any(name in own or (name in by_table and _reads(lake, by_table[name], feed)) for name in model.upstream)


def downstream(lake: Lake, feed: Feed) -> list[Model]:
    """Return the models that follow from a feed."""
    return [model for model in lake.registry.models.values() if _reads(lake, model, feed)]
