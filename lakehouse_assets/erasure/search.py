"""Searching a landed object for erased people, and writing it again with blank lines in place of their records.

Not here: matching a record with a person, and where the new object is stored.
"""

import gzip
import hashlib
import io
import re
import zipfile
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field

import polars as pl

from lakehouse_assets.erasure.evidence import Erased, Evidence
from lakehouse_assets.erasure.matching import People
from lakehouse_assets.erasure.tombstones import beside, without
from lakehouse_assets.parsing.archives import Rejection, decompressed, unpack
from lakehouse_assets.parsing.parse import parse, read

_LINE_ENDS = re.compile(r"(\r\n|\n|\r)")

KnownLines = Mapping[str, frozenset[int]]
"""Lines by content that are a person's whatever their landed values are: somebody corrected them so."""


@dataclass(frozen=True)
class Searched:
    """A landed object after the search for erased people.

    Attributes:
        data: Its new bytes; None when nothing was found.
        erased: What was taken out of its source objects.
        records: How many records that were, in all.
        unsearched: Why source objects cannot be searched, or people not be taken out of them, by key.
    """

    data: bytes | None
    erased: list[Erased] = field(default_factory=list)
    records: int = 0
    unsearched: dict[str, str] = field(default_factory=dict)


def search(
    people: People, evidence: Evidence, key: str, data: bytes, limit: int, known_lines: KnownLines | None = None
) -> Searched:
    """Look for the erased people in a landed object, and return it without them.

    Args:
        limit: The most bytes that one source object may have when decompressed.
        known_lines: Lines that are taken out whatever they say.
    """
    erased, records, unsearched = list[Erased](), 0, dict[str, str]()
    changed: dict[str, bytes] = {}
    for source in unpack(key, data, limit):
        if source.rejection:
            unsearched[source.key] = source.rejection
            continue
        try:
            result = _search_source(people, evidence, source.data, limit, known_lines or {})
        except Rejection as error:
            unsearched[source.key] = str(error)
            continue
        if result is not None:
            changed[source.key], taken, count = result
            erased.append(taken)
            records += count
    new = None
    if changed:
        new = changed[key] if key in changed else _zip_again(data, key, changed)
    return Searched(new, erased, records, unsearched)


def _search_source(
    people: People, evidence: Evidence, data: bytes, limit: int, known_lines: KnownLines
) -> tuple[bytes, Erased, int] | None:
    """Return a source object without the erased people, what was taken out, and how many records; None for nothing."""
    content = hashlib.sha256(data).hexdigest()
    feed = people.feed
    known = [header for origin in feed.sources.values() for header in origin.headers]
    blank, before = evidence.blank_lines(content), evidence.of_before(content)
    meant = set(known_lines.get(content, ())) | {line for erased in before for line in erased.corrected}
    refused = is_beside = False
    try:
        records = parse(data, feed, limit)[0]
        lines = set(records["_line"].filter(people.in_records(records)))
        text = beside(data, limit, feed.format)
        is_beside = people.redacted(text) != text
    except Rejection:
        refused = True
        try:
            frame = read(data, known, limit, feed.format).frame
        except Rejection:
            return _search_text(people, data, content, limit)
        if people.in_texts(pl.Series(frame.columns)).any():  # a file without a header, perhaps
            return _search_text(people, data, content, limit)
        found = people.in_fields(frame) if frame.width else pl.Series([], dtype=pl.Boolean)
        lines = {at + 1 for at in found.arg_true()}
    gone = (lines | meant) - blank
    if not gone and not is_beside:
        return None
    new = without(data, frozenset(gone), known, limit, feed.format, people.redacted)
    erased = Erased(
        before=content,
        after=hashlib.sha256(new).hexdigest(),
        lines=tuple(sorted(gone | blank)),
        corrected=tuple(sorted(meant - lines)),
        refused=refused,
    )
    return new, erased, len(gone)


def _search_text(people: People, data: bytes, content: str, limit: int) -> tuple[bytes, Erased, int] | None:
    """Take lines out of an object that cannot be read as records: as it stays refused, places do not matter."""
    plain = decompressed(data, limit)
    codec = "utf-16" if plain.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8"
    try:
        parts = _LINE_ENDS.split(plain.decode(codec, "surrogateescape"))
    except UnicodeError:
        parts = ["\0"]
    if "\0" in "".join(parts):
        msg = "it is no text, so it cannot be searched; remove it, or land it again, whole."
        raise Rejection(msg)
    lines = people.in_texts(pl.Series(map(_readable, parts[::2]), dtype=pl.String)).arg_true()
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


def _zip_again(data: bytes, key: str, changed: Mapping[str, bytes]) -> bytes:
    """Return a zip with some members changed; the others are carried over as they lie there, read or not."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w") as new:
        ends = sorted([*(info.header_offset for info in old.infolist()), old.start_dir])
        for info in old.infolist():
            if (member := f"{key}!{info.filename}") in changed:
                about = zipfile.ZipInfo(info.filename, info.date_time)
                about.compress_type, about.external_attr = zipfile.ZIP_DEFLATED, info.external_attr
                new.writestr(about, changed[member])
                continue
            # `zipfile` has no way to copy a member that it cannot decompress.
            at, info = info.header_offset, copy(info)  # noqa: PLW2901 - the same member, at another place
            info.header_offset = buffer.tell()
            buffer.write(data[at : ends[ends.index(at) + 1]])
            new.filelist.append(info)
            new.NameToInfo[info.filename] = info
            new.start_dir = buffer.tell()
            new._didModify = True  # type: ignore[attr-defined]  # noqa: SLF001
    return buffer.getvalue()
