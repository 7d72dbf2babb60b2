"""The results of a feed's checks after a run: gate, accounting, and one per rule, over all dates of the run."""

from collections.abc import Iterator

import dagster as dg

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.contracts.wording import counted
from lakehouse_assets.ledger.ledger import Ledger
from lakehouse_assets.orchestration import events, row_checks
from lakehouse_assets.pipeline.gate import HELD_BACK, PUBLISHED, UNACCOUNTED, Outcome
from lakehouse_assets.pipeline.pending import FeedState
from lakehouse_assets.pipeline.references import missing
from lakehouse_assets.pipeline.repeated_ids import is_checked, repeated_ids
from lakehouse_assets.pipeline.unfilled import unfilled

SHOWN = 50
_CONFLICTS = "conflicting_versions"
_REPEATED = "ids_on_several_dates"


def specs_of_ids(feed: Feed, key: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """Return the check that a feed whose records have a key or an id has besides those of every feed."""
    if feed.keyed is not None:
        text = "no two records say different things of one version of a key"
        return [dg.AssetCheckSpec(_CONFLICTS, asset=key, description=text)]
    text = "no two records of dates near to each other have one id"
    return [dg.AssetCheckSpec(_REPEATED, asset=key, description=text)] if is_checked(feed) else []


def results(lake: Lake, feed: Feed, outcomes: list[Outcome]) -> Iterator[dg.AssetCheckResult]:
    """Yield the result of every check of silver."""
    key = dg.AssetKey(["silver", feed.name])
    held = [outcome for outcome in outcomes if outcome.verdict == HELD_BACK]
    lost = [outcome for outcome in outcomes if outcome.verdict == UNACCOUNTED]
    state = FeedState.read(lake, feed, Ledger.load(lake.store).of_feed(feed.name))
    standing = state.held
    yield events.TableCheckResult(
        asset_key=key,
        check_name="gate",
        passed=not standing,
        # Dates that were held before do not fail the run that has other work; they keep the check from being green.
        severity=dg.AssetCheckSeverity.ERROR if held else dg.AssetCheckSeverity.WARN,
        description="\n".join(o.message for o in held[:SHOWN])
        or f"held: {counted(len(standing), 'bucket' if feed.key else 'date')}",
        metadata={"evaluated": len(outcomes), "held": dg.MetadataValue.md(events.bullets(standing[:SHOWN]))},
    )
    yield events.TableCheckResult(
        asset_key=key,
        check_name="accounting",
        passed=not lost,
        description="\n".join(o.message for o in lost[:SHOWN]) or "every landed record is accounted for",
        metadata={
            "landed": sum(o.landed for o in outcomes),
            "valid": sum(o.valid for o in outcomes),
            "quarantined": sum(o.quarantined for o in outcomes),
            "duplicates": sum(o.duplicates for o in outcomes),
        },
    )
    vanished = [outcome.vanishing for outcome in outcomes if outcome.vanished]
    yield events.TableCheckResult(
        asset_key=key,
        check_name="rows_kept",
        passed=not vanished,
        severity=dg.AssetCheckSeverity.ERROR,
        description="\n".join(vanished[:SHOWN]) or "no published record vanished",
        metadata={"records": sum(outcome.vanished for outcome in outcomes)},
    )
    lacking = unfilled(lake, state)
    text = "\n".join(lacking[:SHOWN]) or "every published date has values in all required columns"
    yield events.warning(key, "required_columns", text, passed=not lacking, dates=len(lacking))
    if feed.keyed is not None:
        yield _conflicts(key, outcomes)
    published = [outcome.partition for outcome in outcomes if outcome.verdict == PUBLISHED]
    if is_checked(feed):
        ids = repeated_ids(lake, feed, published)
        yield events.warning(
            key, _REPEATED, ids.message, passed=not ids.records, records=ids.records, dates=len(ids.by_date)
        )
    yield from row_checks.result(lake, feed, feed.silver, key, published)
    for found in missing(lake, feed, published) if not feed.awaited else ():
        counts = {"records": found.records, "values": found.values, "among": found.among}
        yield events.warning(key, found.reference.name, found.message, passed=not found.records, **counts)
    for rule in feed.rules:
        by_partition = {o.partition: o.broken[rule] for o in outcomes if rule in o.broken}
        rows = [
            dg.TableRecord({"partition": partition, "records": count})
            for partition, count in list(by_partition.items())[:SHOWN]
        ]
        shown = {"by partition": dg.MetadataValue.table(rows)} if rows else {}
        records = sum(by_partition.values())
        yield events.warning(key, rule, _broken(outcomes, by_partition), passed=not records, records=records, **shown)


def _conflicts(key: dg.AssetKey, outcomes: list[Outcome]) -> dg.AssetCheckResult:
    """Return whether records of the run's buckets contradict each other; where some stand, and none of their values."""
    count = sum(outcome.overruled for outcome in outcomes)
    places = [place for outcome in outcomes for place in outcome.overruled_such_as][:SHOWN]
    text = "no two records say different things of one version of a key"
    if count:
        text = (
            f"{counted(count, 'record')} without effect, because another one of the same key and version says "
            f"something else, such as {places[0]}; land one version of each, or a finer versioned_by"
        )
    shown = {"such as": dg.MetadataValue.md(events.bullets(places))}
    return events.warning(key, _CONFLICTS, text, passed=not count, records=count, **shown)


def _broken(outcomes: list[Outcome], by_partition: dict[str, int]) -> str:
    """Return how many records break a rule, and of which partitions that is said: those of the run, and no others."""
    partitions = sorted(outcome.partition for outcome in outcomes)
    if not partitions:
        return "this run computed no partition"
    several = f"the {len(partitions):,} partitions of this run, {partitions[0]} to {partitions[-1]}"
    which = several if len(partitions) > 1 else f"{partitions[0]}, the only partition of this run"
    if not by_partition:
        return f"{which}: no record breaks it"
    return f"{which}: {sum(by_partition.values()):,} in quarantine for it"
