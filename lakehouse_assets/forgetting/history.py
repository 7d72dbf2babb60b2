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
from lakehouse_assets.maintenance.leftovers import Found
from lakehouse_assets.pipeline import as_of_index, packs, reference_index
from lakehouse_assets.pipeline.accounting import TABLE as ACCOUNTING
from lakehouse_assets.pipeline.bronze import scan_files
from lakehouse_assets.storage import delta
from lakehouse_assets.storage.temporary import remove_abandoned

_END = dt.datetime.max.replace(tzinfo=dt.UTC)
"""Seen from there, everything is old enough to be removed."""


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
    if not delta.exists(lake.store, folder):
        return []
    from deltalake.exceptions import DeltaError  # noqa: PLC0415

    try:
        if versions:
            delta.opened(lake.store, folder).create_checkpoint()
        left = leftovers.of_table(lake, folder, leftovers.objects(lake, folder), dt.timedelta(), _END)
    except DeltaError as error:
        raise delta.unreadable(lake.store, folder, error) from error
    if versions:
        return leftovers.remove(lake, [*left.dead, *left.log])
    return leftovers.remove(lake, [item for item in left.orphans if _is_theirs(erasures, item)])


def forget_unused_indexes(lake: Lake, feed: Feed) -> list[Found]:
    """Remove the indexes of references that nothing reads any more; return the files that are gone.

    They are of earlier revisions, or of when the feed's records waited for what they reference.
    """
    used = {table.path for table in reference_index.tables([feed])}
    unused = [folder for folder in reference_index.folders(lake, feed.name) if folder not in used]
    return leftovers.remove(lake, [item for folder in unused for item in leftovers.objects(lake, folder)])


def _is_theirs(erasures: Erasures, item: Found) -> bool:
    """Return whether a data file has an erased person's rows, or in bronze those of a content that another replaces.

    One that is cut short is of a writer that died.
    """
    layer = item.path.split("/", 1)[0]
    if layer not in {"bronze", "silver", "quarantine"} or not item.path.endswith(".parquet"):
        return False
    try:
        rows = pl.read_parquet(io.BytesIO(erasures.lake.store.read(item.path)))
    except delta.UNREADABLE:
        return True
    if layer != "silver":
        missing = [name for name in erasures.feed.bronze.columns if name not in rows.columns]
        rows = rows.with_columns(pl.lit(None, pl.String).alias(name) for name in missing)
    # A file may be of a content and have no rows; a pack has rows of many.
    contents = [bronze_leftovers.content_of(item), *rows["_source_hash"].unique()] if layer == "bronze" else []
    return any(map(erasures.has_replaced, contents)) or bool(erasures.matches(rows).any())


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
    return leftovers.remove(erasures.lake, [item for item in orphans if _is_theirs(erasures, item)])


def forget_temporary(lake: Lake) -> None:
    """Remove what writers and jobs left under names of their own, whatever its age; one under way fails and is retried.

    On this machine, also what processes that were killed have put aside.
    """
    remove_abandoned()
    leftovers.remove(lake, [*leftovers.temporary(lake, _END), *leftovers.staged(lake)])
