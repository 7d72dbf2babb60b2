"""Replacing a landed object by one without the erased people.

It runs before an object is read, so a file that is sent again brings nobody back. Order of writes: evidence, landed
object, then everything that reads it. Not here: which records are taken out.
"""

import hashlib

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.erasure import evidence
from lakehouse_assets.erasure.evidence import Erased, Erasures
from lakehouse_assets.erasure.search import Also, Searched, search
from lakehouse_assets.parsing.archives import Rejection, unpack
from lakehouse_assets.parsing.parse import parse
from lakehouse_assets.sources import manifest
from lakehouse_assets.sources.landing import key_of
from lakehouse_assets.sources.manifest import Manifest
from lakehouse_assets.storage.stores import AnotherVersionError, Stored

_TOO_LATE = (
    "the manifest came after a person was erased from the object, so the two cannot be compared any more. "
    "Accept it with `lakehouse accept`, or land the object again."
)


def clean(
    lake: Lake, feed: Feed, erasures: Erasures, stored: Stored, data: bytes, also: Also | None = None
) -> tuple[Stored, bytes, Searched]:
    """Take the erased people out of a landed object, if they are in it.

    Returns:
        The object and its bytes as they are now, and what was found.

    Raises:
        AnotherVersionError: It was replaced meanwhile; nothing was done to it.
        StorageError: The storage refused; the object is as it was.
    """
    limit = lake.settings.max_source_bytes
    found = search(feed, erasures, key_of(feed, stored), data, limit, also)
    if found.data is None:
        return stored, data, found
    before, after = hashlib.sha256(data).hexdigest(), hashlib.sha256(found.data).hexdigest()
    promised = manifest.load(lake, there) if (there := manifest.find(lake, stored.path)) else None
    about = Erased(before, after)
    if promised:
        about = Erased(
            before, after, manifest=promised.digest, held=verdict(lake, feed, erasures, stored, data, promised)
        )
    is_source = any(erased.before == before for erased in found.erased)  # then its hashes are on record without it
    for erased in found.erased if is_source and not promised else (*found.erased, about):
        evidence.record(lake.store, feed.name, erased)
    if not lake.store.replace(stored.path, found.data, stored.token):
        raise AnotherVersionError(stored.path)
    now = lake.store.stat(stored.path)
    if now is None or lake.store.read(stored.path, now.token) != found.data:
        raise AnotherVersionError(stored.path)
    return now, found.data, found


def verdict(lake: Lake, feed: Feed, erasures: Erasures, stored: Stored, data: bytes, promised: Manifest) -> str | None:
    """Return what a landed object does not keep of its manifest; None when it keeps all of it.

    Of an object from which somebody was erased, it is what was found of the whole one.
    """
    known = erasures.of_after(hashlib.sha256(data).hexdigest())
    if known:
        same = [erased for erased in known if erased.manifest == promised.digest]
        return same[0].held if same else _TOO_LATE
    key, limit, totals = key_of(feed, stored), lake.settings.max_source_bytes, manifest.Totals()
    for source in unpack(key, data, limit):
        try:
            records = None if source.rejection else parse(source.data, feed, limit)[0]
        except Rejection:
            records = None
        member = source.key.removeprefix(f"{key}!") if source.key != key else key.rsplit("/", 1)[-1]
        totals.add(member, source.hash, records, list(promised.sums))
    return manifest.mismatch(promised, totals, feed.shown_headers)
