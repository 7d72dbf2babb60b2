"""Reading one landed object: its source objects parsed and written to bronze, and what the ledger is to record of it.

Not here: which objects are read, and the commit that makes them live.
"""

import datetime as dt
import hashlib
from dataclasses import dataclass, replace

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.contracts.deliveries import delivered_at
from lakehouse_assets.contracts.drift import Drift
from lakehouse_assets.contracts.partitioning import as_date
from lakehouse_assets.contracts.periods import last_day
from lakehouse_assets.contracts.wording import counted
from lakehouse_assets.decisions.recorded import Decisions
from lakehouse_assets.erasure.protocol import Erasures
from lakehouse_assets.ledger.ledger import Entry, FeedLedger, ObjectVersion
from lakehouse_assets.ledger.readings import Reading
from lakehouse_assets.parsing.archives import Rejection, SourceObject, decompressed, unpack
from lakehouse_assets.parsing.buckets import buckets
from lakehouse_assets.parsing.casting import business_dates
from lakehouse_assets.parsing.parse import parse
from lakehouse_assets.parsing.parse_windows import parse_in_windows
from lakehouse_assets.parsing.windows import NotInWindowsError
from lakehouse_assets.pipeline.bronze import holds, is_counted, write_bronze
from lakehouse_assets.pipeline.rows import Folder, Rows
from lakehouse_assets.sources import manifest
from lakehouse_assets.sources.landing import key_of
from lakehouse_assets.storage.stores import AnotherVersionError, StorageError, Stored

_WINDOWS = 4  # of a batch's bytes: records in memory take several times the bytes of their text


@dataclass(frozen=True)
class Known:
    """What the ledger knows of contents, but those from which people were erased.

    Attributes:
        force: A person asked to read what is known again: its bronze files may be damaged.
        is_read_again: The object has to be read whatever is known of it.
    """

    ledger: FeedLedger
    feed: Feed
    erasures: Erasures
    force: bool = False
    is_read_again: bool = False

    def reading(self, source_hash: str) -> Reading | None:
        """Return how a content that was read as the contract now says lies in bronze; None for one to be read."""
        if self.force or self.is_read_again or self.erasures.has_replaced(source_hash):
            return None
        return self._read_as_now(source_hash)

    def damaged(self, source_hash: str, records: Rows) -> Reading | None:
        """Return how a content lies in bronze whose files a person asked to write again where they are.

        None for one that has other records than the ledger knows: they go beside the old ones.
        """
        if not self.force or self.erasures.has_replaced(source_hash):
            return None
        reading = self._read_as_now(source_hash)
        return reading if reading and is_counted(self.feed, records, reading) else None

    def _read_as_now(self, source_hash: str) -> Reading | None:
        known = self.ledger.readings(source_hash)
        return next((r for r in known if r.is_read_as(self.feed.reading_version, self.feed.version)), None)


def read_object(
    lake: Lake, feed: Feed, known: Known, decisions: Decisions, erasures: Erasures, stored: Stored
) -> ObjectVersion | StorageError:
    """Read one landed object into bronze. What the storage refuses of it is returned: others must not wait for it."""
    try:
        return _read(lake, feed, known, decisions, erasures, stored)
    except StorageError as error:
        return error


