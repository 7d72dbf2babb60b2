"""Reading landed objects: their source objects parsed and written to bronze, and what the ledger is to record of each.

Not here: which objects are read, and the commit that makes them live.
"""

import datetime as dt
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import TypeVar

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.contracts.deliveries import delivered_at
from lakehouse_assets.contracts.drift import Drift
from lakehouse_assets.contracts.partitioning import as_date
from lakehouse_assets.contracts.periods import last_day
from lakehouse_assets.contracts.wording import counted
from lakehouse_assets.decisions.recorded import Decisions
from lakehouse_assets.erasure.protocol import Cleaned, Erasures
from lakehouse_assets.ledger.ledger import Entry, ObjectVersion
from lakehouse_assets.parsing.archives import Rejection, SourceObject, is_zip, unpack
from lakehouse_assets.pipeline import packs
from lakehouse_assets.pipeline.bronze_writing import by_partition, holds, write_bronze
from lakehouse_assets.pipeline.known_contents import Known
from lakehouse_assets.pipeline.new_packs import Packed, pack_new
from lakehouse_assets.pipeline.rows import Rows
from lakehouse_assets.pipeline.source_records import SMALL_BYTES, records_of, records_together
from lakehouse_assets.sources import manifest
from lakehouse_assets.sources.landing import key_of
from lakehouse_assets.storage.stores import AnotherVersionError, StorageError, Stored

T = TypeVar("T")


@dataclass(frozen=True)
class ReadObjects:
    """What came of reading some landed objects.

    Attributes:
        outcomes: Of each what is to be recorded, or what the storage refused: others must not wait for it.
        places: What `ops.packs` is to say before anything of it is recorded.
    """

    outcomes: list[ObjectVersion | StorageError]
    places: pl.DataFrame


def read_objects(
    lake: Lake,
    feed: Feed,
    known: Known,
    decisions: Decisions,
    erasures: Erasures,
    objects: Sequence[Stored],
    *,
    into_packs: bool,
) -> ReadObjects:
    """Read some landed objects into bronze, small ones together.

    Args:
        into_packs: Whether records of many small objects may be written into packs.
    """
    fetched = [_unless_refused(partial(_fetch, lake, feed, erasures, stored)) for stored in objects]
    new = _new(lake, feed, known, [one for one in fetched if isinstance(one, Cleaned)])
    packed = pack_new(lake, feed, new) if into_packs else Packed()
    known = replace(known, new=new, packed=packed.files)
    outcomes = [
        _unless_refused(partial(_read, lake, feed, known, decisions, one)) if isinstance(one, Cleaned) else one
        for one in fetched
    ]
    return ReadObjects(outcomes, packed.places)


def _unless_refused(act: Callable[[], T]) -> T | StorageError:
    try:
        return act()
    except StorageError as error:
        return error


def _fetch(lake: Lake, feed: Feed, erasures: Erasures, stored: Stored) -> Cleaned | ObjectVersion:
    """Return a landed object's bytes, or what is to be recorded of one that is not read."""
    key = key_of(feed, stored)
    if (reason := _refusal(lake, feed, key, stored)) is not None:
        return _version(feed, stored, [Entry(key, None, {}, reason)])
    try:
        return erasures.clean(stored, lake.store.read(stored.path, stored.token))
    except StorageError as error:
        # Gone or replaced between listing and reading: the next listing tells what became of it.
        if not isinstance(error, AnotherVersionError) and lake.store.stat(stored.path) is not None:
            raise
        return _version(feed, stored, [])


def _version(feed: Feed, stored: Stored, entries: Sequence[Entry]) -> ObjectVersion:
    """Return what is to be recorded of a landed object that is read as the contract says now."""
    key, read_as = key_of(feed, stored), feed.reading_version
    return ObjectVersion(
        feed.name, key, stored.token, stored.size, feed.version, tuple(entries), reading_version=read_as
    )


def _new(lake: Lake, feed: Feed, known: Known, fetched: Sequence[Cleaned]) -> Mapping[str, Mapping[str, Rows]]:
    """Return the records of small source objects whose content the ledger never saw, by hash and partition."""
    if len(fetched) == 1:
        return {}
    sources: dict[str, SourceObject] = {}
    for one in fetched:
        source = SourceObject(key_of(feed, one.stored), one.data)
        is_small = len(one.data) <= SMALL_BYTES and not is_zip(one.data) and not one.found.unsearched
        if is_small and source.hash and not one.erasures.has_touched(source.hash):
            sources.setdefault(source.hash, source)
    seen = known.ledger.seen(pl.Series(list(sources), dtype=pl.String))
    return records_together(lake, feed, [source for content, source in sources.items() if content not in seen])


