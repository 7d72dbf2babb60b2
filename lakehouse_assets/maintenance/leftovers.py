"""Files of the lake that are no longer needed, with their age.

A dead file was removed from its table by a commit. An orphan was never part of a table or the ledger: its writer died
before the commit. A file counts as an orphan only after a week, because a run may still be writing it. Not here: when
they are removed, and bronze, see `bronze_leftovers`.
"""

import datetime as dt
import json
import os
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.engines.spark import STAGING
from lakehouse_assets.ledger.ledger import REJECTED
from lakehouse_assets.storage import delta

if TYPE_CHECKING:
    from deltalake import DeltaTable

WEEK, DAY, LOG_KEPT = dt.timedelta(days=7), dt.timedelta(days=1), dt.timedelta(days=30)
COMMIT, CHECKPOINT = re.compile(r"(\d{20})\.json"), re.compile(r"(\d{20})\.checkpoint.*\.parquet")
_TEMPORARY = re.compile(r"\..*\.tmp|_commit_.*\.json\.tmp|.*#\d+")


@dataclass(frozen=True)
class Found:
    """One object: its path below the lake root, its size in bytes, and when it was last written."""

    path: str
    size: int
    modified: dt.datetime


@dataclass(frozen=True)
class Leftovers:
    """What is left over of one Delta table.

    Attributes:
        dead: Data files that no version of the retention time needs.
        log: Log entries that no version of the last 30 days needs.
        recent: Log entries since the last checkpoint, which every reader reads one by one.
        orphans: Data files that no log entry names, old enough to go; `young` are those that are not.
    """

    dead: list[Found]
    log: list[Found]
    recent: list[Found]
    orphans: list[Found]
    young: list[Found]


def objects(lake: Lake, folder: str) -> list[Found]:
    """Return every object below a folder, hidden ones included; the same for a local lake and one on S3."""
    from deltalake.exceptions import TableNotFoundError  # noqa: PLC0415
    from deltalake.fs import DeltaStorageHandler  # noqa: PLC0415
    from pyarrow.fs import FileSelector, FileType, PyFileSystem  # noqa: PLC0415

    try:
        handler = DeltaStorageHandler(lake.store.root, lake.store.options)
    except TableNotFoundError:  # the root of a local lake in which nothing was ever done
        return []
    listed = PyFileSystem(handler).get_file_info(FileSelector(folder, allow_not_found=True, recursive=True))
    files = (info for info in listed if info.type == FileType.File)
    return [Found(info.path, info.size or 0, info.mtime or dt.datetime.now(dt.UTC)) for info in files]


def of_table(lake: Lake, folder: str, there: Iterable[Found], retention: dt.timedelta, now: dt.datetime) -> Leftovers:
    """Return what is left over of a Delta table.

    Args:
        folder: Where the table lies, below the lake root.
        there: Its objects. They were listed before the table is opened here, so all that is committed is known.

    Raises:
        StorageError: The table's log cannot be read.
    """
    table = delta.opened(lake.store, folder)
    active = active_files(table)
    names = {item.path.removeprefix(f"{folder}/"): item for item in there}
    log = {name.removeprefix("_delta_log/"): item for name, item in names.items() if name.startswith("_delta_log/")}
    data = {n: i for n, i in names.items() if not n.startswith("_") and not is_temporary(n) and n not in active}
    removed, gone = removed_files(table, folder, dt.timedelta()), removed_files(table, folder, retention)
    unknown = {name: item for name, item in data.items() if name not in removed}
    # A checkpoint forgets what was removed more than a week before it; the log entries before it still tell.
    removed_at = removed_in(lake, log) if unknown else {}
    dead = [
        i
        for n, i in data.items()
        if n in gone or (n in unknown and n in removed_at and removed_at[n] < now - retention)
    ]
    orphans = [item for name, item in unknown.items() if name not in removed_at]
    return Leftovers(
        dead=[item for item in dead if item.modified < now - retention],
        log=_old_entries(log, now - max(LOG_KEPT, retention)),
        recent=_since_checkpoint(log),
        orphans=[item for item in orphans if item.modified < now - max(WEEK, retention)],
        young=[item for item in orphans if item.modified >= now - max(WEEK, retention)],
    )


def active_files(table: "DeltaTable") -> set[str]:
    """Return the data files of a table's version, by their paths below it."""
    return {unquote(path) for path in pl.DataFrame(table.get_add_actions(flatten=True))["path"].to_list()}


