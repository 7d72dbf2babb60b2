"""What the other rooms know of erasures. They import this module, and nothing else of the room.

An ingest cleans each landed object before it reads it, so a file that is sent again brings no erased person back. Not
here: the command that forgets a person, see `forgetting`.
"""

import hashlib
import hmac
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.decisions.kinds import Erase
from lakehouse_assets.decisions.recorded import Decisions
from lakehouse_assets.erasure.evidence import Erased, Evidence, reports
from lakehouse_assets.erasure.matching import BLANK, People, key_of
from lakehouse_assets.erasure.search import KnownLines, Searched, search
from lakehouse_assets.parsing.archives import Rejection, unpack
from lakehouse_assets.parsing.parse import parse
from lakehouse_assets.sources import landing, manifest
from lakehouse_assets.sources.manifest import Manifest
from lakehouse_assets.storage.stores import AnotherVersionError, Store, Stored

IS_BLANK = pl.col("_problem").eq_missing(BLANK)
"""Whether a bronze record is a blank one, from which a person was erased."""
_TOO_LATE = (
    "the manifest came after a person was erased from the object, so the two cannot be compared any more. "
    "Accept it with `lakehouse accept`, or land the object again."
)


def keyed_hashes(store: Store, about: str, values: pl.Series) -> pl.Series:
    """Return what may be stored of personal values: only their HMACs, by the lake's key, which is made if need be.

    Args:
        about: What the values are; hashes about something else are others.
    """
    key, known = key_of(store), values.unique().drop_nulls().to_list()
    found = [hmac.digest(key, f"{about}\0{value}".encode(), "sha256").hex() for value in known]
    return values.replace_strict(known, found, return_dtype=pl.String)


class Cleaned(NamedTuple):
    """A landed object and its bytes without the erased people, the erasures since, and what was found."""

    stored: Stored
    data: bytes
    erasures: "Erasures"
    found: Searched


@dataclass(frozen=True)
class Erasures:
    """The erasures of one feed: who was erased, and the evidence of what was taken out. True if anybody was."""

    lake: Lake
    feed: Feed
    people: People
    evidence: Evidence

    @classmethod
    def load(cls, lake: Lake, feed: Feed, decisions: Decisions | None = None, key: bytes | None = None) -> "Erasures":
        """Read the erasures of a feed. Costs nothing where no person was erased."""
        decisions = decisions or Decisions.load(lake.store, feed.name)
        if not any(isinstance(decision, Erase) for decision in decisions.taken):
            return cls(lake, feed, People(feed), Evidence(lake.store, feed.name))
        people = People(feed, key or key_of(lake.store), tuple(decisions.active_of(Erase)))
        return cls(lake, feed, people, Evidence.load(lake.store, feed.name))

    def __bool__(self) -> bool:
        return bool(self.people.people)

    def matches(self, rows: pl.DataFrame) -> pl.Series:
        """Return which records of bronze or quarantine, or else which rows with silver's columns, are theirs."""
        return self.people.in_records(rows) if "_problem" in rows.columns else self.people.in_rows(rows)

    def has_replaced(self, content: str) -> bool:
        """Return whether a person was erased from a content, so that another content replaces it."""
        return content in self.evidence.before

    def has_touched(self, content: str) -> bool:
        """Return whether a person was erased from a content, or from another one that it replaces."""
        return content in self.evidence.before or content in self.evidence.after

    def has_refused(self, content: str) -> bool:
        """Return whether a content is what an erasure left of a refused one."""
        return any(erased.refused for erased in self.evidence.of_after(content))

    def blanked(self, records: pl.DataFrame, content: str) -> pl.DataFrame:
        """Return the bronze records of a content, those blank that a person was erased from."""
        return blanked(records, lines) if (lines := self.evidence.blank_lines(content)) else records

    def mismatch(self, digest: str, promised: Manifest, now: str | None) -> str | None:
        """Return what a landed object does not keep of its manifest; None when it keeps all of it.

        Args:
            digest: SHA-256 of its bytes.
            now: What the bytes do not keep. Where a person was erased, what the whole object did not keep counts.
        """
        if not (known := self.evidence.of_after(digest)):
            return now
        same = [erased for erased in known if erased.manifest == promised.digest]
        return same[0].held if same else _TOO_LATE

    def clean(
        self, stored: Stored, data: bytes, known_lines: KnownLines | None = None, *, dry_run: bool = False
    ) -> Cleaned:
        """Take the erased people out of a landed object, if they are in it.

        The order of writes is: evidence, landed object, then everything that reads it.

        Args:
            known_lines: Lines by content that are taken out whatever they say.
            dry_run: Search only.

        Raises:
            AnotherVersionError: It was replaced meanwhile; nothing was done to it.
            StorageError: The storage refused; the object is as it was.
        """
        if not self:
            return Cleaned(stored, data, self, Searched(None))
        lake, limit = self.lake, self.lake.settings.max_source_bytes
        found = search(self.people, self.evidence, landing.key_of(self.feed, stored), data, limit, known_lines)
        if found.data is None or dry_run:
            return Cleaned(stored, data, self, found)
        before, after = hashlib.sha256(data).hexdigest(), hashlib.sha256(found.data).hexdigest()
        about = []
        if there := manifest.find(lake, stored.path):
            promised = manifest.load(lake, there)
            held = self.mismatch(before, promised, self._mismatch(stored, data, promised))
            about = [Erased(before, after, manifest=promised.digest, held=held)]
        elif all(erased.before != before for erased in found.erased):  # a source object has evidence of its own
            about = [Erased(before, after)]
        for erased in (*found.erased, *about):
            self.evidence.record(erased)
        if not lake.store.replace(stored.path, found.data, stored.token):
            raise AnotherVersionError(stored.path)
        now = lake.store.stat(stored.path)
        if now is None or lake.store.read(stored.path, now.token) != found.data:
            raise AnotherVersionError(stored.path)
        since = Erasures(lake, self.feed, self.people, Evidence.load(lake.store, self.feed.name))
        return Cleaned(now, found.data, since, found)

    def _mismatch(self, stored: Stored, data: bytes, promised: Manifest) -> str | None:
        """Return what the bytes of a landed object do not keep of a manifest."""
        feed, key, limit = self.feed, landing.key_of(self.feed, stored), self.lake.settings.max_source_bytes
        totals = manifest.Totals(key, list(promised.sums))
        for source in unpack(key, data, limit):
            try:
                records = [] if source.rejection else [parse(source.data, feed, limit)[0]]
            except Rejection:
                records = []
            totals.add(source.key, source.hash, records)
        return manifest.mismatch(promised, totals, feed.shown_headers)


def blanked(records: pl.DataFrame, lines: frozenset[int]) -> pl.DataFrame:
    """Return bronze records of which some lines are blank: no value and no date, only their place."""
    gone = pl.col("_line").is_in(sorted(lines))
    kept = {"_line", "_source_key", "_source_hash", "_ingested_at"}
    empty = [name for name in records.columns if name not in kept]
    return records.with_columns(pl.when(~gone).then(pl.col(name)).alias(name) for name in empty).with_columns(
        pl.when(gone).then(pl.lit(BLANK)).otherwise(pl.col("_problem")).alias("_problem")
    )


def unfinished(lake: Lake, feed: Feed, decisions: Decisions) -> list[Erase]:
    """Return the erasures that were begun and have no report: the command has to be run again."""
    begun = decisions.active_of(Erase)
    names = [stored.path.rpartition("/")[2] for stored in lake.store.list(reports(feed.name))] if begun else []
    return [decision for decision in begun if not any(name.startswith(decision.id) for name in names)]
