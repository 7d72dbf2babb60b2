"""Looking after the tables: fewer and larger files, short logs, and nothing kept that nobody needs.

Every query has the same answer before and after, every partition keeps its fingerprint, and runs may go on meanwhile.
Bronze objects stay as they are: they are named by their content and read by name. Quarantined rows never expire: they
are part of what follows from the live records, and the next run would bring them back. What may expire are the landed
originals of rejected objects, by policy; a later contract then cannot take them any more.
"""

import datetime as dt
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from lakehouse_assets.contracts.declare import Table
from lakehouse_assets.contracts.partitioning import Partitioning
from lakehouse_assets.lake import delta, leftovers
from lakehouse_assets.lake.decisions import Decisions
from lakehouse_assets.lake.lake import Lake
from lakehouse_assets.lake.ledger import TABLE as LEDGER
from lakehouse_assets.lake.leftovers import WEEK, Found
from lakehouse_assets.publish.accounting import TABLE as ACCOUNTING
from lakehouse_assets.publish.catalog import PATH as CATALOG
from lakehouse_assets.publish.catalog import CatalogState, rebuild
from lakehouse_assets.publish.pending import batches
from lakehouse_assets.publish.pins import decision_folder, pins_of

if TYPE_CHECKING:
    from deltalake import DeltaTable

COMPACT, CHECKPOINT, TRIM, VACUUM = "compact", "checkpoint", "trim the log", "vacuum"
REMOVE, KEEP, EXPIRE, CATALOG_STALE = "remove orphans", "orphans, too young to remove", "expire rejected", "rebuild"
_DELTA_LAYERS = ("silver", "quarantine", "gold", "ops")
_ATTEMPTS = 5


class PolicyError(Exception):
    """A policy that would break readers, and that nobody confirmed; nothing was done."""


@dataclass(frozen=True)
class Policy:
    """What is worth doing, and how long things are kept.

    Attributes:
        retention: How long the files of earlier versions stay: for readers under way, restores and queries of the past.
        below_seven_days: Confirms a retention of less than a week.
        rejected: Age at which the landed originals of rejected objects go; None keeps them for good.
        small_files: A closed date is compacted when it has more files than this below `small_bytes`.
    """

    retention: dt.timedelta = WEEK
    below_seven_days: bool = False
    rejected: dt.timedelta | None = None
    small_files: int = 4
    small_bytes: int = 32 * 2**20

    def __post_init__(self) -> None:
        if self.retention < WEEK and not self.below_seven_days:
            msg = (
                "a retention below 7 days (168 hours) breaks readers that are under way, and earlier versions. "
                "Nothing was done; say --below-seven-days-really to have it all the same."
            )
            raise PolicyError(msg)


@dataclass(frozen=True)
class Action:
    """What is done to a table: to how many files, of how many bytes together.

    Attributes:
        problem: It could not be done, and the action says why.
    """

    table: str
    action: str
    files: int = 0
    bytes: int = 0
    problem: bool = False


def maintain(lake: Lake, policy: Policy, *, dry_run: bool = False) -> Iterator[Action]:
    """Look after every table, and yield what was done; in a dry run, what would be done.

    It may be stopped anywhere: what is done is whole, and the next time does the rest.
    """
    now = dt.datetime.now(dt.UTC)
    compacted = False
    for table in (*(t for t in lake.registry.tables() if t.layer != "bronze"), ACCOUNTING):
        for action in _compact(lake, table, policy, dry_run=dry_run):
            compacted = True
            yield action
    # Before any file goes: the catalog may name files that the tables let go of.
    yield from _catalog(lake, compacted=compacted, dry_run=dry_run)
    for layer in _DELTA_LAYERS:
        folders: dict[str, list[Found]] = {}
        for item in leftovers.objects(lake, layer):
            folders.setdefault("/".join(item.path.split("/")[:2]), []).append(item)
        for folder, there in sorted(folders.items()):
            yield from _tidy(lake, folder, there, policy, now, dry_run=dry_run)
    for feed in lake.registry.feeds.values():
        orphans = leftovers.bronze_orphans(lake, feed)
        old = [item for item in orphans if item.modified < now - WEEK]
        yield from _action(feed.bronze.full_name, KEEP, [item for item in orphans if item not in old])
        if old and leftovers.is_awaited(lake, feed):
            yield from _action(feed.bronze.full_name, "orphans, kept until landing is ingested", old)
        else:
            yield from _action(
                feed.bronze.full_name, REMOVE, old if dry_run else leftovers.remove_bronze(lake, feed, old)
            )
    temporary = list(leftovers.temporary(lake, now))
    old = [item for item in temporary if item.modified < now - WEEK]
    yield from _action("temporary files", KEEP, [item for item in temporary if item not in old])
    yield from _action("temporary files", REMOVE, old if dry_run else _remove(lake, old))
    if policy.rejected is not None:
        yield from _expire(lake, now - policy.rejected, dry_run=dry_run)


