"""Which dates of a model a change of a history reaches, found without reading the dates.

A model that joins the versions that held at the times of its rows follows, for each date, from the rows of the date and
from these versions. The index of a model holds three things, in one Delta table:

- the uses: which keys the rows of each date ask for, and at which times (`part=uses-2011-03`, sorted by key);
- the versions of all keys, as the index last saw them (`part=versions-0-07`: join 0, bucket 7);
- for each date the sum over the versions that its rows ask for, as a transaction `sum:2011-03-01`.

The sum of a date as of now is the stored one, and what the keys that changed since add to it. So the fingerprint of a
date follows from its rows and its versions alone, whatever the index last saw. Only numbers are stored: hashes of keys
and values, and times. Without the index everything is read once, and nothing is built that did not change. As long as
no history has versions there is nothing to index: the sum of each date is 0.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Column, Model, Table
from lakehouse_assets.contracts.partitioning import Partitioning, as_bucket, as_date
from lakehouse_assets.contracts.table import path_of, revision_at
from lakehouse_assets.pipeline.as_of_versions import USE, VERSION, added, is_personal, sums, uses_of, versions_of
from lakehouse_assets.pipeline.inputs import fingerprint
from lakehouse_assets.storage import delta, delta_files, delta_log

_COLUMNS = {
    "part": Column(pl.String(), "Uses of a month, or versions of a bucket of keys.", nullable=False),
    "join": Column(pl.Int32(), "Number of the join in the model.", nullable=False),
    "key": Column(pl.Int64(), "Hash of the key; a keyed one where the key is personal.", nullable=False),
    "at": Column(pl.Int64(), "Time of a row, or since when the version holds.", nullable=False),
    "dt": Column(pl.Date(), "Date of the row; null for a version."),
    "version": Column(pl.Int64(), "Hash of the values; null for a use."),
}
SCHEMA = {name: column.dtype for name, column in _COLUMNS.items()}
JOINS, LIFE, SUM, USES = "joins", "life", "sum:", "uses-"
"""Marks of the index as a whole, and the beginnings of the names of sums, and of parts with uses."""
_FORM = 2
"""What the stored numbers mean. An index of another form is begun anew."""


def table_of(model: Model) -> Table:
    """Return the table of a model's index. People do not query it."""
    text = f"Which versions the rows of {model.table.full_name} use."
    return Table("ops", f"{model.name}_as_of", _COLUMNS, Partitioning.SNAPSHOT, text, model.owner, model.revision)


def tables(lake: Lake, models: Iterable[Model]) -> list[Table]:
    """Return the tables of the indexes of those of some models that have one."""
    return [table_of(model) for model in models if lake.registry.as_of(model)]


def folder_beside(gold: str) -> str:
    """Return the folder of the index that a model with this folder of gold has or had."""
    key, revision = revision_at(gold)
    return path_of(f"ops/{key.removeprefix('gold/')}_as_of", revision)


def logs(lake: Lake, model: Model) -> list[delta_log.Log]:
    """Return the log of what the sums of a model follow from besides the tables that it reads."""
    return [delta_log.read(lake.store, table_of(model).path)] if lake.registry.as_of(model) else []


def standing(lake: Lake, model: Model) -> dict[str, int]:
    """Return the sum of each date as of now; none for a date whose rows the index has not seen."""
    index = Index(lake, model)
    if not index.parts:
        return dict.fromkeys(index.dates, 0)
    known = {date: index.sum_of(date) for date, mark in index.dates.items() if index.marks.get(date) == mark}
    since = moved(index, map(index.difference, index.changed())) if known else {}
    return {date: value for date, value in added(known, since).items() if date in known}


def wrong(lake: Lake, model: Model, dates: list[str]) -> list[str]:
    """Return those of some dates whose sum is not what follows from their rows and the histories, read anew."""
    index = Index(lake, model)
    if not index.parts:
        return []
    found = [dict.fromkeys(dates, 0)]
    for number, join in enumerate(index.joins):
        uses = uses_of(lake, join, dates)
        keys, buckets = uses["key"].unique(), [part.bucket for part in index.parts.values() if part.join == number]
        # Bucket by bucket: only the versions of these keys are held together.
        versions = [pl.DataFrame(schema=VERSION), *(versions_of(lake, join, bucket, keys) for bucket in buckets)]
        found.append(sums(number, uses, pl.concat(versions)))
    now, stands = added(*found), standing(lake, model)
    return [date for date in dates if stands.get(date) != now[date]]


@dataclass(frozen=True)
class Part:
    """The versions of a bucket of keys for a join: the name of the part, and the mark that it should bear."""

    name: str
    join: int
    bucket: str
    mark: int


