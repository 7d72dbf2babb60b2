"""From a source object's bytes to bronze columns: every value text, under the contract's header names.

The content decides the format. An object that cannot be read raises `Rejection`; what is wrong with one record goes
into its `_problem`. Not here: what the values mean.
"""

from collections.abc import Callable, Collection
from dataclasses import replace

import polars as pl

from lakehouse_assets.contracts.declare import Csv, Excel, Feed, FixedWidth, Format, Json
from lakehouse_assets.contracts.drift import Drift, Policy
from lakehouse_assets.parsing import foreign_formats, header_names
from lakehouse_assets.parsing.archives import Rejection, decompressed, is_workbook
from lakehouse_assets.parsing.csv_text import read_csv
from lakehouse_assets.parsing.excel_text import read_excel
from lakehouse_assets.parsing.fixed_width import read_fixed_width
from lakehouse_assets.parsing.json_path import records_at
from lakehouse_assets.parsing.json_text import read_json
from lakehouse_assets.parsing.nested import with_nested
from lakehouse_assets.parsing.records import Raw
from lakehouse_assets.parsing.schema_drift import dropped, noticed, refusal
from lakehouse_assets.parsing.text_encoding import utf8
from lakehouse_assets.parsing.windows import NULS

_PARQUET = b"PAR1"


def parse(data: bytes, feed: Feed, limit: int) -> tuple[pl.DataFrame, Drift]:
    """Read one source object.

    Args:
        data: The source object's bytes, possibly gzip.
        limit: The most bytes that it may have when decompressed.

    Returns:
        The bronze columns of the feed that come from the record (its values by header, `_extra`, `_problem`, `_line`),
        and how the object's columns differ from the contract's.

    Raises:
        Rejection: The object cannot be taken; the message says why and what to do.
    """
    known = [header for origin in feed.sources.values() for header in origin.headers]
    return as_bronze(read(data, known, limit, feed.format), feed)


def read(data: bytes, known: list[str], limit: int, form: Format | None = None) -> Raw:
    """Read a source object as it is.

    Args:
        known: Field names that are expected; they help to tell the separator of delimited text.
        form: How it is written, as declared; None for what its content says.
    """
    plain = decompressed(data, limit)
    if reason := foreign_formats.refusal(plain):
        raise Rejection(reason)
    if isinstance(form, Excel):
        return read_excel(plain, form, known, limit)
    if is_workbook(plain):
        msg = "it is an Excel workbook; declare its sheet in the feed, format=Excel(sheet=...), or land it as CSV."
        raise Rejection(msg)
    if not plain.removeprefix(b"\xef\xbb\xbf").strip():
        msg = "the object is empty; land it again with its records, or ignore this if there were none."
        raise Rejection(msg)
    if is_parquet(plain):
        if form is not None:
            msg = f"it is Parquet, and its feed declares {type(form).__name__}; land it in a feed without that format."
            raise Rejection(msg)
        from lakehouse_assets.parsing.parquet_text import read_parquet  # noqa: PLC0415 - it loads Arrow

        return read_parquet(plain, limit)
    text = utf8(plain, form.encoding if form else None)
    if text.count(b"\0") > len(text) // NULS:
        msg = "every other byte is NUL, as in UTF-16; save it as UTF-8 and land it again."
        raise Rejection(msg)
    return read_text(text, known, form)


def read_text(text: bytes, known: list[str], form: Format | None) -> Raw:
    """Read UTF-8 text as it is declared, or as its content says. The arguments are those of `read`."""
    match form:
        case FixedWidth():
            return read_fixed_width(text, form)
        case Csv():
            return read_csv(text, known, form)
        case Json(records=str() as path):
            return read_json(records_at(text, path))
        case Json() if not is_json(text):
            msg = "its feed declares JSON, and it does not begin with [ or {; land it as JSON."
            raise Rejection(msg)
    return read_json(text) if is_json(text) else read_csv(text, known)


def is_parquet(data: bytes) -> bool:
    """Return whether an object's bytes are Parquet."""
    return data.startswith(_PARQUET)


def is_json(text: bytes) -> bool:
    """Return whether text is JSON rather than delimited."""
    return text.lstrip()[:1] in {b"[", b"{"}


