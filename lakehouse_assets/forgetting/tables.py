"""A person's rows in published tables: finding them, and removing them where no run replaces the rows.

That is the case for held or pinned dates, which keep an older version. Not here: earlier versions of a table.
"""

from collections.abc import Iterator
from functools import partial

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Table
from lakehouse_assets.decisions.recorded import Decisions
from lakehouse_assets.erasure.protocol import Erasures
from lakehouse_assets.forgetting.decisions import repin
from lakehouse_assets.pipeline.batches import batches
from lakehouse_assets.pipeline.inputs import fingerprint
from lakehouse_assets.pipeline.pins import decision_folder, pins_of
from lakehouse_assets.pipeline.reading import read
from lakehouse_assets.storage import delta, delta_files


def theirs(erasures: Erasures) -> Iterator[tuple[Table, dict[str, int]]]:
    """Yield the tables of silver and quarantine with an erased person's rows, and how many each partition holds."""
    for table in (*erasures.feed.typed, erasures.feed.quarantine):
        if found := _rows_of(erasures, table):
            yield table, found


def _rows_of(erasures: Erasures, table: Table) -> dict[str, int]:
    lake = erasures.lake
    if not delta.exists(lake.store, table.path):
        return {}
    scan = read(lake, table).with_columns(table.partitioning.partition.alias("_part"))
    # Silver's values are matched by the columns that identify people; a record that failed, by all that it has.
    wanted = ["_part", *erasures.people.columns.keys() & table.columns.keys()] if table.layer == "silver" else pl.all()
    sizes, hits = _sizes(lake, table), dict[str, int]()
    for partitions in batches(sorted(sizes), sizes, lake.settings.publish_batch_rows):
        rows = scan.filter(table.partitioning.filter(partitions)).select(wanted).collect()
        hits |= dict(rows.filter(erasures.matches(rows)).group_by("_part").len().sort("_part").iter_rows())
    return hits


def _sizes(lake: Lake, table: Table) -> dict[str, int]:
    """Return the rows of each partition of a table."""
    files = delta_files.files(lake.store, table.path)
    if not files.height:
        return {}
    return dict(files.group_by(table.partitioning.partition.alias("part")).agg(pl.sum("num_records")).iter_rows())


def take_out(erasures: Erasures) -> dict[str, int]:
    """Take a person's rows out of silver and quarantine where no run has: of dates that are held or pinned.

    Silver's dates get new fingerprints, so that gold follows.

    Returns:
        Rows by table.
    """
    done, limit = {}, erasures.lake.settings.publish_batch_rows
    for table, found in theirs(erasures):
        for partitions in batches(list(found), _sizes(erasures.lake, table), limit):
            delta.until_committed(partial(_rewrite, erasures, table, partitions))
        done[table.full_name] = sum(found.values())
    return done


def _rewrite(erasures: Erasures, table: Table, partitions: list[str]) -> None:
    lake = erasures.lake
    stored, marks = delta.opened(lake.store, table.path), delta.fingerprints(lake.store, table.path)
    rows = delta.rows(lake.store, stored).filter(table.partitioning.filter(partitions)).collect()
    if table.layer == "silver":
        before = sorted(erasures.evidence.before)
        new = {partition: fingerprint([marks.get(partition, 0), "erased", before]) for partition in partitions}
        pinned = pins_of(Decisions.load(lake.store, erasures.feed.name), table).keys() & new.keys()
        # The pin first: a run in between would restore what is pinned.
        if pinned:
            repin(lake, decision_folder(table), table.full_name, {partition: new[partition] for partition in pinned})
    else:
        new = {partition: marks[partition] for partition in partitions if partition in marks}
    delta.replace(
        lake.store, stored, rows.filter(~erasures.matches(rows)), table.partitioning.sql_predicate(partitions), new
    )
