"""What is pending: where the fingerprints of inputs differ from those that are published.

Everything follows from the lake root alone; no memory of events takes part. Not here: what a fingerprint is made of,
and doing the pending work.
"""

import datetime as dt
from dataclasses import dataclass, field, replace
from functools import cached_property

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed, Model
from lakehouse_assets.contracts.partitioning import UNDATED, WHOLE, Partitioning, as_date
from lakehouse_assets.contracts.periods import last_day
from lakehouse_assets.decisions.kinds import Correct, Decision, OnRecord
from lakehouse_assets.decisions.recorded import Decisions
from lakehouse_assets.ledger.ledger import FeedLedger
from lakehouse_assets.pipeline import accounting, as_of_index, reference_index
from lakehouse_assets.pipeline.corrections import Effect, Place, effects
from lakehouse_assets.pipeline.inputs import fingerprint, fingerprints_by_date, input_fingerprints, without_rows
from lakehouse_assets.pipeline.pins import Pin, decision_folder, pins_of
from lakehouse_assets.pipeline.state_cache import cached
from lakehouse_assets.storage import delta, delta_log

HELD = "held:"


@dataclass(frozen=True)
class FeedState:
    """A feed's partitions: the fingerprints of their inputs now, and those that are published or held.

    Attributes:
        ledger: The part of the ledger whose records count.
        bases: The fingerprints without what is missing of awaited references; the same as `inputs` without any.
        unread: Partitions of which nobody knows yet what they reference.
        missing: How many referenced values are missing for a partition, where any is.
    """

    feed: Feed
    inputs: dict[str, int]
    outside: frozenset[str]
    silver: dict[str, int]
    quarantine: dict[str, int]
    by_rule: dict[str, int]
    decisions: Decisions
    effects: dict[Place, Effect]
    pins: dict[str, Pin]
    ledger: FeedLedger
    history: dict[str, int] = field(default_factory=dict)
    accounts: dict[str, int] = field(default_factory=dict)
    bases: dict[str, int] = field(default_factory=dict)
    unread: frozenset[str] = frozenset()
    missing: dict[str, int] = field(default_factory=dict)

    @classmethod
    def read(cls, lake: Lake, feed: Feed, ledger: FeedLedger, hypothetical: tuple[Decision, ...] = ()) -> "FeedState":
        """Compute the input fingerprints from a ledger and read the published ones.

        Args:
            hypothetical: Decisions that are not taken: what if they were?
        """
        logs = [delta_log.read(lake.store, t.path) for t in (*feed.typed, feed.quarantine, feed.by_rule)]
        decisions = Decisions(Decisions.load(lake.store, feed.name).taken + hypothetical)
        accounts = accounting.known(lake.store, feed.name)
        basis = (
            feed,
            feed.version,
            ledger,
            *logs,
            accounts,
            decisions.taken,
            lake.today(feed),
            lake.settings.start_date,
            *reference_index.logs(lake, feed),
        )
        return cached(lake, feed.silver, basis, lambda: cls._computed(lake, feed, ledger, decisions, logs, accounts))

    @classmethod
    def _computed(
        cls,
        lake: Lake,
        feed: Feed,
        ledger: FeedLedger,
        decisions: Decisions,
        logs: list[delta_log.Log],
        accounts: dict[str, int],
    ) -> "FeedState":
        silver, *history, quarantine, by_rule = (dict(log.transactions) for log in logs)
        counting = current(feed, ledger, decisions)
        found = effects(feed, decisions.on_records(_live_among(counting, decisions)))
        # Also where a decision of the past moved a record: taken back or stale, it leaves an empty date behind.
        moved = {d.partition_to for d in decisions.taken if isinstance(d, Correct) and d.partition_to}
        partitions = sorted({*ledger.partitions, *moved, *(effect.partition_to for effect in found.values())})
        outside = lake.outside(feed, partitions)
        bases = input_fingerprints(feed, counting, partitions, outside, found)
        pins = pins_of(decisions, feed.silver)
        known = history[0] if history else {}
        state = cls(
            feed, bases, outside, silver, quarantine, by_rule, decisions, found, pins, counting, known, accounts, bases
        )
        if not feed.awaited:
            return state
        now = reference_index.standing(lake, feed, bases, silver)
        return replace(state, inputs=now.inputs, unread=now.unread, missing=now.missing)

    @classmethod
    def of(cls, lake: Lake, feed: Feed) -> "FeedState":
        """Read the state of a feed as it stands."""
        return cls.read(lake, feed, lake.ledger_of(feed))

    def is_released(self, partition: str) -> bool:
        """Return whether a person decided to publish the partition's present candidate whatever its score."""
        return (partition, self.inputs[partition]) in self.decisions.released

    def is_published(self, partition: str) -> bool:
        """Return whether silver holds the partition's present candidate."""
        return self.silver.get(partition) == self.inputs[partition]

    def is_held(self, partition: str) -> bool:
        """Return whether the gate holds the partition's present candidate, whose quarantined rows are then there."""
        held = self.quarantine.get(HELD + partition) == self.inputs[partition] != self.silver.get(partition)
        has_rows = self.quarantine.get(partition) == self.inputs[partition]
        return held and has_rows and not self.is_released(partition) and partition not in self.pins

    @cached_property
    def expired_before(self) -> dt.date | None:
        """The business date before which quarantined rows are not kept; None to keep all of them."""
        return self.decisions.expired_before

    def is_expired(self, partition: str) -> bool:
        """Return whether the partition's quarantined rows are not kept, unless the gate holds it."""
        date = as_date(partition)
        if date is None or self.expired_before is None:
            return False
        return last_day(date, self.feed.partition_by) < self.expired_before

    def has_expired(self, partition: str) -> bool:
        """Return whether the present candidate's quarantined rows were left out, or removed, as decided."""
        return self.is_expired(partition) and self.quarantine.get(partition) == without_rows(self.inputs[partition])

    def is_pending(self, partition: str) -> bool:
        """Return whether the partition's present candidate has not been decided."""
        now = self.inputs[partition]
        if partition in self.pins:
            return self.silver.get(partition, 0) != self.pins[partition].fingerprint
        if partition in self.unread or accounting.has_other_inputs(self.accounts.get(partition, 0), now):
            return True
        # A date that has expired may have its rows still: removing them is for maintenance, and changes nothing else.
        if self.by_rule.get(partition) != now or not (
            self.quarantine.get(partition) == now or self.has_expired(partition)
        ):
            return True
        if partition == UNDATED or (partition in self.outside and partition not in self.silver):
            return False
        return self.silver.get(partition) != now and not self.is_held(partition)

    @cached_property
    def pending(self) -> list[str]:
        """Partitions whose candidate has to be computed, sorted."""
        return [partition for partition in self.inputs if self.is_pending(partition)]

    @cached_property
    def held(self) -> list[str]:
        """Partitions that the gate holds, sorted."""
        return [partition for partition in self.inputs if self.is_held(partition)]


