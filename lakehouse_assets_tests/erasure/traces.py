"""Where a value still stands in a lake: every object decoded, whatever it is wrapped in."""

import io
import sqlite3
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from lakehouse_assets.context import Lake

_ENCODINGS = ("utf-8", "utf-16-le")


def objects_of(lake: Lake) -> Iterator[tuple[str, bytes]]:
    """Yield every object below a lake's root, hidden ones included."""
    if not lake.settings.is_s3:
        root = Path(lake.settings.root)
        for file in sorted(path for path in root.rglob("*") if path.is_file()):
            yield file.relative_to(root).as_posix(), file.read_bytes()
        return
    client, bucket, prefix = lake.store._client, lake.store.bucket, lake.store.prefix  # type: ignore[attr-defined]
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for found in page.get("Contents", []):
            yield found["Key"], client.get_object(Bucket=bucket, Key=found["Key"])["Body"].read()


def traces(lake: Lake, value: str) -> list[str]:
    """Return the objects in which a value stands, decoded in every way that a reader could."""
    return [path for path, data in objects_of(lake) if any(value in text for text in decoded(data))]


def decoded(data: bytes) -> Iterator[str]:
    """Yield every text that the bytes of an object hold."""
    for encoding in _ENCODINGS:
        yield data.decode(encoding, "ignore")
    if data.startswith(b"PAR1"):
        yield from _parquet(data)
    if data.startswith(b"PK"):
        yield from _zip(data)
    if data.startswith(b"\x1f\x8b"):
        yield from decoded(zlib.decompressobj(31).decompress(data))
    if data.startswith(b"SQLite format 3\0"):
        yield from _sqlite(data)
    if data.startswith(b"x\x9c"):
        yield from decoded(zlib.decompress(data))


def _parquet(data: bytes) -> Iterator[str]:
    try:
        file = pq.ParquetFile(io.BytesIO(data))
    except OSError:
        return
    yield str(file.metadata.metadata)
    for group in range(file.num_row_groups):
        for column in range(file.metadata.num_columns):
            about = file.metadata.row_group(group).column(column)
            if about.statistics is not None and about.statistics.has_min_max:
                yield f"{about.statistics.min} {about.statistics.max}"
    yield pl.read_parquet(io.BytesIO(data), hive_partitioning=False).write_ndjson()


def _zip(data: bytes) -> Iterator[str]:
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except zipfile.BadZipFile:
        return
    for info in archive.infolist():
        yield f"{info.filename} {info.comment!r} {info.extra!r}"
        yield from decoded(archive.read(info))


def _sqlite(data: bytes) -> Iterator[str]:
    connection = sqlite3.connect(":memory:")
    connection.deserialize(data[:18] + b"\x01\x01" + data[20:])  # as if it had no write-ahead log beside it
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        for row in connection.execute(f'SELECT * FROM "{name}"'):  # noqa: S608 - a name of its own
            for value in row:
                if isinstance(value, bytes):
                    yield from decoded(value)
                elif isinstance(value, str):
                    yield value
    connection.close()
