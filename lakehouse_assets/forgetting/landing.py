"""Cleaning every landed object of a feed of the erased people. Not here: how one object is cleaned, see `erasure`."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from lakehouse_assets.erasure.search import KnownLines
from lakehouse_assets.forgetting.request import Request
from lakehouse_assets.parsing.archives import unpack
from lakehouse_assets.sources import manifest
from lakehouse_assets.sources.landing import key_of
from lakehouse_assets.storage.stores import AnotherVersionError, Stored

_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')


@dataclass
class InLanding:
    """What was found in the landed objects of a feed, and what they are since.

    Attributes:
        hashes: By key of an object: the new hashes of it and of its contents, by the old ones. Those of an erasure
            that was interrupted, whose clean object is there already, are among them.
        tokens: New token and size of the objects that were written anew, by key and old token.
        taken: Key, hash before and hash after of each source object from which records were taken.
        records: How many records those were.
        objects: In how many landed objects they were.
        unsearched: What could not be searched, each with the reason.
    """

    hashes: dict[str, dict[str, str]] = field(default_factory=dict)
    tokens: dict[tuple[str, str], tuple[str, int]] = field(default_factory=dict)
    taken: list[tuple[str, str, str]] = field(default_factory=list)
    records: int = 0
    objects: int = 0
    unsearched: list[str] = field(default_factory=list)

    @property
    def contents(self) -> dict[str, str]:
        """The new hashes of all objects and contents, by the old ones.

        What was cleaned now overrules what an earlier erasure, perhaps revoked, made of the same content.
        """
        anew = {key for key, _ in self.tokens}
        ordered = sorted(self.hashes, key=lambda key: key in anew)
        return {before: after for key in ordered for before, after in self.hashes[key].items()}


def clean_all(request: Request, known_lines: KnownLines, *, dry_run: bool = False) -> InLanding:
    """Take the erased people out of every landed object of the feed; in a dry run, search only."""
    erasures, landed = request.erasures, InLanding()
    store, limit = erasures.lake.store, erasures.lake.settings.max_source_bytes
    for stored in list(store.list(erasures.feed.landing)):
        key = key_of(erasures.feed, stored)
        landed.unsearched += _names_with_value(request, stored, key)
        if manifest.is_manifest(stored.path):
            continue
        if stored.size > limit:
            landed.unsearched.append(f"{key}: it is larger than LAKEHOUSE_MAX_SOURCE_BYTES; remove it.")
            continue
        try:
            data = store.read(stored.path, stored.token)
            now, new, since, found = erasures.clean(stored, data, known_lines, dry_run=dry_run)
        except AnotherVersionError:
            continue  # the new version is cleaned by the next ingest
        landed.unsearched += [f"{source}: {reason}" for source, reason in found.unsearched.items()]
        landed.records += found.records
        landed.objects += found.data is not None
        landed.taken += [(key, one.before, one.after) for one in found.erased]
        there = {hashlib.sha256(new).hexdigest(), *(one.hash for one in unpack(key, new, limit) if one.hash)}
        landed.hashes[key] = {one.before: after for after in there for one in since.evidence.of_after(after)}
        if now != stored:
            landed.tokens[key, stored.token] = (now.token, len(new))
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
