"""Cleaning every landed object of a feed of the erased people. Not here: how one object is cleaned, see `erasure`."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from lakehouse_assets.erasure.search import KnownLines
from lakehouse_assets.forgetting.found import Found
from lakehouse_assets.forgetting.request import Request
from lakehouse_assets.parsing.archives import unpack
from lakehouse_assets.sources import manifest
from lakehouse_assets.sources.landing import key_of
from lakehouse_assets.storage.stores import AnotherVersionError, Stored

_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')


@dataclass
class InLanding:
    """What became of the landed objects of a feed.

    Attributes:
        hashes: The new hashes of objects and of their contents, by the object's key and the old hash. Those of an
            erasure that was interrupted, whose clean object is there already, are among them.
        tokens: The new tokens of the objects that were written anew, by key and old token; `sizes` their sizes.
    """

    hashes: dict[tuple[str, str], str] = field(default_factory=dict)
    tokens: dict[tuple[str, str], str] = field(default_factory=dict)
    sizes: dict[tuple[str, str], int] = field(default_factory=dict)

    @property
    def contents(self) -> dict[str, str]:
        """The new hashes of all objects and contents, by the old ones.

        What was cleaned now overrules what an earlier erasure, perhaps revoked, made of the same content.
        """
        anew = {key for key, _ in self.tokens}
        ordered = sorted(self.hashes.items(), key=lambda one: one[0][0] in anew)
        return {before: after for (_, before), after in ordered}


def clean_all(request: Request, known_lines: KnownLines, found: Found, *, dry_run: bool = False) -> InLanding:
    """Take the erased people out of every landed object of the feed, and add to what was found.

    Args:
        known_lines: Lines by content that are taken out whatever they say.
        dry_run: Search only.
    """
    erasures, landed = request.erasures, InLanding()
    store, limit = erasures.lake.store, erasures.lake.settings.max_source_bytes
    for stored in list(store.list(erasures.feed.landing)):
        key = key_of(erasures.feed, stored)
        found.unsearched += _names_with_value(request, stored, key)
        if manifest.is_manifest(stored.path):
            continue
        if stored.size > limit:
            found.unsearched.append(f"{key}: it is larger than LAKEHOUSE_MAX_SOURCE_BYTES; remove it.")
            continue
        try:
            data = store.read(stored.path, stored.token)
            now, new, since, searched = erasures.clean(stored, data, known_lines, dry_run=dry_run)
        except AnotherVersionError:
            continue  # the new version is cleaned by the next ingest
        found.unsearched += [f"{source}: {reason}" for source, reason in searched.unsearched.items()]
        found.add("landing", "objects", searched.data is not None)
        found.add("landing", "records", searched.records)
        found.objects += [(key, one.before, one.after) for one in searched.erased]
        there = {hashlib.sha256(new).hexdigest(), *(one.hash for one in unpack(key, new, limit) if one.hash)}
        landed.hashes |= {(key, one.before): after for after in there for one in since.evidence.of_after(after)}
        if now != stored:
            landed.tokens[key, stored.token], landed.sizes[key, stored.token] = now.token, len(new)
    return landed


def _names_with_value(request: Request, stored: Stored, key: str) -> Iterator[str]:
    """Yield where an object's name, or its manifest's text, has the value. Short values are of dates and counters."""
    if request.is_short:
        return
    if (name := request.redact(key)) != key:
        yield f"{name}: its name holds the value; land it under another one, and remove it."
    if manifest.is_manifest(stored.path):
        texts = _STRING.findall(request.erasures.lake.store.read(stored.path).decode(errors="replace"))
        if any(request.redact(text) != text for text in texts):
            yield f"{name}: the manifest holds the value in a text; land it without."
