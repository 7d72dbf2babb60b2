"""Bringing the index of a model's joins as of a time up to date, before its dates are built.

Each commit is serial: a writer that saw an older index, or whose inputs changed while it read them, begins again. The
stored versions and the sums of all dates go on together, in one commit, so a kill between two commits leaves an index
that is right about what it has seen. Not here: what follows from the index (`as_of_index`).
"""

from collections.abc import Mapping
from functools import partial

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Model
from lakehouse_assets.contracts.partitioning import Partitioning, as_date
from lakehouse_assets.pipeline.as_of_index import JOINS, LIFE, SCHEMA, SUM, USES, Index, moved, table_of
from lakehouse_assets.pipeline.as_of_versions import USE, VERSION, added, make_key, sums, uses_of
from lakehouse_assets.pipeline.batches import batches
from lakehouse_assets.storage import delta
from lakehouse_assets.storage.schema_evolution import open_table

_SERIAL = "serial"


def bring_up_to_date(lake: Lake, model: Model, dates: list[str], *, force: bool = False) -> None:
    """Have the index know all histories, and the rows of some dates, as they are now.

    Args:
        force: Also read again what has not changed.
    """
    if not lake.registry.as_of(model):
        return
    index = Index(lake, model)
    if not index.parts:
        return
    if not index.marks:
        delta.until_committed(partial(_begin, lake, model))
        index = Index(lake, model)
    names = list(index.parts) if force else index.changed()
    sizes = {name: index.rows_of(index.parts[name]) for name in names}
    for batch in batches(names, sizes, lake.settings.publish_batch_rows):
        delta.until_committed(partial(_take_versions, lake, model, batch, force=force))
    delta.until_committed(partial(_take_dates, lake, model, dates, force=force))


def _begin(lake: Lake, model: Model) -> None:
    """Empty the index if it is of other joins. What it bore then counts no more, because its life is another one."""
    update = _Update(lake, model)
    if not update.index.marks:
        # Now, because whoever looks at what is pending may be allowed to read only.
        make_key(lake, update.index.joins)
        update.commit(pl.DataFrame(schema=SCHEMA), "part >= ''", {JOINS: update.index.identity, LIFE: update.version})


def _take_versions(lake: Lake, model: Model, names: list[str], *, force: bool) -> None:
    update = _Update(lake, model)
    index = update.index
    changed = set(index.parts if force else index.changed())
    differences = [index.difference(name) for name in names if name in changed]
    if not differences:
        return
    rows = [
        one.now.select(pl.lit(one.part.name).alias("part"), pl.lit(one.part.join).alias("join"), *VERSION)
        for one in differences
    ]
    replaced = [one.part.name for one in differences]
    since = moved(index, differences)
    of_dates = added({date: index.sum_of(date) for date in since}, since)
    marks = {name: index.parts[name].mark for name in replaced}
    update.check(marks)
    update.replace(pl.concat(rows), replaced, marks | {f"{SUM}{date}": value for date, value in of_dates.items()})


def _take_dates(lake: Lake, model: Model, dates: list[str], *, force: bool) -> None:
    update = _Update(lake, model)
    index = update.index
    marks = {
        date: index.dates[date] for date in dates
        if date in index.dates and (force or index.marks.get(date) != index.dates[date])
    }  # fmt: skip
    if not marks:
        return
    parts = {as_date(date): f"{USES}{date[:7]}" for date in marks}
    replaced = sorted(set(parts.values()))
    is_kept = pl.col("part").is_in(replaced) & ~pl.col("dt").is_in(list(parts))
    rows, found = [index.rows(is_kept).collect()], [dict.fromkeys(marks, 0)]
    for number, join in enumerate(index.joins):
        uses = uses_of(lake, join, marks)
        of_join = pl.col("part").str.starts_with(f"versions-{number}-")
        versions = index.rows(of_join & pl.col("key").is_in(uses["key"].unique().implode())).select(*VERSION).collect()
        found.append(sums(number, uses, versions))
        part = pl.col("dt").replace_strict(parts, return_dtype=pl.String).alias("part")
        rows.append(uses.select(part, pl.lit(number).alias("join"), *USE))
    update.check(marks)
    of_dates = {f"{SUM}{date}": value for date, value in added(*found).items()}
    update.replace(pl.concat(rows, how="diagonal_relaxed"), replaced, marks | of_dates)


class _Update:
    """One commit to an index, opened before what it follows from is read."""

    def __init__(self, lake: Lake, model: Model) -> None:
        self._lake, self._model = lake, model
        self._table = open_table(lake.store, table_of(model).path, SCHEMA, Partitioning.SNAPSHOT, ("part",))
        self.version = self._table.version() + 1
        self.index = Index(lake, model)

    def check(self, marks: Mapping[str, int]) -> None:
        """Raise `Conflict` if what some parts were read from changed meanwhile."""
        now = Index(self._lake, self._model)
        wanted = now.dates | {name: part.mark for name, part in now.parts.items()}
        if any(wanted.get(name) != mark for name, mark in marks.items()):
            raise delta.Conflict

    def replace(self, rows: pl.DataFrame, parts: list[str], marks: Mapping[str, int]) -> None:
        """Put rows in place of some parts, sorted by key, so that a reader finds some keys of many."""
        names = ", ".join(f"'{part}'" for part in parts)
        whole = pl.concat([pl.DataFrame(schema=SCHEMA), rows], how="diagonal_relaxed").select(
            pl.col(name).cast(dtype) for name, dtype in SCHEMA.items()
        )
        self.commit(whole.sort("key"), f"part in ({names})", marks)

    def commit(self, rows: pl.DataFrame, predicate: str, marks: Mapping[str, int]) -> None:
        """Raises `Conflict` if the index went on since it was opened."""
        serial = {_SERIAL: self.version}
        delta.replace(self._lake.store, self._table, rows, predicate, {**marks, **serial}, row_group=delta.ROW_GROUP)
