"""The steps of forgetting one person: what exists about them, and how each part is removed.

The decision is recorded first: from then on no run takes the person's records. Every step is idempotent: after a crash,
run the command again. The caller runs the lake between `erase_inputs` and `erase_past`.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.decisions import kinds, recorded
from lakehouse_assets.decisions.kinds import DecisionError, Erase
from lakehouse_assets.decisions.recorded import Decisions
from lakehouse_assets.erasure import evidence
from lakehouse_assets.erasure.evidence import Erasures
from lakehouse_assets.erasure.landed_objects import clean
from lakehouse_assets.erasure.matching import BLANK, canonical, plain, redactor
from lakehouse_assets.erasure.search import Also, search
from lakehouse_assets.forgetting import bronze as contents
from lakehouse_assets.forgetting import decisions as decided
from lakehouse_assets.forgetting import history as past
from lakehouse_assets.forgetting import tables
from lakehouse_assets.forgetting.bronze import Held
from lakehouse_assets.parsing.archives import unpack
from lakehouse_assets.sources import manifest
from lakehouse_assets.sources.landing import key_of
from lakehouse_assets.storage.stores import AnotherVersionError, Stored

_LONG = 5
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Request:
    """Whom to forget.

    Attributes:
        decision: The standing decision; the one of before when the person was asked for already.
        erasures: All that stand for the feed, this one included.
        redact: Takes the value out of a text for people.
        is_short: The value may well stand in names of files by chance.
    """

    feed: Feed
    decision: Erase
    erasures: Erasures
    redact: Callable[[str], str]
    is_new: bool
    is_short: bool

    def holds(self, text: str) -> bool:
        """Return whether a text holds the value; a short one only if it is the whole text: it is in many by chance."""
        clean = self.redact(text)
        return clean.strip() == f"({BLANK})" if self.is_short else clean != text


@dataclass
class Found:
    """What there is, or was, of a person: counts by place, and where nobody could look.

    Attributes:
        counts: Place and what is counted there, to how many.
        objects: Key, hash before and hash after of landed objects.
        partitions: The partitions that held their records.
    """

    counts: dict[tuple[str, str], int] = field(default_factory=dict)
    objects: list[tuple[str, str, str]] = field(default_factory=list)
    unsearched: list[str] = field(default_factory=list)
    partitions: set[str] = field(default_factory=set)

    def add(self, place: str, what: str, count: int) -> None:
        """Count more of something; nothing is not worth a line."""
        if count:
            self.counts[place, what] = self.counts.get((place, what), 0) + count


def ask(
    lake: Lake, feed: Feed, column: str, value: str, why: str, who: str | None, *, hypothetical: bool = False
) -> Request:
    """Return whom to forget, without recording it.

    Args:
        column: An identifying column of the contract, such as `customer_id`.
        value: Theirs, written in any way that the contract normalises alike.
        hypothetical: Nothing may be written, not even the lake's key.

    Raises:
        ContractError: The column cannot identify a person.
        DecisionError: There is no value.
    """
    normal = canonical(feed, column, pl.Series([value]))[0]
    if normal is None:
        msg = f"{column} has no value: nobody is told by a blank one. Nothing was erased."
        raise DecisionError(msg)
    redact = redactor(feed, column, normal)
    as_typed = re.compile(rf"(?<!\w){re.escape(value.strip())}(?!\w)")
    key = evidence.key_of(lake.store, hypothetical=hypothetical)
    taken = Decisions.load(lake.store, feed.name)
    digest = evidence.digest(key, feed.name, column, normal)
    before = next((d for d in taken.active_of(Erase) if d.digest == digest), None)
    decision = before or kinds.new(
        Erase, feed.name, redact(as_typed.sub(f"({BLANK})", why)), None if who is None else redact(who),
        column=column, digest=digest, plain=evidence.digest(key, feed.name, "", plain(pl.Series([value]))[0]),
        header=feed.sources[column].headers[0], normalisation=feed.normalisations[column],
        released=decided.released(lake, feed),
    )  # fmt: skip
    whole = taken if before else Decisions((*taken.taken, decision))
    erasures = Erasures.load(lake.store, feed.name, whole, key)
    return Request(feed, decision, erasures, redact, before is None, len(normal) < _LONG)


def look(lake: Lake, request: Request) -> Found:
    """Return what there is of a person. Writes nothing."""
    feed, erasures, found = request.feed, request.erasures, Found()
    also = contents.corrected(lake, feed, erasures)
    for stored in lake.store.list(feed.landing):
        if manifest.is_manifest(stored.path) or stored.size > lake.settings.max_source_bytes:
            continue
        data, key = lake.store.read(stored.path), key_of(feed, stored)
        seen = search(feed, erasures, key, data, lake.settings.max_source_bytes, also)
        found.unsearched += seen.unsearched
        found.add("landing", "objects", int(seen.data is not None))
        found.add("landing", "records", seen.records)
    _add_bronze(found, contents.find(lake, feed, erasures, also))
    for table in (feed.silver, feed.quarantine):
        found.add(table.full_name, "records", sum(tables.rows_of(lake, feed, erasures, table).values()))
    return found


def _add_bronze(found: Found, held: Held) -> None:
    found.add("bronze", "contents", len(held.lines))
    found.add("bronze", "records", held.records)
    found.unsearched += held.unsearched
    found.partitions |= held.partitions


def erase_inputs(lake: Lake, request: Request, progress: Callable[[str], None] = lambda _: None) -> Found:
    """Take a person out of what everything follows from: landing, bronze, the ledger, decisions.

    What follows is pending then. Raises `StorageError` when the storage refuses; what was done stands.
    """
    feed, found = request.feed, Found()
    if request.is_new:
        recorded.record(lake.store, request.decision)
    erasures, also = request.erasures, contents.corrected(lake, feed, request.erasures)
    tokens = {}
    progress("landing")
    # An earlier contract may have matched other lines than the present one does.
    read = contents.find(lake, feed, erasures, also).lines
    either = {content: also.get(content, frozenset()) | read.get(content, frozenset()) for content in {*also, *read}}
    landed: dict[str, dict[str, str]] = {}
    for key, old, new, size in _erase_landed(lake, request, either, found, landed):
        tokens[key, old] = (new, size)
    # As of the beginning of the erasure: when the command is repeated, the releases are already out of date.
    released = decided.released(lake, feed) | dict(request.decision.released)
    progress("bronze and the ledger")
    held = contents.replace(lake, feed, also, landed, tokens, request.redact)
    _add_bronze(found, held)
    progress("decisions")
    found.add("decisions", "changed", decided.rewrite(lake, feed, request.redact))
    decided.release_again(lake, feed, released)
    found.add("decisions", "unpinned", decided.unpin_gold(lake, feed, found.partitions))
    return found


def _erase_landed(
    lake: Lake, request: Request, also: Also, found: Found, landed: dict[str, dict[str, str]]
) -> Iterator[tuple[str, str, str, int]]:
    """Yield key, token before, token since and size of every landed object that was written anew.

    Into `landed` go, by key, the hashes since of objects and contents by those before: also of an erasure that was
    interrupted, whose clean object is there already.
    """
    feed, erasures = request.feed, request.erasures
    for stored in list(lake.store.list(feed.landing)):
        key = key_of(feed, stored)
        found.unsearched += _told_by_name(lake, request, stored, key)
        if manifest.is_manifest(stored.path):
            continue
        if stored.size > lake.settings.max_source_bytes:
            found.unsearched.append(f"{key}: it is larger than LAKEHOUSE_MAX_SOURCE_BYTES; remove it.")
            continue
        try:
            data = lake.store.read(stored.path, stored.token)
            now, new, seen = clean(lake, feed, erasures, stored, data, also)
        except AnotherVersionError:
            continue  # the new version is cleaned by the next ingest
        found.unsearched += seen.unsearched
        there = [source.hash for source in unpack(key, new, lake.settings.max_source_bytes) if source.hash]
        digest = hashlib.sha256(new).hexdigest()
        landed[key] = {erased.before: after for after in {digest, *there} for erased in erasures.of_after(after)}
        if now != stored:
            landed[key] |= {one.before: one.after for one in seen.erased}
            landed[key] |= {hashlib.sha256(data).hexdigest(): digest}
            found.objects += [(key_of(feed, stored), one.before, one.after) for one in seen.erased]
            found.add("landing", "objects", 1)
            found.add("landing", "records", seen.records)
            yield key_of(feed, stored), stored.token, now.token, len(new)


def _told_by_name(lake: Lake, request: Request, stored: Stored, key: str) -> Iterator[str]:
    """Yield where an object's name, or its manifest's text, says the value. Short ones are of dates and counters."""
    redact = request.redact
    if not request.is_short and redact(key) != key:
        yield f"{redact(key)}: its name holds the value; land it under another one, and remove it."
    if not request.is_short and manifest.is_manifest(stored.path):
        texts = _STRING.findall(lake.store.read(stored.path).decode(errors="replace"))
        if any(redact(text) != text for text in texts):
            yield f"{redact(key)}: the manifest holds the value in a text; land it without."


def erase_past(lake: Lake, request: Request, found: Found) -> None:
    """Take a person out of what the lake was before: old contents, versions of tables, files of dead writers."""
    feed, erasures = request.feed, Erasures.load(lake.store, request.feed.name)
    for folder in past.old_revisions(lake, feed):
        found.add(folder, "records", tables.take_out_of_old(lake, feed, erasures, folder))
    found.add("bronze", "old files removed", len(past.forget_bronze(lake, feed, erasures)))
    for folder in past.folders(lake, feed):
        gone = past.forget_past(lake, feed, erasures, folder)
        found.add(folder.replace("/", "."), "old files removed", len(gone))
    found.add("temporary files", "removed", len(list(past.forget_temporary(lake))))


def left(lake: Lake, request: Request) -> list[str]:
    """Return where a person still is, after all; nothing when they are forgotten."""
    feed, erasures = request.feed, Erasures.load(lake.store, request.feed.name)
    held = contents.find(lake, feed, erasures, {})
    told = [f"bronze.{feed.name}: {held.records} records"] if held.records else []
    for table in (feed.silver, feed.quarantine):
        told += [f"{table.full_name} {p}: {n} rows" for p, n in tables.rows_of(lake, feed, erasures, table).items()]
    return told