def _read(lake: Lake, feed: Feed, known: Known, decisions: Decisions, fetched: Cleaned) -> ObjectVersion:
    stored, data, erasures, found = fetched
    key = key_of(feed, stored)
    promised = manifest.load(lake, there) if (there := manifest.find(lake, stored.path)) else None
    totals = manifest.Totals(key, list(promised.sums) if promised else ())
    entries = []
    for source in unpack(key, data, lake.settings.max_source_bytes):
        # Control totals need the records: what is already known is read again for them.
        known_here = replace(known, is_read_again=bool(promised), unsearched=found.unsearched.get(source.key))
        entry, records = _read_source(lake, feed, source, known_here, erasures)
        entries.append(entry)
        if promised:
            totals.add(source.key, source.hash, records)
    digest = hashlib.sha256(data).hexdigest()
    held = None
    if promised:
        held = erasures.mismatch(digest, promised, manifest.mismatch(promised, totals, feed.shown_headers))
    if held is None and (late := _too_late(lake, feed, entries)) and not known.ledger.was_taken(key, digest):
        held = late
    overruled = None
    if held and decisions.accepts(key, digest):
        held, overruled = None, f"accepted in spite of: {held}"
    return replace(
        _version(feed, stored, entries),
        object_hash=digest,
        manifest_token=promised.token if promised else None,
        held=held,
        overruled=overruled,
    )


def _refusal(lake: Lake, feed: Feed, key: str, stored: Stored) -> str | None:
    """Return why an object is rejected before it is read; None when it is to be read."""
    if stored.size > (limit := lake.settings.max_source_bytes):
        return f"it has more than {limit:,} bytes (LAKEHOUSE_MAX_SOURCE_BYTES); land it in smaller objects."
    if feed.delivered_at is not None and delivered_at(key, feed.delivered_at) is None:
        return (
            f"its key has no date of the form {feed.delivered_at!r}, which says when a delivery was made; land it "
            "under a key that has one."
        )
    return None


def _too_late(lake: Lake, feed: Feed, entries: list[Entry]) -> str | None:
    """Return why records older than the feed's window hold their object; None when none are, or there is no window."""
    if feed.late_data_window is None:
        return None
    first = lake.today(feed) - dt.timedelta(days=feed.late_data_window)
    dates = sorted(
        date
        for entry in entries
        for partition in entry.partitions
        if (date := as_date(partition)) and last_day(date, feed.partition_by) < first
    )
    if not dates:
        return None
    return (
        f"it has records of {dates[0]}, older than the {counted(feed.late_data_window, 'day')} in which late data is "
        "taken; accept it with `lakehouse accept`, or land it without them."
    )


def _read_source(
    lake: Lake, feed: Feed, source: SourceObject, known: Known, erasures: Erasures
) -> tuple[Entry, Iterable[pl.DataFrame]]:
    source_hash = source.hash
    if source_hash is None:
        return Entry(source.key, None, {}, source.rejection), ()
    if not known.unsearched and (new := known.new.get(source_hash)) is not None:
        if (file := known.packed.get(source_hash)) is None:
            file, partitions = source_hash, write_bronze(lake, feed, new, source_hash)
        else:
            partitions = {partition: rows.height for partition, rows in new.items()}
        return Entry(source.key, source_hash, partitions, file=file), chain.from_iterable(new.values())
    if (reading := known.reading(source_hash)) is not None:
        return Entry(source.key, source_hash, dict(reading.rows), file=reading.file), ()
    if reason := _refused(source_hash, known, erasures):
        return Entry(source.key, source_hash, {}, reason), ()
    try:
        records, drift = records_of(lake, feed, source, erasures)
    except Rejection as rejection:
        return Entry(source.key, source_hash, {}, str(rejection)), ()
    except BaseException as error:  # a panic of a reader is no Exception
        if isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit | MemoryError):
            raise
        # One object must never stop its feed: whatever a reader could not foresee is a reason to reject it.
        # Not its text, which may quote a value.
        reason = f"it cannot be read (the reader failed with {type(error).__name__}); land it again."
        return Entry(source.key, source_hash, {}, str(Rejection(reason))), ()
    return _written(lake, feed, known, source.key, source_hash, records, drift), records


def _written(lake: Lake, feed: Feed, known: Known, key: str, source_hash: str, records: Rows, drift: Drift) -> Entry:
    """Return what is to be recorded of a source object whose records were read, once bronze holds them."""
    parts = by_partition(feed, records)
    readings, words = known.ledger.readings(source_hash), drift.words or None
    for reading in readings:  # read in another way, and yet the same
        if holds(lake, feed, parts, reading):
            return Entry(key, source_hash, dict(reading.rows), drift=words, file=reading.file)
    if damaged := known.damaged(source_hash, parts):
        # In their place: the inputs of what was made of them stay the same, and so do decisions about these inputs.
        file = damaged.file
        # Before the files are written: maintenance puts back what it removed of files that lie in no pack any more.
        packs.release(lake.store, feed.name, ((partition, file) for partition in damaged.rows))
    else:
        file = f"{source_hash}-{feed.reading_version}" if readings else source_hash
    return Entry(key, source_hash, write_bronze(lake, feed, parts, file), drift=words, file=file)


def _refused(source_hash: str, known: Known, erasures: Erasures) -> str | None:
    """Return why a content is not read, because of people who were erased; None when it is."""
    if known.unsearched:
        return f"an erased person may be in it: {known.unsearched}"
    if erasures.has_refused(source_hash):
        return "it was refused when it came, and a person was erased from it since; land it again, whole."
    return None
