"""Cleaning every landed object of a feed of the erased people. Not here: how one object is cleaned, see `erasure`."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from lakehouse_assets.context import Lake
from lakehouse_assets.erasure.landed_objects import clean
from lakehouse_assets.erasure.search import Also
from lakehouse_assets.forgetting.request import Request
from lakehouse_assets.parsing.archives import unpack
from lakehouse_assets.sources import manifest
from lakehouse_assets.sources.landing import key_of
from lakehouse_assets.storage.stores import AnotherVersionError, Stored

_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')


@dataclass
class Cleaned:
    """The landed objects of a feed after the cleaning.

    Attributes:
        hashes: By key of an object: the new hashes of it and of its contents, by the old ones. Those of an erasure
            that was interrupted, whose clean object is there already, are among them.
        tokens: New token and size of the objects that were written anew, by key and old token.
        sources: Key, hash before and hash after of each source object from which records were taken.
        records: How many records were taken out.
        unsearched: What could not be searched, each with the reason.
    """

    hashes: dict[str, dict[str, str]] = field(default_factory=dict)
    tokens: dict[tuple[str, str], tuple[str, int]] = field(default_factory=dict)
    sources: list[tuple[str, str, str]] = field(default_factory=list)
    records: int = 0
    unsearched: list[str] = field(default_factory=list)


def clean_all(lake: Lake, request: Request, also: Also) -> Cleaned:
    """Take the erased people out of every landed object of the feed."""
    feed, erasures, limit, cleaned = request.feed, request.erasures, lake.settings.max_source_bytes, Cleaned()
    for stored in list(lake.store.list(feed.landing)):
        key = key_of(feed, stored)
        cleaned.unsearched += _named(lake, request, stored, key)
        if manifest.is_manifest(stored.path):
            continue
        if stored.size > limit:
            cleaned.unsearched.append(f"{key}: it is larger than LAKEHOUSE_MAX_SOURCE_BYTES; remove it.")
            continue
        try:
            data = lake.store.read(stored.path, stored.token)
            now, new, seen = clean(lake, feed, erasures, stored, data, also)
        except AnotherVersionError:
            continue  # the new version is cleaned by the next ingest
        cleaned.unsearched += seen.unsearched
        digest = hashlib.sha256(new).hexdigest()
        there = {digest, *(source.hash for source in unpack(key, new, limit) if source.hash)}
        hashes = {erased.before: after for after in there for erased in erasures.of_after(after)}
        if now != stored:
            hashes |= {one.before: one.after for one in seen.erased} | {hashlib.sha256(data).hexdigest(): digest}
            cleaned.sources += [(key, one.before, one.after) for one in seen.erased]
            cleaned.records += seen.records
            cleaned.tokens[key, stored.token] = (now.token, len(new))
        cleaned.hashes[key] = hashes
    return cleaned


def _named(lake: Lake, request: Request, stored: Stored, key: str) -> Iterator[str]:
    """Yield where an object's name, or its manifest's text, has the value. Short values are of dates and counters."""
    if request.is_short:
        return
    redact = request.redact
    if redact(key) != key:
        yield f"{redact(key)}: its name holds the value; land it under another one, and remove it."
    if manifest.is_manifest(stored.path):
        texts = _STRING.findall(lake.store.read(stored.path).decode(errors="replace"))
        if any(redact(text) != text for text in texts):
            yield f"{redact(key)}: the manifest holds the value in a text; land it without."
