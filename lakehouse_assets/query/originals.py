"""Reading landed originals again and comparing them with bronze.

Differences that a pending ingest would remove are left out: a newer version in landing, or a contract that reads in
another way.
"""

import hashlib
from collections.abc import Iterator

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.erasure.protocol import Erasures
from lakehouse_assets.ledger.ledger import FeedLedger
from lakehouse_assets.ledger.readings import Reading
from lakehouse_assets.parsing.archives import Rejection, SourceObject, unpack
from lakehouse_assets.pipeline import repair
from lakehouse_assets.pipeline.bronze_writing import by_partition, holds
from lakehouse_assets.pipeline.source_records import records_of
from lakehouse_assets.query.table_checks import Finding, first_line
from lakehouse_assets.storage.stores import AnotherVersionError, StorageError, Stored

SAMPLE = 10


def disagreements(lake: Lake, feed: Feed, *, deep: bool = False) -> Iterator[Finding]:
    """Yield what bronze does not hold as the landed originals say.

    Args:
        deep: Read every original; else `SAMPLE` of them, the same ones each time.
    """
    ledger = lake.ledger_of(feed)
    erasures = Erasures.load(lake, feed)
    known = {
        key: version
        for key, version in ledger.known_versions.items()
        if version.object_hash and version.is_read_as(feed.reading_version, feed.version)
    }
    ordered = sorted(known, key=lambda key: hashlib.sha256(key.encode()).digest())
    for key in ordered if deep else ordered[:SAMPLE]:
        stored = lake.store.stat(f"{feed.landing}/{key}")
        if stored is None or stored.token != known[key].token or stored.size > lake.settings.max_source_bytes:
            continue
        for what in _differences(lake, feed, ledger, erasures, stored, known[key].object_hash):
            yield Finding(feed.bronze.full_name, "", what)


def _differences(
    lake: Lake, feed: Feed, ledger: FeedLedger, erasures: Erasures, stored: Stored, object_hash: str | None
) -> Iterator[str]:
    try:
        data = lake.store.read(stored.path, stored.token)
    except AnotherVersionError:
        return
    except StorageError as error:
        yield f"{stored.path} cannot be read: {first_line(error)}"
        return
    if hashlib.sha256(data).hexdigest() != object_hash:
        yield f"{stored.path} does not hold the bytes that were ingested; land it again"
        return
    for source in unpack(stored.path.removeprefix(f"{feed.landing}/"), data, lake.settings.max_source_bytes):
        readings = [] if source.hash is None else ledger.readings(source.hash)
        reading = next((r for r in readings if r.is_read_as(feed.reading_version, feed.version)), None)
        # What was rejected is not in bronze.
        if reading is not None and not _is_as_read(lake, feed, erasures, source, reading):
            fix = repair.of_bronze(feed.name, reading.rows)
            yield f"what bronze holds of {source.key} is not what its landed original says; {fix}"


def _is_as_read(lake: Lake, feed: Feed, erasures: Erasures, source: SourceObject, reading: Reading) -> bool:
    try:
        records, _ = records_of(lake, feed, source, erasures)
    except Rejection:
        return False
    return holds(lake, feed, by_partition(feed, records), reading)
