"""From the bytes of source objects to bronze records: one object alone, or many small ones at once.

What a library does for each call costs more than the few records of a small object, so many are read with the calls of
one. What is odd in any way is read alone, so that both ways give the same. Not here: which objects are read, and where
their records lie.
"""

import datetime as dt
from collections.abc import Sequence

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.contracts.drift import Drift
from lakehouse_assets.contracts.evaluation import is_row_wise
from lakehouse_assets.erasure.protocol import Erasures
from lakehouse_assets.parsing.archives import Rejection, SourceObject, decompressed
from lakehouse_assets.parsing.buckets import buckets
from lakehouse_assets.parsing.casting import business_dates, cast, normalised
from lakehouse_assets.parsing.nested import with_nested
from lakehouse_assets.parsing.parse import as_bronze, parse, read, wanted_inside
from lakehouse_assets.parsing.parse_windows import parse_in_windows
from lakehouse_assets.parsing.plausible_text import is_odd
from lakehouse_assets.parsing.records import Raw
from lakehouse_assets.parsing.windows import NotInWindowsError
from lakehouse_assets.pipeline.bronze_writing import by_content
from lakehouse_assets.pipeline.rows import Folder, Rows

_WINDOWS = 4  # of a batch's bytes: records in memory take several times the bytes of their text
SMALL_BYTES = 2**20
"""Most bytes, out of gzip, of a source object that is read together with others."""
_TOGETHER_BYTES = 2**25  # out of gzip; what is more is read alone
_NO_READER_FAILED = KeyboardInterrupt | SystemExit | GeneratorExit | MemoryError


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
        return records.with_columns(_place(records, feed), *constants)

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


def _place(records: pl.DataFrame, feed: Feed) -> pl.Series:
    return buckets(records, feed) if feed.key else business_dates(records, feed)


def records_together(lake: Lake, feed: Feed, sources: Sequence[SourceObject]) -> dict[str, dict[str, Rows]]:
    """Return what bronze is to hold of small source objects from which nobody was erased, by hash and partition.

    It is what `records_of` returns of them. Those with any drift are left out, and whatever else has to be looked at
    alone: also what will be rejected.
    """
    if len(sources) < 2 or not all(is_row_wise(normalised(origin)) for origin in feed.sources.values()):  # noqa: PLR2004
        return {}
    known = [header for origin in feed.sources.values() for header in origin.headers]
    limit, left = min(SMALL_BYTES, lake.settings.max_source_bytes), _TOGETHER_BYTES
    alike: dict[tuple[str, ...], dict[str, tuple[SourceObject, Raw]]] = {}
    found: dict[str, dict[str, Rows]] = {}
    try:
        for source in sources:
            try:
                data = decompressed(source.data, limit)
                if (left := left - len(data)) < 0:
                    break
                raw = read(data, known, limit, feed.format)
            except Rejection:
                continue
            if source.hash and raw.frame.height:
                alike.setdefault(tuple(raw.frame.columns), {})[source.hash] = source, raw
        for group in alike.values():
            found |= _of_alike(feed, [source for source, _ in group.values()], [raw for _, raw in group.values()])
    except BaseException as error:  # a panic of a reader is no Exception
        if isinstance(error, _NO_READER_FAILED):
            raise
        return {}  # alone, it is found out which object it was
    return found


def _of_alike(feed: Feed, sources: list[SourceObject], raws: list[Raw]) -> dict[str, dict[str, Rows]]:
    """Return the records of source objects with the same fields, without those that are odd."""
    whole = Raw(
        pl.concat([raw.frame for raw in raws], rechunk=True),
        _concat([raw.problems for raw in raws], raws),
        _concat([raw.extras for raw in raws], raws),
    )
    # A path into a field may be in some of the objects only.
    if len(raws) == 1 or with_nested(whole, wanted_inside(whole, feed))[0] is not whole:
        return {}
    try:
        records, drift = as_bronze(whole, feed)
    except Rejection:
        return {}
    if drift:
        return {}
    rows = pl.Series([raw.frame.height for raw in raws], dtype=pl.Int64)
    at = pl.select(pl.int_range(len(raws), dtype=pl.UInt32, eager=True).repeat_by(rows).alias("_at")).to_series()
    at = at.explode()
    odd = _odd(records, feed, at)
    said = {
        "_source_key": [source.key for source in sources],
        "_source_hash": [source.hash for source in sources],
        "_ingested_at": dt.datetime.now(dt.UTC),
    }
    provenance = pl.DataFrame(said, schema={name: feed.bronze.columns[name].dtype for name in said})
    records = records.with_columns(
        (pl.col("_line") - (rows.cum_sum() - rows).gather(at)).alias("_line"), _place(records, feed),
        *provenance.select(pl.all().gather(at)),
    )  # fmt: skip
    in_order = records.filter(~at.is_in(odd)) if odd else records
    return by_content(feed, in_order)


def _concat(parts: list[pl.Series | None], raws: list[Raw]) -> pl.Series | None:
    if all(part is None for part in parts):
        return None
    whole = [
        pl.repeat(None, raw.frame.height, dtype=pl.String, eager=True) if part is None else part
        for part, raw in zip(parts, raws, strict=True)
    ]
    return pl.concat(whole, rechunk=True)


def _odd(records: pl.DataFrame, feed: Feed, at: pl.Series) -> set[int]:
    """Return the numbers of the objects of which a column may be retyped or wrongly decoded.

    Args:
        at: The number of the object of each record.
    """
    odd: set[int] = set()
    for name, origin in feed.sources.items():
        dtype, header = feed.columns[name].dtype, origin.headers[0]
        if isinstance(dtype, pl.String):
            odd |= set(at.filter(is_odd(records[header])))
            continue
        # A value that can be read settles it, and mostly the first one can be.
        texts = records.select(at, normalised(origin).alias("text")).drop_nulls("text").unique("_at", keep="first")
        values = cast(texts["text"], dtype, origin, feed.naive_zone)
        odd |= set(texts["_at"].filter(values.is_null()))
    return odd
