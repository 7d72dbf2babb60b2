"""Ingest: landed objects become bronze files and ledger entries, batch by batch.

Bronze files are named by content and never overwritten; the ledger commit that ends a batch is what makes them
live, so a batch that dies before it leaves nothing that a reader can see.
"""

import datetime as dt
import hashlib
import io
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial

import polars as pl

from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.contracts.partitioning import UNDATED, WHOLE, as_date
from lakehouse_assets.ingest import manifest
from lakehouse_assets.ingest.landing import is_still_pending, key_of
from lakehouse_assets.ingest.parse import parse
from lakehouse_assets.ingest.unpack import Rejection, SourceObject, unpack
from lakehouse_assets.lake.decisions import Decisions
from lakehouse_assets.lake.delta import UNREADABLE, until_committed
from lakehouse_assets.lake.lake import Lake
from lakehouse_assets.lake.ledger import Entry, FeedLedger, Ledger, ObjectVersion
from lakehouse_assets.lake.storage import AnotherVersionError, StorageError, Stored
from lakehouse_assets.publish.casting import business_dates

_HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"


@dataclass
class Ingested:
    """What one batch did: versions recorded, and rows by touched partition (0 where a version took rows away).

    `failed` tells why objects of it could not be read or stored; nothing was recorded of them.
    """

    versions: list[ObjectVersion] = field(default_factory=list)
    touched: dict[str, int] = field(default_factory=dict)
    failed: list[StorageError] = field(default_factory=list)

    @property
    def drifted(self) -> list[str]:
        """Source objects of the batch whose columns are not those of the contract, each with the difference."""
        return [f"{e.source_key}: {e.drift}" for v in self.versions for e in v.entries if e.drift]

    @property
    def refused(self) -> list[str]:
        """Source objects of the batch that were rejected or held, each with the reason."""
        rejected = [f"{e.source_key}: rejected: {e.reason}" for v in self.versions for e in v.entries if e.reason]
        return rejected + [f"{v.object_key}: held: {v.held}" for v in self.versions if v.held]


@dataclass(frozen=True)
class Known:
    """What the ledger knows of contents: rows by partition, how dates were read first, and what was taken in time."""

    rows: dict[str, dict[str, int]]
    first_dating: dict[str, str]
    taken: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, ledger: FeedLedger, feed: Feed) -> "Known":
        """Return what one feed's ledger knows."""
        return cls(ledger.contents(feed.dating), ledger.files(), ledger.taken)

    def but_read_again(self) -> "Known":
        """Return the same without the rows, for an object that has to be read whatever is known of it."""
        return replace(self, rows={})

    def file(self, feed: Feed, source_hash: str) -> str:
        """Return the name of a content's bronze files: another one once its dates are read in another way."""
        if self.first_dating.get(source_hash, feed.dating) == feed.dating:
            return source_hash
        return f"{source_hash}-{feed.dating}"


def bronze_path(feed: Feed, part: str, file: str) -> str:
    """Return where the records of one content and partition lie; the file is named by the content's hash."""
    folder = f"bronze/{feed.name}"
    if part == WHOLE:
        return f"{folder}/{file}.parquet"
    return f"{folder}/dt={_HIVE_NULL if part == UNDATED else part}/{file}.parquet"


def ingest(
    lake: Lake, feed: Feed, objects: Iterable[Stored], run_id: str, progress: Callable[[int], None] = lambda _: None
) -> Iterator[Ingested]:
    """Ingest landed objects in batches bounded in bytes, yielding after each ledger commit.

    Args:
        objects: In the order in which they are recorded.
        progress: Called with the bytes of each object read.

    Raises:
        StorageError: Some objects could not be read, or stored; the others were ingested before.
    """
    failed: list[StorageError] = []
    for batch in _batches(objects, lake.settings.ingest_batch_bytes):
        result = _ingest_batch(lake, feed, batch, run_id, progress)
        if result.versions:
            yield result
        failed += result.failed
        if len(result.failed) == len(batch):  # it is the storage rather than an object
            break
    if failed:
        others = f" The same happened to {len(failed) - 1:,} others." if len(failed) > 1 else ""
        msg = f"{failed[0]}{others} What could be ingested was; the rest is still pending."
        raise StorageError(msg) from failed[0]


def _batches(objects: Iterable[Stored], limit: int) -> Iterator[list[Stored]]:
    batch: list[Stored] = []
    size = 0
    for stored in objects:
        if batch and size + stored.size > limit:
            yield batch
            batch, size = [], 0
        batch.append(stored)
        size += stored.size
    if batch:
        yield batch


