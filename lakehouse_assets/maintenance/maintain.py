"""Maintenance of the tables: compaction, checkpoints, log retention, vacuum, removal of orphans.

It changes no query result and no fingerprint, and runs may work at the same time. Two things can expire by policy:
landed originals of rejected objects (a later contract can then no longer take them), and quarantined rows of old
business dates (by a recorded decision; otherwise the next run would write them again). Not here: finding what can be
removed, see `leftovers` and `bronze_leftovers`.
"""

import datetime as dt
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from lakehouse_assets.catalog.duckdb_views import PATH as CATALOG
from lakehouse_assets.catalog.duckdb_views import damage, rebuild, state
from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed, Table
from lakehouse_assets.contracts.wording import counted
from lakehouse_assets.decisions.recorded import Decisions
from lakehouse_assets.ledger.ledger import TABLE as LEDGER
from lakehouse_assets.maintenance import bronze_leftovers, expiry, leftovers, packing
from lakehouse_assets.maintenance.compaction import rewrite, small_file_groups
from lakehouse_assets.maintenance.leftovers import DAY, WEEK, Found
from lakehouse_assets.maintenance.policy import Policy
from lakehouse_assets.pipeline import as_of_index, packs, reference_index
from lakehouse_assets.pipeline.accounting import TABLE as ACCOUNTING
from lakehouse_assets.pipeline.pins import decision_folder, pins_of
from lakehouse_assets.storage import delta
from lakehouse_assets.storage.stores import StorageError

COMPACT, CHECKPOINT, TRIM, VACUUM = "compact", "checkpoint", "trim the log", "vacuum"
REMOVE, KEEP, EXPIRE, CATALOG_STALE = "remove orphans", "orphans, too young to remove", "expire rejected", "rebuild"
EXPIRE_ROWS = "expiring:"
PACK, REMOVE_PACKED, KEEP_PACKED = "pack", "remove what is packed", "packed, kept for readers under way"
_DELTA_LAYERS = ("silver", "quarantine", "gold", "ops")


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
    """Maintain every table. Yield what was done, or what would be done in a dry run.

    Safe to kill at any point: the next call does the rest.
    """
    now = dt.datetime.now(dt.UTC)
    changed = False
    for feed in lake.registry.feeds.values():
        for action in _expire_quarantine(lake, feed, policy, dry_run=dry_run):
            changed |= EXPIRE_ROWS in action.action
            yield action
    for feed in lake.registry.feeds.values():
        yield from _bronze(lake, feed, policy, dry_run=dry_run)
    folders: dict[str, list[Found]] = {}
    for item in (item for layer in _DELTA_LAYERS for item in leftovers.objects(lake, layer)):
        folders.setdefault("/".join(item.path.split("/")[:2]), []).append(item)
    for action in _compact(lake, policy, dry_run=dry_run):
        changed = True
        yield action
    # Before any file goes: the catalog may name files that the tables let go of.
    yield from _catalog(lake, changed=changed, dry_run=dry_run)
    for folder, there in folders.items():
        yield from _tidy(lake, folder, there, policy, now, dry_run=dry_run)
    old, young = _by_age(leftovers.temporary(lake, now - DAY), now)
    yield from _action("temporary files", REMOVE, old if dry_run else leftovers.remove(lake, old))
    yield from _action("temporary files", KEEP, young)
    old, young = _by_age(leftovers.staged(lake), now)
    yield from _action("staging", REMOVE, old if dry_run else leftovers.remove(lake, old))
    yield from _action("staging", KEEP, young)
    if policy.rejected is not None:
        yield from _expire_rejected(lake, now - policy.rejected, dry_run=dry_run)


def _action(table: str, action: str, done: Iterable[Found]) -> Iterator[Action]:
    sizes = [item.size for item in done]
    if sizes:
        yield Action(table, action, len(sizes), sum(sizes))


def _by_age(found: Iterable[Found], now: dt.datetime) -> tuple[list[Found], list[Found]]:
    old: list[Found] = []
    young: list[Found] = []
    for item in found:
        (old if item.modified < now - WEEK else young).append(item)
    return old, young


def _compact(lake: Lake, policy: Policy, *, dry_run: bool) -> Iterator[Action]:
    for table in (*(t for t in lake.registry.tables() if t.layer != "bronze"), ACCOUNTING, packs.TABLE):
        files = size = 0
        # A log that cannot be read is reported by `_tidy`.
        with suppress(StorageError):
            for group in small_file_groups(lake, table, policy.small_files, policy.small_bytes):
                if dry_run or rewrite(lake, table, group):
                    files, size = files + group.files, size + group.bytes
        if files:
            yield Action(table.full_name, COMPACT, files, size)


def _catalog(lake: Lake, *, changed: bool, dry_run: bool) -> Iterator[Action]:
    now = state(lake)
    stored = lake.store.stat(CATALOG)
    # True as well if an earlier rebuild was killed between writing the file and its state.
    was_built = now.built or damage(lake)
    if was_built and stored is not None and (changed or now.built != now.inputs):
        try:
            if not dry_run:
                rebuild(lake)
        except StorageError as error:
            yield Action("catalog", f"left as it is: {error}", problem=True)
        else:
            yield Action("catalog", CATALOG_STALE, 1, stored.size)