def _read(
    lake: Lake, feed: Feed, known: Known, decisions: Decisions, erasures: Erasures, stored: Stored
) -> ObjectVersion:
    key = key_of(feed, stored)
    if (reason := _refusal(lake, feed, key, stored)) is not None:
        return ObjectVersion(
            feed.name,
            key,
            stored.token,
            stored.size,
            feed.version,
            (Entry(key, None, {}, reason),),
            reading_version=feed.reading_version,
        )
    try:
        data = lake.store.read(stored.path, stored.token)
        if erasures:
            stored, data, erasures, _ = erasures.clean(stored, data)
    except StorageError as error:
        # Gone or replaced between listing and reading: the next listing tells what became of it.
        if not isinstance(error, AnotherVersionError) and lake.store.stat(stored.path) is not None:
            raise
        return ObjectVersion(feed.name, key, stored.token, stored.size, feed.version, ())
    promised = manifest.load(lake, there) if (there := manifest.find(lake, stored.path)) else None
    totals = manifest.Totals(key, list(promised.sums) if promised else ())
    entries = []
    for source in unpack(key, data, lake.settings.max_source_bytes):
        # Control totals need the records: what is already known is read again for them.
        entry, records = _read_source(lake, feed, source, replace(known, is_read_again=bool(promised)), erasures)
        entries.append(entry)
        if promised:
            totals.add(source.key, source.hash, records or ())
    digest = hashlib.sha256(data).hexdigest()
    held = None
    if promised:
        held = erasures.mismatch(digest, promised, manifest.mismatch(promised, totals, feed.shown_headers))
    if held is None and (late := _too_late(lake, feed, entries)) and not known.ledger.was_taken(key, digest):
        held = late
    overruled = None
    if held and decisions.accepts(key, digest):
        held, overruled = None, f"accepted in spite of: {held}"
    return ObjectVersion(
        feed.name,
        key,
        stored.token,
        stored.size,
        feed.version,
        tuple(entries),
        object_hash=digest,
        manifest_token=promised.token if promised else None,
        held=held,
        overruled=overruled,
        reading_version=feed.reading_version,
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
) -> tuple[Entry, Rows | None]:
    source_hash = source.hash
    if source_hash is None:
        return Entry(source.key, None, {}, source.rejection), None
    if (reading := known.reading(source_hash)) is not None:
        return Entry(source.key, source_hash, dict(reading.rows), file=reading.file), None
    if erasures.has_refused(source_hash):
        reason = "it was refused when it came, and a person was erased from it since; land it again, whole."
        return Entry(source.key, source_hash, {}, reason), None
    try:
        records, drift = records_of(lake, feed, source, erasures)
    except Rejection as rejection:
        return Entry(source.key, source_hash, {}, str(rejection)), None
    except BaseException as error:  # a panic of a reader is no Exception
        if isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit | MemoryError):
            raise
        # One object must never stop its feed: whatever a reader could not foresee is a reason to reject it.
        # Not its text, which may quote a value.
        reason = f"it cannot be read (the reader failed with {type(error).__name__}); land it again."
        return Entry(source.key, source_hash, {}, str(Rejection(reason))), None
    readings, words = known.ledger.readings(source_hash), drift.words or None
    for reading in readings:  # read in another way, and yet the same
        if holds(lake, feed, records, reading):
            return Entry(source.key, source_hash, dict(reading.rows), drift=words, file=reading.file), records
    if damaged := known.damaged(source_hash, records):
        # In their place: the inputs of what was made of them stay the same, and so do decisions about these inputs.
        file = damaged.file
    else:
        file = f"{source_hash}-{feed.reading_version}" if readings else source_hash
    partitions = write_bronze(lake, feed, records, file)
    return Entry(source.key, source_hash, partitions, drift=words, file=file), records


def records_of(lake: Lake, feed: Feed, source: SourceObject, erasures: Erasures) -> tuple[Rows, Drift]:
    """Return the bronze records of a source object, and how its columns differ from the contract's.

    Delimited text of more bytes than a batch may have is read in windows, and their records are put aside.

    Raises:
        Rejection: The contract does not take it; the message says why and what to do.
    """
    limit, size = lake.settings.max_source_bytes, lake.settings.ingest_batch_bytes
    provenance = {"_source_key": source.key, "_source_hash": source.hash, "_ingested_at": dt.datetime.now(dt.UTC)}
    constants = [pl.lit(value, feed.bronze.columns[name].dtype).alias(name) for name, value in provenance.items()]

    def placed(records: pl.DataFrame) -> pl.DataFrame:
        records = erasures.blanked(records, source.hash or "")
        place = buckets(records, feed) if feed.key else business_dates(records, feed)
        return records.with_columns(place, *constants)

    data = decompressed(source.data, limit)
    try:
        rows, drift = Rows(folder=Folder()), Drift()
        for records, found in parse_in_windows(data, feed, size, max(1, size // _WINDOWS)):
            rows.add(placed(records))
            drift = found
    except NotInWindowsError:
        records, drift = parse(data, feed, limit)
        rows = Rows(placed(records))
    return rows, drift