def _action(table: str, action: str, done: Iterable[Found]) -> Iterator[Action]:
    sizes = [item.size for item in done]
    if sizes:
        yield Action(table, action, len(sizes), sum(sizes))


def _remove(lake: Lake, found: list[Found]) -> list[Found]:
    """Remove objects, and return those that this call removed."""
    with ThreadPoolExecutor(lake.settings.threads) as pool:
        removed = pool.map(lambda item: lake.store.delete(item.path), found)
        return [item for item, gone in zip(found, removed, strict=True) if gone]


def _open(lake: Lake, path: str) -> "DeltaTable":
    from deltalake import DeltaTable  # noqa: PLC0415

    return DeltaTable(lake.store.uri(path), storage_options=lake.store.options)


def _compact(lake: Lake, declared: Table, policy: Policy, *, dry_run: bool) -> Iterator[Action]:
    """Write the crowded closed dates of a table anew, each as the publishing commit would: whoever is stale loses.

    Not with `optimize.compact` of delta-rs 1.6: of two at once, or of one and an overwrite of the whole table, both
    commit, and the rows are doubled. A snapshot is written whole by every run, and the ledger compacts itself.
    """
    if (declared.partitioning is Partitioning.SNAPSHOT and declared is not ACCOUNTING) or not delta.exists(
        lake.store, declared.path
    ):
        return
    crowded = _crowded(lake, declared, policy)
    files, size = 0, 0
    for (group,), parts in crowded.partition_by("group", as_dict=True, maintain_order=True).items():
        rows = dict(parts.select("part", "rows").iter_rows())
        for batch in batches(sorted(rows), rows, lake.settings.publish_batch_rows):
            if dry_run or _rewrite(lake, declared, str(group), batch):
                chosen = parts.filter(pl.col("part").is_in(batch))
                files, size = files + chosen["files"].sum(), size + chosen["bytes"].sum()
    if files:
        yield Action(declared.full_name, COMPACT, files, size)


def _crowded(lake: Lake, declared: Table, policy: Policy) -> pl.DataFrame:
    """Return the closed dates that have too many small files: `group` (a feed), `part`, `files`, `bytes`, `rows`."""
    files = delta.files(lake.store, declared.path).rename(lambda name: name.removeprefix("partition."))
    if not files.height:
        return pl.DataFrame(schema=["group", "part", "files", "bytes", "rows"])
    part = pl.col("part") if declared is ACCOUNTING else declared.partitioning.date.cast(pl.String)
    group = pl.col("feed") if declared is ACCOUNTING else pl.lit("")
    today = min((lake.today(feed) for feed in lake.registry.feeds.values()), default=dt.datetime.now(dt.UTC).date())
    small = pl.col("size_bytes") < policy.small_bytes
    return (
        files.with_columns(group.alias("group"), part.alias("part"))
        .filter(pl.col("part").str.to_date(strict=False) < today)
        .group_by("group", "part")
        .agg(
            small.sum().alias("small"),
            pl.len().alias("files"),
            pl.col("size_bytes").sum().alias("bytes"),
            pl.col("num_records").sum().alias("rows"),
        )
        .filter(pl.col("small") > policy.small_files)
        .sort("group", "part")
    )


