"""Removing a person from earlier versions of tables, replaced contents, and files of dead writers.

Afterwards a table has its present version only. The seven days that maintenance waits for readers do not apply here.
Not here: the present version.
"""

import datetime as dt
import io

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.erasure.protocol import Erasures
from lakehouse_assets.forgetting.decisions import downstream
from lakehouse_assets.ledger.ledger import TABLE as LEDGER
from lakehouse_assets.maintenance import bronze_leftovers, leftovers, packing
from lakehouse_assets.maintenance.leftovers import CHECKPOINT, COMMIT, Found
from lakehouse_assets.maintenance.leftovers import versions as all_versions
from lakehouse_assets.pipeline import as_of_index, packs, reference_index
from lakehouse_assets.pipeline.accounting import TABLE as ACCOUNTING
from lakehouse_assets.pipeline.bronze import scan_files
from lakehouse_assets.storage import delta
from lakehouse_assets.storage.temporary import remove_abandoned


def folders(lake: Lake, feed: Feed) -> list[str]:
    """Return the folders of all tables in whose past the feed's records or their traces may stand."""
    own = [table.path for table in (*feed.tables, *reference_index.tables([feed])) if table is not feed.bronze]
    models = downstream(lake, feed)
    gold = [table.path for table in (*(model.table for model in models), *as_of_index.tables(lake, models))]
    return [*own, LEDGER.path, ACCOUNTING.path, packs.TABLE.path, *gold]


def forget_past(erasures: Erasures, folder: str, *, versions: bool) -> list[Found]:
    """Remove a person from the past of a table; return the files that are gone.

    Args:
        versions: Remove all versions but the present one; else only data files with an erased person's rows that no
            log entry knows. A writer that is about to commit such a file is out of date and fails.
    """
    lake = erasures.lake
    names = {item.path.removeprefix(f"{folder}/"): item for item in leftovers.objects(lake, folder)}
    log = {name.removeprefix("_delta_log/"): item for name, item in names.items() if name.startswith("_delta_log/")}
    if not log:
        return []
    from deltalake.exceptions import DeltaError  # noqa: PLC0415

    try:
        table = delta.opened(lake.store, folder)
        if versions:
            table.create_checkpoint()
        now, active = table.version(), leftovers.active_files(table)
        known = leftovers.removed_files(table, folder, dt.timedelta()) | set(leftovers.removed_in(lake, log))
    except DeltaError as error:
        raise delta.unreadable(lake.store, folder, error) from error
    data = {name: item for name, item in names.items() if not name.startswith("_delta_log/") and name not in active}
    gone = [item for n, item in data.items() if (versions if n in known else _is_theirs(erasures, item))]
    if versions:
        entries = {item for kind in (COMMIT, CHECKPOINT) for n, item in all_versions(log, kind).items() if n < now}
        gone += sorted(entries, key=lambda one: one.path)
    for item in gone:
        lake.store.delete(item.path)
    return gone


def forget_unused_indexes(lake: Lake, feed: Feed) -> list[Found]:
    """Remove the indexes of references that nothing reads any more; return the files that are gone.

    They are of earlier revisions, or of when the feed's records waited for what they reference.
    """
    used = {table.path for table in reference_index.tables([feed])}
    unused = [folder for folder in reference_index.folders(lake, feed.name) if folder not in used]
    gone = [item for folder in unused for item in leftovers.objects(lake, folder)]
    for item in gone:
        lake.store.delete(item.path)
    return gone


def _is_theirs(erasures: Erasures, item: Found) -> bool:
    """Return whether a data file holds an erased person's rows; one cut short is of a writer that died."""
    layer = item.path.split("/", 1)[0]
    if layer not in {"bronze", "silver", "quarantine"} or not item.path.endswith(".parquet"):
        return False
    try:
        rows = pl.read_parquet(io.BytesIO(erasures.lake.store.read(item.path)))
    except delta.UNREADABLE:
        return True
    if layer == "silver":
        return bool(erasures.people.in_rows(rows).any())
    missing = [name for name in erasures.feed.bronze.columns if name not in rows.columns]
    rows = rows.with_columns(pl.lit(None, pl.String).alias(name) for name in missing)
    return bool(erasures.matches(rows).any())


def _has_replaced(erasures: Erasures, item: Found) -> bool:
    """Return whether a bronze object holds a content that another one replaces."""
    if not packs.is_pack(item.path):
        return erasures.has_replaced(bronze_leftovers.content_of(item))
    try:
        rows = pl.read_parquet(io.BytesIO(erasures.lake.store.read(item.path)), columns=["_source_hash"])
    except delta.UNREADABLE:
        return True
    return any(map(erasures.has_replaced, rows["_source_hash"].unique()))


def _unrecorded_of_theirs(erasures: Erasures) -> set[str]:
    """Return the files in packs with an erased person's records that no ledger knows, or that cannot be read."""
    lake, feed, found = erasures.lake, erasures.feed, set[str]()
    late = bronze_leftovers.unrecorded(lake, feed).with_columns(pl.col("file").alias("_file"))
    for files in late.partition_by("part", "pack"):
        try:
            records = scan_files(lake, feed, files.select("part", "file", "_file")).collect()
        except delta.UNREADABLE:
            found.update(files["file"])
        else:
            found.update(records.filter(erasures.matches(records))["_file"])
    return found


def forget_bronze(erasures: Erasures) -> list[Found]:
    """Remove the bronze files of replaced contents, and those with an erased person's records that no ledger knows."""
    unrecorded = _unrecorded_of_theirs(erasures)
    packing.take_out(
        erasures.lake,
        erasures.feed,
        lambda file: erasures.has_replaced(packs.content_of(file)) or file in unrecorded,
    )
    orphans = bronze_leftovers.bronze_orphans(erasures.lake, erasures.feed)
    gone = [o for o in orphans if _has_replaced(erasures, o) or _is_theirs(erasures, o)]
    for item in gone:
        erasures.lake.store.delete(item.path)
    return gone


def forget_temporary(lake: Lake) -> None:
    """Remove what writers and jobs left under names of their own, whatever its age; one under way fails and is retried.

    On this machine, also what processes that were killed have put aside.
    """
    remove_abandoned()
    for item in [*leftovers.temporary(lake, dt.datetime.max.replace(tzinfo=dt.UTC)), *leftovers.staged(lake)]:
        lake.store.delete(item.path)
