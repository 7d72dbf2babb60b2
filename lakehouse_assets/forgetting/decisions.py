"""Rewriting decisions after an erasure: they name the new contents and no longer hold the person's values.

A decision on an erased record keeps who took it and when, and loses its values and its record. Not here: new decisions.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed, Model
from lakehouse_assets.contracts.partitioning import Partitioning, is_by_date
from lakehouse_assets.decisions import recorded
from lakehouse_assets.decisions.kinds import Accept, Correct, Decision, OnRecord, Pin, Release, Retract
from lakehouse_assets.erasure.evidence import Evidence
from lakehouse_assets.erasure.matching import MARK
from lakehouse_assets.erasure.protocol import Erasures
from lakehouse_assets.pipeline.pending import FeedState
from lakehouse_assets.pipeline.pins import decision_folder


def rewrite(lake: Lake, feed: Feed, redact: Callable[[str], str]) -> int:
    """Bring the decisions about a feed up to date with the new contents, without the value; return how many changed.

    Corrections of other people's records stay as they are, except for values in the identifying columns.
    """
    erasures = Erasures.load(lake, feed)
    hashes, people = _replaced(lake, feed, erasures.evidence), erasures.people
    columns = {feed.sources[column].headers[0]: column for column in people.columns}

    def change(decision: Decision) -> Decision:
        changed = replace(decision, who=redact(decision.who), why=redact(decision.why))
        if isinstance(changed, (Accept, Retract)) and changed.object_hash is not None:
            return replace(changed, object_hash=hashes.get(changed.object_hash, changed.object_hash))
        if not isinstance(changed, OnRecord):
            return changed
        changed = replace(changed, source_hash=hashes.get(changed.source_hash, changed.source_hash))
        if changed.line in erasures.evidence.blank_lines(changed.source_hash):
            changed = replace(changed, line=None)
            return replace(changed, partition_to=None, values={}) if isinstance(changed, Correct) else changed
        if not isinstance(changed, Correct):
            return changed
        theirs = {
            header: MARK
            for header in changed.values.keys() & columns.keys()
            if people.in_values(columns[header], pl.Series([changed.values[header]], dtype=pl.String)).any()
        }
        return replace(changed, values={**changed.values, **theirs})

    return recorded.rewrite(lake.store, feed.name, change)


def _replaced(lake: Lake, feed: Feed, evidence: Evidence) -> dict[str, str]:
    """Return the contents and objects that the ledger no longer knows, with what it knows in their place."""
    rows = lake.ledger_of(feed).rows
    known = {*rows["source_hash"], *rows["object_hash"]}
    found: dict[str, str] = {}
    for before in evidence.before.keys() - known:
        afters = [erased.after for erased in evidence.of_before(before) if erased.after in known]
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
    changed = 0
    # What a feed without dates publishes goes into every date of what reads it.
    is_whole = not all(map(is_by_date, partitions))
    for model in downstream(lake, feed):
        folder = decision_folder(model.table)
        pins = recorded.Decisions.load(lake.store, folder).active_of(Pin)
        pinned = {partition for decision in pins for partition in decision.pins}
        gone = pinned if model.layout is Partitioning.SNAPSHOT or is_whole else pinned & partitions
        changed += repin(lake, folder, model.table.full_name, dict.fromkeys(gone)) if gone else 0
    return changed


def downstream(lake: Lake, feed: Feed) -> list[Model]:
    """Return the models that read a feed, or another of them."""
    models = list[Model]()
    names = {table.full_name for table in feed.tables}
    for model in lake.registry.models.values():  # each after those that it reads
        if not names.isdisjoint(model.upstream):
            models.append(model)
            names.add(model.table.full_name)
    return models