def _ingest_batch(
    lake: Lake, feed: Feed, batch: list[Stored], run_id: str, progress: Callable[[int], None]
) -> Ingested:
    read: dict[str, ObjectVersion] = {}
    failed: dict[str, StorageError] = {}

    def attempt() -> Ingested:
        ledger = Ledger.load(lake.store)
        of_feed = ledger.of_feed(feed.name)
        # Whoever came first has recorded some of it: that is what a conflict means.
        left = [stored for stored in batch if is_still_pending(lake, feed, of_feed, stored)]
        # They may even have recorded a newer version of it, over which an older one must not come.
        left = [stored for stored in left if stored.path not in read or lake.store.stat(stored.path) == stored]
        missing = [stored for stored in left if stored.path not in read and stored.path not in failed]
        take = partial(_take, lake, feed, Known.of(of_feed, feed), Decisions.load(lake.store, feed.name))
        with ThreadPoolExecutor(lake.settings.threads) as pool:
            for stored, outcome in zip(missing, pool.map(take, missing), strict=True):
                if isinstance(outcome, StorageError):
                    failed[stored.path] = outcome
                else:
                    read[stored.path] = outcome
                    progress(outcome.size)
        versions = [read[stored.path] for stored in left if stored.path in read and read[stored.path].entries]
        if versions:
            ledger.append(versions, run_id)
        return Ingested(versions, _touched(versions, of_feed.live), list(failed.values()))

    return until_committed(attempt)


def _touched(versions: list[ObjectVersion], live_before: pl.DataFrame) -> dict[str, int]:
    touched: dict[str, int] = {}
    keys = set()
    for version in versions:
        for entry in version.entries:
            keys.add(entry.source_key)
            for part, rows in entry.parts.items():
                touched[part] = touched.get(part, 0) + rows
    objects = {version.object_key for version in versions if any(not entry.reason for entry in version.entries)}
    for part, key in live_before.select("part", "source_key").iter_rows():
        if key in keys or key.split("!", 1)[0] in objects:
            touched.setdefault(part, 0)
    return dict(sorted(touched.items()))


def _take(lake: Lake, feed: Feed, known: Known, decisions: Decisions, stored: Stored) -> ObjectVersion | StorageError:
    """Read one landed object into bronze. What the storage refuses of it is returned: others must not wait for it."""
    try:
        return _read_object(lake, feed, known, decisions, stored)
    except StorageError as error:
        return error


def _read_object(lake: Lake, feed: Feed, known: Known, decisions: Decisions, stored: Stored) -> ObjectVersion:
    key = key_of(feed, stored)
    if stored.size > lake.settings.max_source_bytes:
        limit = lake.settings.max_source_bytes
        reason = f"it has more than {limit:,} bytes (LAKEHOUSE_MAX_SOURCE_BYTES); land it in smaller objects."
        return ObjectVersion(
            feed.name, key, stored.token, stored.size, feed.version, (Entry(key, None, {}, reason),), dating=feed.dating
        )
    try:
        data = lake.store.read(stored.path, stored.token)
    except StorageError as error:
        # Gone or replaced between listing and reading: the next listing tells what became of it.
        if not isinstance(error, AnotherVersionError) and lake.store.stat(stored.path) is not None:
            raise
        return ObjectVersion(feed.name, key, stored.token, stored.size, feed.version, ())
    promised = manifest.load(lake, there) if (there := manifest.find(lake, stored.path)) else None
    totals = manifest.Totals()
    entries = []
    for source in unpack(key, data, lake.settings.max_source_bytes):
        # Control totals need the records: what is already known is read again for them.
        entry, records = _read_source(lake, feed, source, known.but_read_again() if promised else known)
        entries.append(entry)
        if promised:
            member = source.key.removeprefix(f"{key}!") if source.key != key else key.rsplit("/", 1)[-1]
            totals.add(member, source.hash, records, list(promised.sums))
    digest = hashlib.sha256(data).hexdigest()
    held = manifest.mismatch(promised, totals) if promised else None
    if held is None and (key, digest) not in known.taken:
        held = _too_late(lake, feed, entries)
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
        dating=feed.dating,
    )


def _too_late(lake: Lake, feed: Feed, entries: list[Entry]) -> str | None:
    """Return why records older than the feed's window hold their object; None when none are, or there is no window."""
    if feed.late_data_window is None:
        return None
    first = lake.today(feed) - dt.timedelta(days=feed.late_data_window)
    dates = sorted(date for entry in entries for part in entry.parts if (date := as_date(part)) and date < first)
    if not dates:
        return None
    return (
        f"it has records of {dates[0]}, older than the {feed.late_data_window} days in which late data is taken; "
        "accept it with `lakehouse accept`, or land it without them."
    )