def _tidy(
    lake: Lake, folder: str, there: list[Found], policy: Policy, now: dt.datetime, *, dry_run: bool
) -> Iterator[Action]:
    """Remove what is left over of one Delta table, and write a checkpoint of what is not."""
    from deltalake.exceptions import DeltaError  # noqa: PLC0415

    declared = {table.path: table for table in (*_all_tables(lake), LEDGER, ACCOUNTING, packs.TABLE)}
    table = declared.get(folder)
    name = table.full_name if table else f"{folder} (not declared)"
    if not any(item.path.startswith(f"{folder}/_delta_log/") for item in there):
        yield Action(name, "left alone: it has no Delta log", len(there), sum(item.size for item in there))
        return
    try:
        left = leftovers.of_table(lake, folder, there, policy.retention, now)
    except (DeltaError, StorageError, OSError, ValueError) as error:
        yield Action(name, f"left alone: its Delta log cannot be read ({error}); see `lakehouse verify`", problem=True)
        return
    if table is not None and _has_waiting_pins(lake, table):
        yield from _action(name, "vacuum, once pinned dates are restored", left.dead)
    else:
        yield from _action(name, VACUUM, left.dead if dry_run else leftovers.remove(lake, left.dead))
        # Only entries before an older checkpoint go: a reader may have just been pointed to the newest one.
        yield from _action(name, TRIM, left.log if dry_run else leftovers.remove(lake, left.log))
    try:
        if left.recent and not dry_run:
            delta.opened(lake.store, folder).create_checkpoint()
    except (DeltaError, StorageError) as error:
        told = f"no checkpoint was written ({error}); see to the space left and permissions, then run it again"
        yield Action(name, told, problem=True)
    else:
        yield from _action(name, CHECKPOINT, left.recent)
    yield from _action(name, REMOVE, left.orphans if dry_run else leftovers.remove(lake, left.orphans))
    yield from _action(name, KEEP, left.young)


def _all_tables(lake: Lake) -> list[Table]:
    indexes = reference_index.tables(lake.registry.feeds.values())
    return [*lake.registry.tables(), *indexes, *as_of_index.tables(lake, lake.registry.models.values())]


def _has_waiting_pins(lake: Lake, table: Table) -> bool:
    """Return whether some partition is pinned to an earlier version that no run has restored yet."""
    if table.layer not in {"silver", "gold"}:
        return False
    pins = pins_of(Decisions.load(lake.store, decision_folder(table)), table)
    published = delta.fingerprints(lake.store, table.path) if pins else {}
    return any(published.get(partition, 0) != pin.fingerprint for partition, pin in pins.items())


def _bronze(lake: Lake, feed: Feed, policy: Policy, *, dry_run: bool) -> Iterator[Action]:
    name, there = feed.bronze.full_name, leftovers.objects(lake, feed.bronze.path)
    for files, size in packing.pack(lake, feed, there, policy, dry_run=dry_run):
        yield Action(name, PACK, files, size)
    if not dry_run:
        bronze_leftovers.drop_unrecorded(lake, feed, dt.datetime.now(dt.UTC) - WEEK)
    orphans = bronze_leftovers.bronze_orphans(lake, feed, there)
    now, unread = dt.datetime.now(dt.UTC), bronze_leftovers.unread_since(lake, feed, orphans)
    # A pack that nobody knows may be about to be committed.
    kept_for = {True: max(WEEK, policy.retention), False: policy.retention}
    packed = [item for item, since in unread.items() if since < now - kept_for[packs.is_pack(item.path)]]
    gone = packed if dry_run else bronze_leftovers.remove_bronze(lake, feed, packed, are_packed=True)
    yield from _action(name, REMOVE_PACKED, gone)
    yield from _action(name, KEEP_PACKED, (item for item in unread if item not in set(packed)))
    old, young = _by_age((item for item in orphans if item not in unread), now)
    if old and bronze_leftovers.has_pending(lake, feed):
        yield from _action(name, "orphans, kept until landing is ingested", old)
    else:
        yield from _action(name, REMOVE, old if dry_run else bronze_leftovers.remove_bronze(lake, feed, old))
    yield from _action(name, KEEP, young)


def _expire_quarantine(lake: Lake, feed: Feed, policy: Policy, *, dry_run: bool) -> Iterator[Action]:
    """Remove the quarantined rows that are too old: first it is decided, so that no run brings them back."""
    from deltalake.exceptions import DeltaError  # noqa: PLC0415

    name = feed.quarantine.full_name
    try:
        old = expiry.old_rows(lake, feed, policy.quarantine)
        if old is None:
            return
        gone = old.gone
        if not dry_run and gone.height:
            if policy.quarantine is not None:
                expiry.decide(lake, feed, old, policy.quarantine, policy.who)
            gone = expiry.remove(lake, feed, old)
    except (DeltaError, StorageError, OSError, ValueError) as error:
        yield Action(name, f"nothing expired: it cannot be read ({error}); see `lakehouse verify`", problem=True)
        return
    for rows, what in (
        (gone, f" {EXPIRE_ROWS} dated before {old.before}"),
        (old.held, ", kept: their dates are held; release or correct them"),
        (old.pending, ", kept until their dates are computed: run the lake"),
    ):
        if rows.height:
            count, files, size = (int(rows[column].sum()) for column in ("rows", "files", "bytes"))
            yield Action(name, f"{counted(count, 'row')}{what}", files, size)


def _expire_rejected(lake: Lake, before: dt.datetime, *, dry_run: bool) -> Iterator[Action]:
    for feed in lake.registry.feeds.values():
        found = leftovers.rejected_originals(lake, feed, before)
        gone = [item for item, token in found if dry_run or lake.store.delete(item.path, token)]
        yield from _action(f"landing.{feed.name}", EXPIRE, gone)
