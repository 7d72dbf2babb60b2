"""Erased people: which records are theirs, and a landed object without them.

A record is a person's when its value in the column that tells them is theirs, normalised. One whose shape is broken,
or whose object is refused, is theirs when the value stands anywhere in it: nobody can say which field it is. Not here:
what is stored of erasures, and where else their values lie.
"""

import gzip
import hashlib
import io
import re
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import polars as pl

from lakehouse_assets.contracts.declare import ContractError, Feed
from lakehouse_assets.ingest.casting import cast, normalised
from lakehouse_assets.ingest.parse import parse, read
from lakehouse_assets.ingest.tombstones import without
from lakehouse_assets.ingest.unpack import Rejection, SourceObject, decompressed, unpack
from lakehouse_assets.lake.erasures import Erased, Erasures

BLANK = "erased"
"""The `_problem` of a tombstone."""
_PIECES = (r'[,;\t|"\r\n]+', r'[\s,;|"\'{}\[\]:=]+')
_TEXTS_AT_ONCE = 20_000
_LINE_ENDS = re.compile(r"(\r\n|\n|\r)")

Also = Mapping[str, frozenset[int]]
"""Lines by content that are a person's for another reason than their landed value: it was corrected to be theirs."""


@dataclass(frozen=True)
class Searched:
    """A landed object after the search for erased people.

    Attributes:
        data: Its new bytes; None when nothing was found.
        erased: What was taken out of its source objects.
        records: How many records that were, in all.
        unsearched: Source objects into which nobody can look, each with the reason.
    """

    data: bytes | None
    erased: list[Erased] = field(default_factory=list)
    records: int = 0
    unsearched: list[str] = field(default_factory=list)


def canonical(feed: Feed, column: str, texts: pl.Series) -> pl.Series:
    """Return the normalised form of raw values, under which all ways to write one are equal.

    Raises:
        ContractError: The column is none that tells a person.
    """
    types = feed.contract.columns()
    keys = [n for n in feed.sources if isinstance(types[n].dtype, pl.String) or types[n].dtype.is_integer()]
    if column not in keys:
        msg = f"{column!r} is no column of {feed.name} that tells a person; those are {', '.join(keys)}. Nothing done."
        raise ContractError(msg)
    origin, dtype = feed.sources[column], types[column].dtype
    text = texts.cast(pl.String).to_frame(origin.headers[0]).select(normalised(origin).alias(column)).to_series()
    if isinstance(dtype, pl.String):
        return text
    typed = cast(text, dtype, origin, feed.time_zone).cast(pl.String)
    return pl.select(pl.coalesce(typed, text).alias(column)).to_series()


def theirs(feed: Feed, erasures: Erasures, records: pl.DataFrame) -> pl.Series:
    """Return which records are an erased person's.

    Args:
        records: The feed's raw values by header, `_extra` and `_problem`, as bronze and quarantine hold them.
    """
    found = pl.repeat(value=False, n=records.height, eager=True)
    for column in erasures.digests:
        found |= have(feed, erasures, column, records[feed.sources[column].headers[0]])
    broken = records["_problem"].is_not_null() & (records["_problem"] != BLANK)
    if broken.any():
        headers = [origin.headers[0] for origin in feed.sources.values()]
        somewhere = _anywhere(feed, erasures, records.filter(broken).select(*headers, "_extra"))
        found = found.scatter(broken.arg_true().filter(somewhere), True) if somewhere.any() else found  # noqa: FBT003
    return found


def have(feed: Feed, erasures: Erasures, column: str, values: pl.Series) -> pl.Series:
    """Return which values of a column, raw or typed, stand for an erased person."""
    normal = canonical(feed, column, values)
    wanted = erasures.erased_values(column, normal.drop_nulls().unique())
    return normal.is_in(wanted).fill_null(value=False)


def _anywhere(feed: Feed, erasures: Erasures, texts: pl.DataFrame) -> pl.Series:
    """Return in which rows of text an erased value stands, as a whole field or word."""
    whole = texts.select(pl.concat_str(pl.all().cast(pl.String), separator="\n", ignore_nulls=True)).to_series()
    return stands_in(feed, erasures, whole)


def stands_in(feed: Feed, erasures: Erasures, texts: pl.Series) -> pl.Series:
    """Return in which texts an erased value stands, as a whole field or word."""
    found = [pl.Series([], dtype=pl.Boolean)]
    for start in range(0, texts.len(), _TEXTS_AT_ONCE):
        some = texts.slice(start, _TEXTS_AT_ONCE)
        hits = pl.Series([], dtype=pl.UInt32)
        for pattern in _PIECES:
            cut = pl.col("text").str.replace_all(pattern, "\0").str.split("\0").alias("piece")
            pieces = some.alias("text").to_frame().with_row_index("at").select("at", cut).explode("piece")
            for column in erasures.digests:
                hits = hits.append(pieces["at"].filter(have(feed, erasures, column, pieces["piece"])))
        found.append(pl.int_range(some.len(), eager=True).is_in(hits.cast(pl.Int64).unique().implode()))
    return pl.concat(found)


def blanked(records: pl.DataFrame, lines: Iterable[int]) -> pl.DataFrame:
    """Return bronze records of which some are tombstones: no value, no date, only their place."""
    gone = pl.col("_line").is_in(sorted(lines))
    kept = {"_line", "_source_key", "_source_hash", "_ingested_at"}
    empty = [name for name in records.columns if name not in kept]
    return records.with_columns(pl.when(~gone).then(pl.col(name)).alias(name) for name in empty).with_columns(
        pl.when(gone).then(pl.lit(BLANK)).otherwise(pl.col("_problem")).alias("_problem")
    )