@dataclass(frozen=True)
class Difference:
    """The versions of a part, as they are now; those of keys that changed, as the index saw them, and as they are."""

    part: Part
    now: pl.DataFrame
    before: pl.DataFrame
    after: pl.DataFrame


class Index:
    """The index of a model at one version, and what it should follow from now.

    Attributes:
        marks: What its parts bear; nothing where it is of other joins.
        dates: The mark that each date of the rows should bear.
        parts: The versions that there should be, by name.
    """

    def __init__(self, lake: Lake, model: Model) -> None:
        self._lake, self._model, self.joins = lake, model, lake.registry.as_of(model)
        self._log = delta_log.read(lake.store, table_of(model).path)
        self.marks = self._log.transactions if self._log.transactions.get(JOINS) == self.identity else {}
        names = dict.fromkeys(join.facts for join in self.joins)
        facts = [delta.fingerprints(lake.store, lake.registry.table(name).path) for name in names]
        dates = sorted({date for one in facts for date in one if as_date(date)})
        self.dates = {date: self._bears([one.get(date) for one in facts]) for date in dates}
        self.parts = {part.name: part for part in self._parts()}

    @cached_property
    def identity(self) -> int:
        """What of the joins the stored numbers depend on."""
        tables = [self._lake.registry.table(name) for join in self.joins for name in (join.facts, join.history)]
        hashed = [is_personal(self._lake.registry.table(join.history), join) for join in self.joins]
        return fingerprint([_FORM, str(self.joins), [table.path for table in tables], hashed])

    def _parts(self) -> Iterator[Part]:
        for number, join in enumerate(self.joins):
            path = self._lake.registry.table(join.history).path
            for bucket, value in sorted(delta.fingerprints(self._lake.store, path).items()):
                if as_bucket(bucket) is not None:
                    name = f"versions-{number}-{bucket.partition('=')[2]}"
                    yield Part(name, number, bucket, self._bears([value]))

    def _bears(self, inputs: list[int | None]) -> int:
        return fingerprint([self.marks.get(LIFE), *inputs])

    def changed(self) -> list[str]:
        """Return the names of the parts whose versions may be others now."""
        return [name for name, part in self.parts.items() if self.marks.get(name) != part.mark]

    def sum_of(self, date: str) -> int:
        """Return the stored sum of a date."""
        return self.marks.get(f"{SUM}{date}", 0)

    def rows_of(self, part: Part) -> int:
        """Return how many versions the history has of a part."""
        table = self._lake.registry.table(self.joins[part.join].history)
        files = delta_files.files(self._lake.store, table.path)
        return int(files.filter(table.partitioning.filter([part.bucket]))["num_records"].sum())

    def rows(self, chosen: pl.Expr) -> pl.LazyFrame:
        """Return the stored rows of the index."""
        if not self.marks:
            return pl.LazyFrame(schema=SCHEMA)
        return self._stored.filter(chosen)

    @cached_property
    def _stored(self) -> pl.LazyFrame:
        store, path = self._lake.store, table_of(self._model).path
        return delta.rows(store, delta.opened(store, path, self._log.version))

    def difference(self, name: str) -> Difference:
        """Compare the versions of a part, as they are now, with those that are stored."""
        part = self.parts[name]
        now = versions_of(self._lake, self.joins[part.join], part.bucket)
        stored = self.rows(pl.col("part") == name).select(*VERSION).collect()
        other = pl.concat(a.join(b, on=[*VERSION], how="anti") for a, b in ((stored, now), (now, stored)))
        is_other = pl.col("key").is_in(other["key"].unique().implode())
        return Difference(part, now, stored.filter(is_other), now.filter(is_other))


def moved(index: Index, differences: Iterable[Difference]) -> dict[str, int]:
    """Return what the keys that changed add to the sums of the dates whose rows ask for them."""
    found, differences = list[dict[str, int]](), [one for one in differences if one.before.height + one.after.height]
    for number in sorted({one.part.join for one in differences}):
        mine = [one for one in differences if one.part.join == number]
        before, after = pl.concat(one.before for one in mine), pl.concat(one.after for one in mine)
        other = pl.concat(a.join(b, on=[*VERSION], how="anti") for a, b in ((before, after), (after, before)))
        is_asked = pl.col("part").str.starts_with(USES) & (pl.col("join") == number)
        is_other = pl.col("key").is_in(other["key"].unique().implode()) & (pl.col("at") >= other["at"].min())
        uses = index.rows(is_asked & is_other).select(*USE).collect()
        was, is_now = (sums(number, uses, versions) for versions in (before, after))
        found += [is_now, {date: -value for date, value in was.items()}]
    return {date: value for date, value in added(*found).items() if value}
