"""A person's rows in published tables: finding them, and removing them where no run replaces the rows.

That is the case for held or pinned dates, which keep an older version, and for tables of earlier revisions. Not here:
earlier versions of a table.
"""

from functools import partial

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed, Table
from lakehouse_assets.decisions.recorded import Decisions
from lakehouse_assets.erasure.evidence import Erasures
from lakehouse_assets.erasure.matching import followed, have, theirs
from lakehouse_assets.forgetting.decisions import repin
from lakehouse_assets.pipeline.pending import batches, fingerprint
from lakehouse_assets.pipeline.pins import decision_folder, pins_of
from lakehouse_assets.storage import delta, delta_files


def rows_of(lake: Lake, feed: Feed, erasures: Erasures, table: Table) -> dict[str, int]:
    """Return how many of an erased person's rows each partition of silver or quarantine holds."""
    if not delta.exists(lake.store, table.path):
        return {}
    columns = {name: column.dtype for name, column in table.columns.items()}
    scan = delta.scan(lake.store, table.path, columns).with_columns(table.partitioning.partition.alias("_part"))
    if table.layer == "silver":
        keys = list(followed(feed, erasures).keys() & set(scan.collect_schema().names()))
        counted = scan.group_by("_part", *keys).len().collect()  # people are few, lines are many
        found = counted.filter(typed(feed, erasures, counted)).group_by("_part").agg(pl.sum("len")).sort("_part")
        return dict(found.iter_rows())
    sizes = _sizes(lake, table)
    hits: dict[str, int] = {}
    for partitions in batches(sorted(sizes), sizes, lake.settings.publish_batch_rows):
        rows = scan.filter(table.partitioning.filter(partitions)).collect() if _is_dated(table) else scan.collect()
        hits |= dict(rows.filter(theirs(feed, erasures, rows)).group_by("_part").len().sort("_part").iter_rows())
    return hits


def _is_dated(table: Table) -> bool:
    return bool(table.partitioning.columns)


def _sizes(lake: Lake, table: Table) -> dict[str, int]:
    """Return the rows of each partition of a table."""
    files = delta_files.files(lake.store, table.path)
    if not files.height:
        return {}
    return dict(files.group_by(table.partitioning.partition.alias("part")).agg(pl.sum("num_records")).iter_rows())


def typed(feed: Feed, erasures: Erasures, rows: pl.DataFrame) -> pl.Series:
    """Return which rows with silver's columns are an erased person's."""
    found = pl.repeat(value=False, n=rows.height, eager=True)
    for column in followed(feed, erasures).keys() & set(rows.columns):
        found |= have(feed, erasures, column, rows[column])
    return found


def take_out(lake: Lake, feed: Feed, erasures: Erasures) -> dict[str, int]:
    """Take a person's rows out of silver and quarantine where no run has: of dates that are held or pinned.

    Silver's dates get new fingerprints, so that gold follows.

    Returns:
        Rows by table.
    """
    done = {}
    for table in (*feed.typed, feed.quarantine):
        if found := rows_of(lake, feed, erasures, table):
            sizes = _sizes(lake, table)
            for partitions in batches(list(found), sizes, lake.settings.publish_batch_rows):
                delta.until_committed(partial(_rewrite, lake, feed, erasures, table, partitions))
            done[table.full_name] = sum(found.values())
    return done


def _rewrite(lake: Lake, feed: Feed, erasures: Erasures, table: Table, partitions: list[str]) -> None:
    stored = delta.opened(lake.store, table.path)
    marks = delta.fingerprints(lake.store, table.path)
    chosen = table.partitioning.filter(partitions)
    rows = delta.rows(lake.store, stored).filter(chosen).collect()
    if table.layer == "silver":
        gone = typed(feed, erasures, rows)
        new = {
            partition: fingerprint([marks.get(partition, 0), "erased", sorted(erasures.before)])
            for partition in partitions
        }
        pinned = set(pins_of(Decisions.load(lake.store, feed.name), table)) & set(new)
        # The pin first: a run in between would restore what is pinned.
        if pinned:
            repin(lake, decision_folder(table), table.full_name, {partition: new[partition] for partition in pinned})
    else:
        gone = theirs(feed, erasures, rows)
        new = {partition: marks[partition] for partition in partitions if partition in marks}
    delta.replace(lake.store, stored, rows.filter(~gone), table.partitioning.sql_predicate(partitions), new)


def take_out_of_old(lake: Lake, feed: Feed, erasures: Erasures, path: str) -> int:
    """Take a person's rows out of a table of an earlier revision; return how many there were.

    Partition by partition, told by their own values: the log keeps what a commit's predicate says.
    """
    stored = delta.opened(lake.store, path)
    names = {field.name for field in stored.schema().fields}
    partitions = stored.metadata().partition_columns
    columns = sorted(followed(feed, erasures).keys() & names)
    if not columns:
        return 0
    rows = delta.rows(lake.store, stored).select(*columns, *partitions).collect()
    hits = rows.filter(typed(feed, erasures, rows))
    for place in hits.select(partitions).unique().iter_rows(named=True) if partitions else [{}] if hits.height else []:
        stored = delta.opened(lake.store, path)
        chosen = [pl.col(name).eq_missing(pl.lit(value)) for name, value in place.items()]
        whole = delta.rows(lake.store, stored).filter(*chosen).collect()
        predicate = " and ".join(f"{name} is null" if v is None else f"{name} = '{v}'" for name, v in place.items())
        delta.replace(lake.store, stored, whole.filter(~typed(feed, erasures, whole)), predicate or None, {})
    return hits.height