def search(feed: Feed, erasures: Erasures, key: str, data: bytes, limit: int, also: Also | None = None) -> Searched:
    """Look for the erased people in a landed object, and return it without them.

    Args:
        limit: The most bytes that one source object may have when decompressed.
        also: Lines that go whatever their landed value.
    """
    found = Searched(None)
    sources = list(unpack(key, data, limit))
    changed: dict[str, bytes] = {}
    for source in sources:
        if source.rejection:
            found.unsearched.append(f"{source.key}: {source.rejection}")
            continue
        try:
            result = _search_source(feed, erasures, source.data, limit, also or {})
        except Rejection as error:
            found.unsearched.append(f"{source.key}: {error}")
            continue
        if result is not None:
            changed[source.key], erased, records = result
            found = Searched(b"", [*found.erased, erased], found.records + records, found.unsearched)
    if not changed:
        return found
    new = changed[key] if key in changed else _zip_again(data, key, sources, changed)
    return Searched(new, found.erased, found.records, found.unsearched)


def _search_source(
    feed: Feed, erasures: Erasures, data: bytes, limit: int, also: Also
) -> tuple[bytes, Erased, int] | None:
    """Return a source object without the erased people, what was taken out, and how many records; None for nothing."""
    content = hashlib.sha256(data).hexdigest()
    known = [header for origin in feed.sources.values() for header in origin.headers]
    blank, before = erasures.blank_lines(content), erasures.of_before(content)
    meant = set(also.get(content, ())) | {line for erased in before for line in erased.corrected}
    refused = False
    try:
        records = parse(data, feed, limit)[0]
        lines = set(records["_line"].filter(theirs(feed, erasures, records)))
    except Rejection:
        refused = True
        try:
            frame = read(data, known, limit).frame
        except Rejection:
            return _search_text(feed, erasures, data, content, limit)
        if stands_in(feed, erasures, pl.Series(frame.columns)).any():  # a file without a header, perhaps
            return _search_text(feed, erasures, data, content, limit)
        found = _anywhere(feed, erasures, frame) if frame.width else pl.Series([], dtype=pl.Boolean)
        lines = {at + 1 for at in found.arg_true()}
    gone = (lines | meant) - blank
    if not gone:
        return None
    new = without(data, frozenset(gone), known, limit)
    erased = Erased(
        before=content,
        after=hashlib.sha256(new).hexdigest(),
        lines=tuple(sorted(gone | blank)),
        corrected=tuple(sorted(meant - lines)),
        refused=refused,
    )
    return new, erased, len(gone)


def _search_text(
    feed: Feed, erasures: Erasures, data: bytes, content: str, limit: int
) -> tuple[bytes, Erased, int] | None:
    """Take lines out of an object that cannot be read as records: as it stays refused, places do not matter."""
    plain = decompressed(data, limit)
    codec = "utf-16" if plain.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8"
    try:
        parts = _LINE_ENDS.split(plain.decode(codec, "surrogateescape"))
    except UnicodeError:
        parts = ["\0"]
    if "\0" in "".join(parts):
        msg = "it is no text, so nobody can look into it; remove it, or land it again, whole."
        raise Rejection(msg)
    lines = stands_in(feed, erasures, pl.Series(map(_readable, parts[::2]), dtype=pl.String)).arg_true()
    if not lines.len():
        return None
    for at in lines:
        parts[2 * at] = ""
    new = "".join(parts).encode(codec, "surrogateescape")
    if plain is not data:
        new = gzip.compress(new, mtime=0)
    return new, Erased(content, hashlib.sha256(new).hexdigest(), refused=True), lines.len()


def _readable(text: str) -> str:
    """Return text without the bytes that are no UTF-8, which no field of Polars can hold."""
    return text.encode("utf-8", "replace").decode()


def _zip_again(data: bytes, key: str, sources: list[SourceObject], changed: Mapping[str, bytes]) -> bytes:
    """Return a zip with some members changed. A member that cannot be read cannot be carried over: it is left empty."""
    members = {source.key.removeprefix(f"{key}!"): changed.get(source.key, source.data) for source in sources}
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w") as new:
        for info in old.infolist():
            about = zipfile.ZipInfo(info.filename, info.date_time)
            about.compress_type, about.external_attr = zipfile.ZIP_DEFLATED, info.external_attr
            new.writestr(about, members.get(info.filename, b""))
    return buffer.getvalue()


def redactor(feed: Feed, column: str, value: str) -> Callable[[str], str]:
    """Return what takes a value out of a text for people, where it stands as a word of its own.

    Args:
        value: In its normalised form; raw forms of it that normalise to it word by word go, too.
    """
    word = re.compile(rf"(?<![\w.:+-]){re.escape(value)}(\.0+)?(?![\w+-]|[.:]\w)", re.IGNORECASE)

    def redact(text: str) -> str:
        found = word.finditer(text)
        hits = [m for m in found if canonical(feed, column, pl.Series([m.group()]))[0] == value]
        for match in reversed(hits):
            text = f"{text[: match.start()]}({BLANK}){text[match.end() :]}"
        return text

    return redact
