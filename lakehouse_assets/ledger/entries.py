"""The ledger's entries: their columns and states, and what is recorded of an object version. Not here: what follows."""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from lakehouse_assets.contracts.declare import Column

ACCEPTED = "accepted"
REJECTED = "rejected"
HELD = "held"
RETRACTED = "retracted"
"""A state that follows from a decision; it is never stored."""
COLUMNS: Mapping[str, Column] = {
    "feed": Column(pl.String(), "Feed that the object was landed for."),
    "object_key": Column(pl.String(), "Key of the landed object below its feed's landing folder."),
    "object_token": Column(pl.String(), "Token of this version of the object: S3 ETag, or inode, times and size."),
    "object_hash": Column(pl.String(), "SHA-256 of the landed object's bytes."),
    "manifest_token": Column(pl.String(), "Version of the manifest that came with the object, if one did."),
    "version": Column(pl.Int64(), "Order in which the feed's object versions were recorded."),
    "source_key": Column(pl.String(), "Key of the source object: the object's, or `<zip>!<member>`."),
    "source_hash": Column(pl.String(), "SHA-256 of the source object's bytes; null when they cannot be had."),
    "state": Column(
        pl.String(), "accepted, alias, superseded, rejected, retracted, or held until a person accepts it."
    ),
    "reason": Column(pl.String(), "Why it was rejected or held and what to do, or what its acceptance overruled."),
    "drift": Column(pl.String(), "How its columns differ from the contract's."),
    "part": Column(pl.String(), "Partition of the rows: a date, undated, a bucket, or whole; null for no rows."),
    "rows": Column(pl.Int64(), "Records of the source object in this partition."),
    "bytes": Column(pl.Int64(), "Size of the landed object."),
    "contract": Column(pl.String(), "Version of the contract that the object was read with."),
    "dating": Column(
        pl.String(), "How the object was read: identity of the headers, drift policies and business date of then."
    ),
    "file": Column(pl.String(), "Name of the rows' bronze file, without its ending."),
    "ingested_at": Column(pl.Datetime("us", "UTC"), "When the version was recorded."),
    "run_id": Column(pl.String(), "Dagster run that recorded it."),
}
SCHEMA = {name: column.dtype for name, column in COLUMNS.items()}
WORKING = tuple(name for name in COLUMNS if name not in {"feed", "drift", "bytes", "run_id"})
"""The columns from which everything but a display follows."""


@dataclass(frozen=True)
class Entry:
    """What is recorded of one source object of one landed object version.

    Attributes:
        partitions: Rows by partition name; empty for a rejected or empty object.
        reason: Why it was rejected; None when it was accepted.
        file: Name of its bronze files, without the ending; None for no rows.
        drift: How its columns differ from the contract's, in words; None when they do not.
    """

    source_key: str
    source_hash: str | None
    partitions: dict[str, int]
    reason: str | None = None
    drift: str | None = None
    file: str | None = None


@dataclass(frozen=True)
class ObjectVersion:
    """One version of a landed object, with the source objects in it.

    Attributes:
        held: Why nothing of it is live until a person accepts it; None when nothing holds it.
        overruled: What a person's acceptance overruled; None without one.
    """

    feed: str
    object_key: str
    token: str
    size: int
    contract: str
    entries: tuple[Entry, ...]
    object_hash: str | None = None
    manifest_token: str | None = None
    held: str | None = None
    overruled: str | None = None
    reading_version: str = ""


def is_read_as(version: str | None, contract: str, version_now: str, contract_now: str) -> bool:
    """Return whether what was read with one contract was read as another one says."""
    # Older ledgers know only how dates were read; but what was read with the very same contract was read the same way.
    return version == version_now or contract == contract_now


def rows_of(versions: Iterable[ObjectVersion], first: int, run_id: str) -> Iterator[dict[str, object]]:
    """Yield the ledger's rows of some object versions, numbered from `first`."""
    now = dt.datetime.now(dt.UTC)
    for number, version in enumerate(versions, first):
        for entry in version.entries:
            for partition, rows in entry.partitions.items() or [(None, 0)]:
                yield {
                    "feed": version.feed,
                    "object_key": version.object_key,
                    "object_token": version.token,
                    "object_hash": version.object_hash,
                    "manifest_token": version.manifest_token,
                    "version": number,
                    "source_key": entry.source_key,
                    "source_hash": entry.source_hash,
                    "state": REJECTED if entry.reason else HELD if version.held else ACCEPTED,
                    "reason": entry.reason or version.held or version.overruled,
                    "drift": entry.drift,
                    "part": partition,
                    "rows": rows,
                    "bytes": version.size,
                    "contract": version.contract,
                    "dating": version.reading_version,
                    "file": entry.file or entry.source_hash,
                    "ingested_at": now,
                    "run_id": run_id,
                }