def wanted_inside(raw: Raw, feed: Feed) -> list[str]:
    """Return the headers that no column has: they may be paths into one."""
    flat = {name.strip() for name in raw.frame.columns}
    return [h for origin in feed.sources.values() if flat.isdisjoint(origin.headers) for h in origin.headers]


def as_bronze(
    raw: Raw,
    feed: Feed,
    settled: Callable[[Drift], Drift] = lambda found: found,
    inside: Collection[str] = (),
) -> tuple[pl.DataFrame, Drift]:
    """Bring the fields of an object under the contract's header names; the unknown ones go into `_extra`.

    Args:
        settled: Returns what is known of the object's drift, from what these records of it say.
        inside: Paths into fields that some record of the object has.
    """
    if not raw.frame.width and raw.problems is not None and not raw.problems.len():  # an empty JSON array
        headers = [origin.headers[0] for origin in feed.sources.values()]
        nothing_at_all = dict.fromkeys([*headers, "_extra", "_problem"], pl.String()) | {"_line": pl.Int64()}
        return pl.DataFrame(schema=nothing_at_all), Drift()
    known = [header for origin in feed.sources.values() for header in origin.headers]
    if reason := header_names.repeated([name.strip() for name in raw.frame.columns], known):
        raise Rejection(reason)
    names = {name: name.strip() for name in raw.frame.columns}
    raw, opened = with_nested(raw, wanted_inside(raw, feed))
    lacking = [pl.lit(None, pl.String).alias(path) for path in inside if path not in raw.frame.columns]
    raw = replace(raw, frame=raw.frame.with_columns(lacking)) if lacking else raw
    by_header = {name.strip(): name for name in raw.frame.columns}
    found = {name: next((h for h in origin.headers if h in by_header), None) for name, origin in feed.sources.items()}
    used = {by_header[header] for header in found.values() if header is not None}
    unknown = [name for name in names if name not in used]
    present = {name: by_header[header] for name, header in found.items() if header is not None}
    new = [name for name in unknown if name not in opened]  # what is read inside of a field is known of it
    drift = settled(noticed(raw.frame, feed, {names[name]: name for name in new}, present, is_plain=raw.is_plain))
    if reason := refusal(feed, drift, list(by_header)):
        raise Rejection(reason)
    columns = [
        (pl.lit(None, pl.String) if header is None or dropped(feed, name, drift) else pl.col(by_header[header])).alias(
            feed.sources[name].headers[0]
        )
        for name, header in found.items()
    ]
    nothing = pl.lit(None, pl.String)
    extra = nothing if raw.extras is None else pl.lit(raw.extras)
    problem = nothing if raw.problems is None else pl.lit(raw.problems)
    if unknown:
        filled = pl.any_horizontal(pl.col(unknown).is_not_null())
        packed = pl.struct(pl.col(name).alias(names[name]) for name in unknown).struct.json_encode()
        if feed.drift.new is not Policy.DISCARD_COLUMN:
            extra = pl.when(filled).then(packed).otherwise(extra)
        if feed.drift.new is Policy.QUARANTINE_ROWS and new:
            has_new = pl.any_horizontal(pl.col(new).is_not_null())
            problem = pl.when(has_new).then(pl.lit("it has a value in a new column")).otherwise(problem)
    missed = [name for name in drift.missing if feed.missing_policy(name) is Policy.QUARANTINE_ROWS]
    if headers_missed := sorted(feed.sources[name].headers[0] for name in missed):
        problem = pl.lit(f"the column {headers_missed[0]} is missing")
    frame = raw.frame.select(
        *columns,
        extra.alias("_extra"),
        problem.alias("_problem"),
        pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias("_line"),
    )
    if raw.is_plain:
        return frame, drift
    headers = list(feed.bronze.columns)[: len(columns)]
    nul = frame.select(nul_problem(headers)).to_series()
    if nul.null_count() < nul.len():
        frame = frame.with_columns(pl.coalesce(nul, "_problem").alias("_problem"))
    return frame, drift


def nul_problem(headers: list[str]) -> pl.Expr:
    """Return what is wrong with a record one of whose values holds a NUL byte; null for the others."""
    has_nul = pl.any_horizontal(pl.col(headers).str.contains("\0", literal=True))
    return pl.when(has_nul).then(pl.lit("a value holds a NUL byte"))
