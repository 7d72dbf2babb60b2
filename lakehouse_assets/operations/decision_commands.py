"""Taking decisions: finding the record, date or object concerned, and checking that the decision is allowed.

Every function returns the decision without recording it, so that a caller can show first what it would change.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.contracts.rules import rules_of
from lakehouse_assets.decisions import kinds
from lakehouse_assets.decisions.kinds import Decision, DecisionError, OnRecord, Retract
from lakehouse_assets.decisions.recorded import Decisions
from lakehouse_assets.erasure.protocol import IS_BLANK, Erasures
from lakehouse_assets.ledger.ledger import HELD
from lakehouse_assets.ledger.standing import accepted
from lakehouse_assets.operations import referencing
from lakehouse_assets.pipeline.batches import batches, rows_by_partition
from lakehouse_assets.pipeline.bronze import read_bronze
from lakehouse_assets.pipeline.corrections import Effect, effects, partition_of
from lakehouse_assets.pipeline.gate import Outcome
from lakehouse_assets.pipeline.pending import FeedState
from lakehouse_assets.pipeline.reading import read
from lakehouse_assets.pipeline.silver import evaluate


def find_record(lake: Lake, feed: Feed, key: str, line: int) -> pl.DataFrame:
    """Return one live bronze record, as landed: bronze columns and `_part`, one row. Raises `DecisionError`."""
    live = FeedState.of(lake, feed).ledger.live.filter(pl.col("source_key") == key)
    if not live.height:
        msg = f"{feed.name} has no live source object {key!r}; its keys are in ops.ledger. Nothing was decided."
        raise DecisionError(msg)
    found = read_bronze(lake, feed, live).filter(pl.col("_line") == line).collect()
    if not found.height:
        msg = f"{key!r} has no record {line}; `_line` in quarantine.{feed.name} says where one stands."
        raise DecisionError(msg)
    if found.filter(IS_BLANK).height:
        msg = f"record {line} of {key!r} was erased, as a person asked. Nothing was decided."
        raise DecisionError(msg)
    return found


def effect_on(lake: Lake, feed: Feed, record: pl.DataFrame) -> Effect | None:
    """Return what the present decisions do to a record that `find_record` found; None if there are none."""
    place = (record["_source_hash"][0], record["_line"][0])
    return effects(feed, Decisions.load(lake.store, feed.name).on_records([place[0]])).get(place)


def broken_rules(lake: Lake, feed: Feed, record: pl.DataFrame) -> list[str]:
    """Return the ids of the rules for which a record is in quarantine; none for one that is not there.

    Where its date is pending, or its rows have expired: the rules for which it would be there.
    """
    effect = effect_on(lake, feed, record)
    partition = effect.partition_to if effect else record["_part"][0]
    state = FeedState.of(lake, feed)
    is_it = (pl.col("_source_key") == record["_source_key"][0]) & (pl.col("_line") == record["_line"][0])
    if state.quarantine.get(partition) == state.inputs[partition]:
        found = [read(lake, feed.quarantine).filter(is_it).collect()]
    else:
        found = [rows.filter(is_it) for rows in evaluate(lake, feed, [partition]).candidate.quarantined]
    return [rule for rows in found for rules in rows["rules"] for rule in rules]


def correct(
    lake: Lake, feed: Feed, key: str, line: int, values: Mapping[str, str | None], why: str, who: str | None = None
) -> Decision:
    """Give a record other raw values, by header; None for no value. The record may move to another date by it."""
    record = find_record(lake, feed, key, line)
    headers = feed.headers
    if not values or (unknown := sorted(set(values) - set(headers))):
        wrong = f"{unknown[0]!r} is not a field" if values else "no field is given"
        msg = f"{wrong}; the fields of {feed.name} are {', '.join(headers)}. Nothing was decided."
        raise DecisionError(msg)
    erasures = Erasures.load(lake, feed)
    given = record.with_columns(pl.lit(text, pl.String).alias(header) for header, text in values.items())
    if erasures and erasures.matches(given).any():
        msg = (
            "these values belong to a person who was erased; their records must not be made again. Nothing was decided."
        )
        raise DecisionError(msg)
    before = effect_on(lake, feed, record)
    after = {**(before.values if before else {}), **values}
    keys = [feed.sources[name].headers[0] for name in feed.key]
    if any(header in values for header in keys):
        # The bucket follows from the whole key, of which the decision then says everything.
        values = {**{header: after.get(header, record[header][0]) for header in keys}, **values}
        after |= values
    partition_to = partition_of(feed, after) or record["_part"][0]
    about = _about(record, key, line)
    return kinds.new(kinds.Correct, feed.name, why, who, values=dict(values), partition_to=partition_to, **about)


def waive(
    lake: Lake, feed: Feed, key: str, line: int, rules: Sequence[str], why: str, who: str | None = None
) -> Decision:
    """Lift contract rules for a record. What cannot be read cannot be waived: correct it instead."""
    record = find_record(lake, feed, key, line)
    liftable = [rule.id for rule in rules_of(feed.contract) if not rule.id.endswith("_required")]
    liftable += feed.awaited
    if not rules or (wrong := sorted(set(rules) - set(liftable))):
        what = f"{wrong[0]!r} cannot be waived" if rules else "no rule is named"
        can = (
            f"the rules of {feed.name} that can be are {', '.join(liftable)}"
            if liftable
            else (f"{feed.name} has no rule that can be: correct or discard the record")
        )
        msg = f"{what}; {can}. Nothing was decided."
        raise DecisionError(msg)
    broken = broken_rules(lake, feed, record)
    if kept := sorted(set(rules) - set(broken)):
        what = f"does not break {kept[0]!r}; it breaks {', '.join(broken)}" if broken else "is not in quarantine"
        msg = f"record {line} of {key!r} {what}. Nothing was decided."
        raise DecisionError(msg)
    return kinds.new(kinds.Waive, feed.name, why, who, rules=tuple(rules), **_about(record, key, line))


def discard(lake: Lake, feed: Feed, key: str, line: int, why: str, who: str | None = None) -> kinds.Discard:
    """Take a record out: it counts as discarded, neither valid nor quarantined."""
    record = find_record(lake, feed, key, line)
    if (effect := effect_on(lake, feed, record)) and effect.discarded:
        msg = f"record {line} of {key!r} is discarded already. Nothing was decided."
        raise DecisionError(msg)
    return kinds.new(kinds.Discard, feed.name, why, who, **_about(record, key, line))


def release(lake: Lake, feed: Feed, partition: str, why: str, who: str | None = None) -> Decision:
    """Publish a held date as it is now, whatever its score; other inputs meet the gate again."""
    state = FeedState.read(lake, feed, lake.ledger_of(feed))
    if partition not in state.held:
        held = ", ".join(state.held) or "none"
        msg = f"{partition} of {feed.name} is not held (held are: {held}). Nothing was decided."
        raise DecisionError(msg)
    return kinds.new(kinds.Release, feed.name, why, who, partition=partition, fingerprint=state.inputs[partition])


def accept(lake: Lake, feed: Feed, key: str, why: str, who: str | None = None) -> Decision:
    """Take a held object as it is, in spite of its manifest or its late dates; another version is held anew."""
    known_versions = lake.ledger_of(feed).known_versions.get(key)
    if known_versions is None or known_versions.state != HELD:
        held = ", ".join(k for k, s in lake.ledger_of(feed).known_versions.items() if s.state == HELD) or "none"
        msg = f"the object {key!r} of {feed.name} is not held (held are: {held}). Nothing was decided."
        raise DecisionError(msg)
    return kinds.new(kinds.Accept, feed.name, why, who, source_key=key, object_hash=known_versions.object_hash)


def retract(lake: Lake, feed: Feed, key: str, why: str, who: str | None = None) -> Retract:
    """Take a landed object out: these bytes do not count under this key, and the version before them, if any, does."""
    whole = accepted(lake.counting(feed).entries).select("object_key", "version", "object_hash").unique()
    found = whole.filter(pl.col("object_key") == key).sort("version")
    if not found.height:
        member = f"; a retraction takes a whole landed object, such as {key.partition('!')[0]!r}" if "!" in key else ""
        fix = "see ops.ledger for the keys" if not member else "name that one"
        msg = f"{feed.name} has no landed object {key!r} that counts{member}. Nothing was decided; {fix}."
        raise DecisionError(msg)
    digest = found["object_hash"][-1]
    if digest is None:
        msg = f"{key!r} was recorded without its hash. Nothing was decided; `lakehouse run bronze.{feed.name}` first."
        raise DecisionError(msg)
    return kinds.new(Retract, feed.name, why, who, source_key=key, object_hash=digest)


def revoke(lake: Lake, about: str, decision_id: str, why: str, who: str | None = None) -> Decision:
    """Take a decision about a feed or gold table back: what it changed is computed again without it."""
    known = {decision.id for decision in Decisions.load(lake.store, about).active}
    if decision_id not in known:
        msg = f"{about} has no active decision {decision_id!r}; see ops.decisions. Nothing was decided."
        raise DecisionError(msg)
    return kinds.new(kinds.Revoke, about, why, who, revokes=decision_id)


def _about(record: pl.DataFrame, key: str, line: int) -> dict[str, str | int]:
    return {"source_key": key, "source_hash": record["_source_hash"][0], "line": line, "partition": record["_part"][0]}


def partitions_of(lake: Lake, feed: Feed, decision: Decision) -> list[str]:
    """Return the partitions that a decision would change, if it were recorded."""
    partitions = set(decision.partitions)
    if isinstance(decision, Retract):
        ledger = lake.ledger_of(feed)
        now, then = FeedState.read(lake, feed, ledger).inputs, FeedState.read(lake, feed, ledger, (decision,)).inputs
        partitions |= {partition for partition in now if now[partition] != then[partition]}
    if isinstance(decision, OnRecord) and decision.line is not None:
        record = find_record(lake, feed, decision.source_key, decision.line)
        # An earlier decision may have moved the record: it leaves that date, too.
        partitions |= {effect.partition_to} if (effect := effect_on(lake, feed, record)) else set()
    return sorted(partitions)


@dataclass(frozen=True)
class Foreseen:
    """What would become of some partitions of a feed.

    Attributes:
        elsewhere: Which published records of other feeds would lose what they reference, in words.
    """

    outcomes: list[Outcome]
    elsewhere: list[str]


def foreseen(lake: Lake, feed: Feed, partitions: list[str], hypothetical: tuple[Decision, ...] = ()) -> Foreseen:
    """Return what would become of some partitions, computed in batches as a run does. Writes nothing."""
    ledger = lake.ledger_of(feed)
    rows, pins = rows_by_partition(ledger.live), FeedState.read(lake, feed, ledger, hypothetical).pins
    outcomes, replaced = list[Outcome](), list[str]()
    targets = referencing.targets(lake, feed)
    then = [pl.DataFrame(schema=targets)]
    for batch in batches(partitions, rows, lake.settings.publish_batch_rows):
        found = evaluate(lake, feed, batch, hypothetical)
        outcomes += found.outcomes
        passed = [outcome.partition for outcome in found.outcomes if outcome.passed and outcome.partition not in pins]
        replaced += passed
        for valid in found.candidate.valid if targets else ():
            chosen = valid.filter(pl.col("_part").is_in(passed))
            then.append(chosen.select(*targets).unique())
    lost = referencing.losing(lake, feed, replaced, pl.concat(then)) if replaced and targets else ()
    return Foreseen(outcomes, [line for each in lost for line in each.lines])
