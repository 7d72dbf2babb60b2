"""The service that forgets a person: what exists about them, and how every part of it is removed.

The decision is recorded first: from then on no run takes the person's records. Every step is idempotent: after a crash,
run the command again. Where nobody is found the decision stands all the same, and no earlier version of a table is
removed. Not here: who is meant, and how a command shows what was found.
"""

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import replace

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.contracts.wording import counted
from lakehouse_assets.decisions import recorded
from lakehouse_assets.erasure.evidence import reports
from lakehouse_assets.erasure.protocol import Erasures
from lakehouse_assets.forgetting import bronze, history, tables
from lakehouse_assets.forgetting import decisions as decided
from lakehouse_assets.forgetting.find import InBronze, corrected, without_lines
from lakehouse_assets.forgetting.found import Found
from lakehouse_assets.forgetting.landing import clean_all
from lakehouse_assets.forgetting.request import Request
from lakehouse_assets.pipeline.pending import FeedState, ModelState

Elsewhere = Callable[[Found], None]
"""Forgets the person in what is not part of the lake, and adds to what was found."""


def look(request: Request, elsewhere: Elsewhere) -> Found:
    """Return what there is of a person. Writes nothing."""
    erasures, found, held = request.erasures, Found(), InBronze()
    known_lines = corrected(erasures)
    clean_all(request, known_lines, found, dry_run=True)
    held.search(erasures, known_lines)
    _add(found, held)
    for table, rows in tables.theirs(erasures):
        found.add(table.full_name, "records", sum(rows.values()))
    elsewhere(found)
    return found


def _add(found: Found, held: InBronze) -> None:
    found.add("bronze", "contents", len(held.lines))
    found.add("bronze", "records", held.records)
    found.unsearched += held.unsearched
    found.partitions |= held.partitions


def forget(
    request: Request,
    run: Callable[[], object],
    elsewhere: Elsewhere,
    progress: Callable[[str], None] = lambda _: None,
) -> Found:
    """Erase a person from the lake.

    Args:
        run: Brings all tables up to date with landing and decisions.
        progress: Called with the name of each step.

    Raises:
        StorageError: The storage refused; what was done stands.
    """
    lake, feed = request.erasures.lake, request.erasures.feed
    found = _erase_inputs(lake, feed, request, progress)
    if found.counts or request.is_unfinished:
        run()
    erasures = Erasures.load(lake, feed)
    taken = tables.take_out(erasures)
    for table, rows in taken.items():
        found.add(table, "records of held or pinned dates", rows)
    if taken:
        run()
    progress("earlier versions and Dagster")
    _erase_history(request, erasures, found)
    elsewhere(found)
    _finish(request, erasures, found)
    return found


def _erase_inputs(lake: Lake, feed: Feed, request: Request, progress: Callable[[str], None]) -> Found:
    """Take a person out of what everything follows from: landing, bronze, the ledger, decisions."""
    # As of the beginning of the erasure: when the command is repeated, the releases are already out of date.
    decision = request.decision
    if request.is_new:
        decision = replace(decision, released=decided.released(lake, feed))
        recorded.record(lake.store, decision)
    progress("landing")
    found, held, known_lines = Found(), InBronze(), corrected(request.erasures)
    held.search(request.erasures, known_lines)
    # An earlier contract may have matched other lines than the present one does.
    either = {content: known_lines.get(content, frozenset()) | lines for content, lines in held.lines.items()}
    landed = clean_all(request, {**known_lines, **either}, found)
    held.lines = without_lines(Erasures.load(lake, feed), landed.contents) | held.lines
    released = decided.released(lake, feed) | dict(decision.released)
    progress("bronze and the ledger")
    texts = bronze.replace(lake, feed, held, known_lines, landed, request.redact)
    _add(found, held)
    found.add("ops.ledger", "texts", texts)
    progress("decisions")
    found.add("decisions", "changed", decided.rewrite(lake, feed, request.redact))
    decided.release_again(lake, feed, released)
    found.add("decisions", "unpinned", decided.unpin_gold(lake, feed, found.partitions))
    return found


def _erase_history(request: Request, erasures: Erasures, found: Found) -> None:
    """Take a person out of what the lake was before: old contents, files of dead writers, earlier versions."""
    lake, feed = erasures.lake, erasures.feed
    found.add("bronze", "old files removed", len(history.forget_bronze(erasures)))
    found.add("ops", "unused indexes of references removed", len(history.forget_unused_indexes(lake, feed)))
    # First what is theirs for certain. Earlier versions of tables go only if there was anything of the person at all.
    for versions in (False, True):
        for folder in history.folders(lake, feed) if not versions or found.counts or request.is_unfinished else []:
            gone = history.forget_past(erasures, folder, versions=versions)
            found.add(folder.replace("/", "."), "old files removed", len(gone))
    history.forget_temporary(lake)


def _finish(request: Request, erasures: Erasures, found: Found) -> None:
    """Keep the report if everything is done; else say what is not."""
    lake, feed, decision = erasures.lake, erasures.feed, request.decision
    held = InBronze()
    held.search(erasures, {})
    found.problems += [f"bronze.{feed.name}: {counted(held.records, 'record')}"] if held.records else []
    for table, rows in tables.theirs(erasures):
        found.problems += [f"{table.full_name} {part}: {counted(count, 'row')}" for part, count in rows.items()]
    if found.counts or request.is_unfinished:
        models = decided.downstream(lake, feed)
        pending = {model.table.full_name: ModelState.read(lake, model).pending for model in models}
        pending[feed.silver.full_name] = FeedState.of(lake, feed).pending
        found.problems += [f"{name}: {counted(len(p), 'partition')} pending" for name, p in pending.items() if p]
    found.problems += [f"not searched: {one}" for one in found.unsearched]
    if found.problems:
        return
    about = ("feed", "column", "digest", "who", "why")
    report = {name: getattr(decision, name) for name in about} | {
        "decided_at": decision.at,
        "counts": [{"place": place, "what": what, "count": n} for (place, what), n in found.counts.items()],
        "landed": [{"key": key, "before": before, "after": after} for key, before, after in found.objects],
    }
    found.report = f"{reports(feed.name)}/{decision.id}-{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%S%f}.json"
    lake.store.create(found.report, json.dumps(report, indent=1).encode())