def removed_files(table: "DeltaTable", folder: str, age: dt.timedelta) -> set[str]:
    """Return the data files that were removed from a table at least so long ago, by their paths below it."""
    hours = round(age / dt.timedelta(hours=1))
    listed = table.vacuum(retention_hours=hours, dry_run=True, enforce_retention_duration=False)
    return {unquote(path).rpartition(f"{folder}/")[2] for path in listed}


def removed_in(lake: Lake, log: dict[str, Found]) -> dict[str, dt.datetime]:
    """Return the data files that some log entry removes, and when."""
    entries = [item.path for name, item in log.items() if COMMIT.fullmatch(name)]
    found = {}
    with ThreadPoolExecutor(lake.settings.threads) as pool:
        for content in pool.map(lake.store.read, entries):
            for line in content.splitlines():
                if b'"remove"' in line and (action := json.loads(line).get("remove")):
                    at = dt.datetime.fromtimestamp(action.get("deletionTimestamp", 0) / 1000, dt.UTC)
                    found[unquote(action["path"])] = at
    return found


def versions(log: dict[str, Found], kind: re.Pattern[str]) -> dict[int, Found]:
    """Return the log entries of one kind by version."""
    return {int(match.group(1)): item for name, item in log.items() if (match := kind.fullmatch(name))}


def _old_entries(log: dict[str, Found], cutoff: dt.datetime) -> list[Found]:
    """Return the log entries before the checkpoint that the oldest version to keep is read from."""
    commits, checkpoints = versions(log, COMMIT), versions(log, CHECKPOINT)
    kept = min(
        (version for version, item in commits.items() if item.modified >= cutoff), default=max(commits, default=0)
    )
    base = max((version for version in checkpoints if version <= kept), default=0)
    entries = [*commits.items(), *checkpoints.items()]
    return [item for version, item in entries if version < base and item.modified < cutoff]


def _since_checkpoint(log: dict[str, Found]) -> list[Found]:
    last = max(versions(log, CHECKPOINT), default=-1)
    return [item for version, item in versions(log, COMMIT).items() if version > last]


def remove(lake: Lake, found: list[Found]) -> list[Found]:
    """Remove objects and return them. An object that is already gone is no error."""
    with ThreadPoolExecutor(lake.settings.threads) as pool:
        list(pool.map(lambda item: lake.store.delete(item.path), found))
    return found


def is_temporary(path: str) -> bool:
    """Return whether a writer made a file under a name of its own, by its path."""
    return _TEMPORARY.fullmatch(path.rpartition("/")[2]) is not None


def temporary(lake: Lake, before: dt.datetime) -> Iterator[Found]:
    """Yield what writers left behind under names of their own before a moment. On S3 a write leaves none."""
    if lake.settings.is_s3:
        return
    for folder, names, files in os.walk(lake.store.root):
        names[:] = sorted(name for name in names if not (folder == lake.store.root and name.startswith(".")))
        for file in sorted(filter(is_temporary, files)):
            path = os.path.join(folder, file)  # noqa: PTH118 - thousands of names
            try:
                stat = os.stat(path)  # noqa: PTH116
            except FileNotFoundError:
                continue
            modified = dt.datetime.fromtimestamp(stat.st_mtime, dt.UTC)
            if modified < before:
                yield Found(os.path.relpath(path, lake.store.root), stat.st_size, modified)


def staged(lake: Lake) -> list[Found]:
    """Return what jobs of Spark read and wrote, that is no longer there when their runs end by themselves."""
    return objects(lake, STAGING)


def rejected_originals(lake: Lake, feed: Feed, before: dt.datetime) -> Iterator[tuple[Found, str]]:
    """Yield the landed objects, with their tokens, of which everything was rejected before a moment and is so still."""
    rows = lake.ledger_of(feed).rows
    latest = rows.filter(pl.col("version") == pl.col("version").max().over("object_key"))
    refused = latest.group_by("object_key").agg(
        (pl.col("state") == REJECTED).all().alias("all"), pl.col("object_token", "ingested_at").first()
    )
    chosen = refused.filter(pl.col("all") & (pl.col("ingested_at") < before)).sort("object_key")
    for key, token, at in chosen.select("object_key", "object_token", "ingested_at").iter_rows():
        stored = lake.store.stat(f"{feed.landing}/{key}")
        if stored is not None and stored.token == token:
            yield Found(stored.path, stored.size, at), token