def _read_source(lake: Lake, feed: Feed, source: SourceObject, known: Known) -> tuple[Entry, pl.DataFrame | None]:
    source_hash = source.hash
    if source_hash is None:
        return Entry(source.key, None, {}, source.rejection), None
    file = known.file(feed, source_hash)
    if source_hash in known.rows:
        return Entry(source.key, source_hash, known.rows[source_hash], file=file), None
    try:
        records, drift = parse(source.data, feed, lake.settings.max_source_bytes)
    except Rejection as rejection:
        return Entry(source.key, source_hash, {}, str(rejection)), None
    except BaseException as error:  # a panic of a reader is no Exception
        if isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit | MemoryError):
            raise
        # One object must never stop its feed: whatever a reader could not foresee is a reason to reject it.
        reason = f"it cannot be read ({type(error).__name__}: {' '.join(str(error).split())[:200]}); land it again."
        return Entry(source.key, source_hash, {}, str(Rejection(reason))), None
    records = records.with_columns(
        business_dates(records, feed),
        pl.lit(source.key).alias("_source_key"),
        pl.lit(source_hash).alias("_source_hash"),
        pl.lit(dt.datetime.now(dt.UTC), pl.Datetime("us", "UTC")).alias("_ingested_at"),
    )
    parts = {}
    for part, rows in _by_part(feed, records):
        buffer = io.BytesIO()
        rows.select(name for name in feed.bronze.columns if name != "dt").write_parquet(buffer, compression="lz4")
        path = bronze_path(feed, part, file)
        if not lake.store.create(path, buffer.getvalue()) and not _holds(lake, path, rows):
            # Left by an ingest that never committed, under another contract: no reader has ever seen it.
            lake.store.replace(path, buffer.getvalue())
        parts[part] = rows.height
    return Entry(source.key, source_hash, parts, drift=drift.words or None, file=file), records


def _holds(lake: Lake, path: str, rows: pl.DataFrame) -> bool:
    """Return whether a bronze file holds these records, whenever they were ingested."""
    try:
        stored = pl.read_parquet(io.BytesIO(lake.store.read(path)))
    except pl.exceptions.PolarsError:
        return False
    same = [name for name in stored.columns if name not in {"_ingested_at", "_source_key"}]
    return set(same) <= set(rows.columns) and stored.select(same).equals(rows.select(same))


def _by_part(feed: Feed, records: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    if not records.height:
        return
    if feed.business_date is None:
        yield WHOLE, records
        return
    for (date,), rows in records.partition_by("dt", as_dict=True, maintain_order=True).items():
        yield UNDATED if date is None else str(date), rows


def read_bronze(lake: Lake, feed: Feed, live: pl.DataFrame) -> pl.LazyFrame:
    """Return the live records of some partitions, ordered by partition, source key and line.

    Args:
        live: Rows of `FeedLedger.live`.

    Returns:
        The bronze columns, plus `_part`; `_source_key` is the ledger's, not that of the first ingestion.
    """
    columns = {name: column.dtype for name, column in feed.bronze.columns.items()}
    stored = {name: dtype for name, dtype in columns.items() if name != "dt"}
    if not live.height:
        return pl.LazyFrame(schema={**columns, "_part": pl.String()})
    ordered = live.sort("part", "source_key")
    paths = [lake.store.uri(bronze_path(feed, part, file)) for part, file in ordered.select("part", "file").iter_rows()]
    of_path = ordered.select(
        pl.Series("_path", paths),
        pl.col("part").alias("_part"),
        pl.col("source_key").alias("_source_key"),
    )
    scan = pl.scan_parquet(
        paths,
        schema=stored,
        missing_columns="insert",
        extra_columns="ignore",
        include_file_paths="_path",
        glob=False,
        hive_partitioning=False,
        storage_options=lake.store.options or None,
    )
    date = (
        pl.when(pl.col("_part").is_in([UNDATED, WHOLE])).then(None).otherwise(pl.col("_part")).str.to_date(strict=False)
    )
    joined = scan.drop("_source_key").join(of_path.lazy(), on="_path", how="left", maintain_order="left")
    return joined.with_columns(date.alias("dt") if feed.business_date else pl.lit(None, pl.Date).alias("dt")).select(
        *columns, "_part", *([] if "dt" in columns else ["dt"])
    )


def unreadable(lake: Lake, feed: Feed, live: pl.DataFrame) -> dict[str, str]:
    """Return the partitions one of whose bronze files is missing or damaged, with the reason.

    Args:
        live: Rows of `FeedLedger.live`.
    """
    lost = {}
    for part, file, key in live.select("part", "file", "source_key").iter_rows():
        path = bronze_path(feed, part, file)
        try:
            scan = pl.scan_parquet(lake.store.uri(path), storage_options=lake.store.options or None, glob=False)
            scan.select(pl.col("_line").max()).collect()
        except UNREADABLE as error:
            lost[part] = f"the bronze file {path} of {key} cannot be read ({str(error).splitlines()[0]})"
    return lost