def _rewrite(lake: Lake, declared: Table, feed: str, parts: list[str]) -> bool:
    """Write some partitions anew, as they are, under the fingerprints that they have; return whether it was done."""
    for _ in range(_ATTEMPTS):
        table = _open(lake, declared.path)
        rows = pl.scan_delta(table, storage_options=lake.store.options or None)
        if declared is ACCOUNTING:
            names = ", ".join(f"'{part}'" for part in parts)
            predicate: str | None = f"feed = '{feed}' and part in ({names})"
            chosen, marks = (pl.col("feed") == feed) & pl.col("part").is_in(parts), {}
        else:
            predicate, chosen = declared.partitioning.sql_predicate(parts), declared.partitioning.filter(parts)
            marks = {part: value for part in parts if (value := table.transaction_version(part)) is not None}
        try:
            delta.replace(lake.store, table, rows.filter(chosen).collect(), predicate, marks)
        except delta.Conflict:
            continue
        return True
    return False


def _catalog(lake: Lake, *, compacted: bool, dry_run: bool) -> Iterator[Action]:
    state = CatalogState.read(lake)
    stored = lake.store.stat(CATALOG)
    if state.built and stored is not None and (compacted or state.built != state.inputs):
        if not dry_run:
            rebuild(lake)
        yield Action("catalog", CATALOG_STALE, 1, stored.size)


def _tidy(
    lake: Lake, folder: str, there: list[Found], policy: Policy, now: dt.datetime, *, dry_run: bool
) -> Iterator[Action]:
    """Remove what is left over of one Delta table, and write a checkpoint of what is not."""
    from deltalake.exceptions import DeltaError  # noqa: PLC0415

    declared = {table.path: table for table in (*lake.registry.tables(), LEDGER, ACCOUNTING)}
    table = declared.get(folder)
    name = table.full_name if table else f"{folder} (not declared)"
    if not any(item.path.startswith(f"{folder}/_delta_log/") for item in there):
        yield Action(name, "left alone: it has no Delta log", len(there), sum(item.size for item in there))
        return
    try:
        left = leftovers.of_table(lake, folder, there, policy.retention, now)
    except (DeltaError, OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        yield Action(name, f"left alone: its Delta log cannot be read ({reason}); see `lakehouse verify`", problem=True)
        return
    if table is not None and _has_waiting_pins(lake, table):
        yield from _action(name, "vacuum, once pinned dates are restored", left.dead)
    else:
        yield from _action(name, VACUUM, left.dead if dry_run else _remove(lake, left.dead))
        # Trimmed up to an older checkpoint, so that a reader never misses the one that it was just told of.
        yield from _action(name, TRIM, left.log if dry_run else _remove(lake, left.log))
    if left.recent and not dry_run:
        _open(lake, folder).create_checkpoint()
    yield from _action(name, CHECKPOINT, left.recent)
    yield from _action(name, REMOVE, left.orphans if dry_run else _remove(lake, left.orphans))
    yield from _action(name, KEEP, left.young)


def _has_waiting_pins(lake: Lake, table: Table) -> bool:
    """Return whether some partition is pinned to an earlier version that no run has restored yet."""
    if table.layer not in {"silver", "gold"}:
        return False
    pins = pins_of(Decisions.load(lake.store, decision_folder(table)), table)
    published = delta.fingerprints(lake.store, table.path) if pins else {}
    return any(published.get(part, 0) != pin.fingerprint for part, pin in pins.items())


def _expire(lake: Lake, before: dt.datetime, *, dry_run: bool) -> Iterator[Action]:
    for feed in lake.registry.feeds.values():
        found = leftovers.rejected_originals(lake, feed, before)
        gone = [item for item, token in found if dry_run or lake.store.delete(item.path, token)]
        yield from _action(f"landing.{feed.name}", EXPIRE, gone)