def current(feed: Feed, ledger: FeedLedger, decisions: Decisions) -> FeedLedger:
    """Return the part of a feed's ledger that counts: not retracted; of the newest delivery only, where declared."""
    counting = ledger.without(decisions.retracted)
    return counting if feed.snapshot == "union" else counting.newest(feed.delivered_at)


def _live_among(ledger: FeedLedger, decisions: Decisions) -> list[str]:
    """Return the contents of records that were decided on and are live."""
    contents = {decision.source_hash for decision in decisions.taken if isinstance(decision, OnRecord)}
    return ledger.live_of_contents(pl.Series(list(contents)))["source_hash"].to_list() if contents else []


@dataclass(frozen=True)
class ModelState:
    """A model's partitions: the fingerprints of what it reads now, and those that it was built from."""

    model: Model
    inputs: dict[str, int]
    built: dict[str, int]
    pins: dict[str, Pin]

    @classmethod
    def read(cls, lake: Lake, model: Model) -> "ModelState":
        """Read the fingerprints of the model's table and of the tables that it reads."""
        read = [_state_of(lake, name) for name in model.upstream]
        log = delta_log.read(lake.store, model.table.path)
        decisions = Decisions.load(lake.store, decision_folder(model.table))
        basis = (model, log, decisions.taken, *read, *as_of_index.logs(lake, model))
        return cached(lake, model.table, basis, lambda: cls._computed(lake, model, log, decisions))

    @classmethod
    def _computed(cls, lake: Lake, model: Model, log: delta_log.Log, decisions: Decisions) -> "ModelState":
        # Of a history that is joined as of a time, only the versions count that the rows of a date use.
        joined = {join.history for join in lake.registry.as_of(model)}
        upstream = {name: _published(lake, name) for name in model.upstream if name not in joined}
        upstream |= {"as of": as_of_index.standing(lake, model)} if joined else {}
        built, pins = dict(log.transactions), pins_of(decisions, model.table)
        # What reads no table, such as a calendar, waits for none.
        if upstream and not any(upstream.values()):
            return cls(model, {}, built, pins)
        if model.layout is Partitioning.SNAPSHOT:
            return cls(model, {WHOLE: fingerprint([model.version, upstream])}, built, pins)
        dates = sorted(
            {partition for partitions in upstream.values() for partition in partitions if as_date(partition)}
        )
        inputs = fingerprints_by_date(model.version, upstream, dates)
        return cls(model, inputs, built, pins)

    def is_pending(self, partition: str) -> bool:
        """Return whether the partition was built from other inputs than the present ones, or than its pin says."""
        wanted = self.pins[partition].fingerprint if partition in self.pins else self.inputs[partition]
        return self.built.get(partition, 0) != wanted

    @cached_property
    def pending(self) -> list[str]:
        """Partitions that have to be built, sorted."""
        return [partition for partition in self.inputs if self.is_pending(partition)]


def _state_of(lake: Lake, full_name: str) -> object:
    """Return what the fingerprints of a table that a model reads follow from."""
    table = lake.registry.table(full_name)
    if table.layer == "bronze":
        return lake.counting(lake.registry.feed(table.name))
    return delta_log.read(lake.store, table.path)


def _published(lake: Lake, full_name: str) -> dict[str, int]:
    """Return the fingerprints of a table by partition; of one by bucket, which is always read whole, one for all."""
    table = lake.registry.table(full_name)
    if table.layer == "bronze":
        live = lake.counting(lake.registry.feed(table.name)).live.sort("part", "source_hash")
        by_partition = live.group_by("part", maintain_order=True).agg("source_hash", "source_key")
        found = {partition: fingerprint(sources) for partition, *sources in by_partition.iter_rows()}
    else:
        stored = delta.fingerprints(lake.store, table.path)
        found = {partition: value for partition, value in stored.items() if not partition.startswith(HELD)}
    if table.partitioning is Partitioning.BY_BUCKET:
        return {WHOLE: fingerprint(found)} if found else {}
    return found
