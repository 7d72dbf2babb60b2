"""Tables that the lake holds and no module declares, other revisions included: finding and removing them for good.

While a module cannot be loaded, nobody knows what it declares, so nothing counts as retired. Not here: declared tables.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import ContractError, Table
from lakehouse_assets.contracts.partitioning import Partitioning
from lakehouse_assets.contracts.table import revision_at
from lakehouse_assets.decisions.recorded import FOLDER as DECISIONS
from lakehouse_assets.ledger import summary
from lakehouse_assets.ledger.ledger import TABLE as LEDGER
from lakehouse_assets.ledger.ledger import Ledger
from lakehouse_assets.maintenance import leftovers
from lakehouse_assets.pipeline import accounting, as_of_index, packs, reference_index
from lakehouse_assets.storage import delta

LANDING = "landing"
# Bronze last: while there is any, the feed's other tables are known.
_LAYERS = ("gold", "quarantine", "silver", "bronze")
_OF_FEEDS = ("", "_history", "_by_rule")


@dataclass(frozen=True)
class Retired:
    """A feed, a table, or another revision of a declared one, that is stored and not declared.

    Attributes:
        name: What `lakehouse drop` is given: the name of the feed, the SQL name of the table, or one of these and the
            revision, as in `sales.r1`.
        folders: Where its tables lie below the lake root.
        is_feed: Whether it is a whole feed.
        landing: The folder of its landed objects; None without any.
    """

    name: str
    folders: tuple[str, ...] = ()
    is_feed: bool = False
    landing: str | None = None

    @property
    def tables(self) -> list[Table]:
        """Its tables, as far as their folders tell."""
        found = []
        for key, revision in map(revision_at, self.folders):
            layer, _, name = key.partition("/")
            found.append(Table(layer, name, {}, Partitioning.SNAPSHOT, "", "", revision))
        return found

    def __str__(self) -> str:
        return f"{self.name}: {', '.join(sorted({*self.folders, *([self.landing] if self.landing else [])}))}"


@dataclass(frozen=True)
class Removal:
    """One place that a removal empties: what goes there, how many objects or rows, and their bytes."""

    place: str
    what: str
    count: int
    bytes: int = 0


def find(lake: Lake) -> list[Retired]:
    """Return what is stored and not declared, by name; nothing while some module cannot be loaded."""
    if lake.registry.broken:
        return []
    declared = {table.path for table in lake.registry.tables()}
    folders = [folder for layer in _LAYERS for folder in lake.store.folders(layer)]
    unknown = [f for f in folders if f not in declared and _has_objects(lake, f)]
    landings = {folder.partition("/")[2]: folder for folder in lake.store.folders(LANDING)}
    landings = {name: f for name, f in landings.items() if name not in lake.registry.feeds and _has_objects(lake, f)}
    feeds = {f.partition("/")[2] for f in unknown if f.startswith("bronze/")} | landings.keys()
    found = {name: Retired(name, is_feed=True, landing=landings.get(name)) for name in feeds}
    revised = _revised(lake)
    for folder in unknown:
        key, revision = revision_at(folder)
        layer, _, name = key.partition("/")
        bases = (name.removesuffix(suffix) for suffix in _OF_FEEDS if layer != "gold")
        owner = next((base for base in bases if base in feeds), f"{layer}.{name}")
        if key in revised:
            owner = f"{revised[key]}.r{revision}"
        of = found.get(owner, Retired(owner))
        found[owner] = replace(of, folders=(*of.folders, folder))
    return [found[name] for name in sorted(found)]


def _revised(lake: Lake) -> dict[str, str]:
    """Return for each declared table, by its key, what its other revisions are named after."""
    names = {table.key: feed.name for feed in lake.registry.feeds.values() for table in feed.tables}
    return names | {model.table.key: model.table.full_name for model in lake.registry.models.values()}


def named(lake: Lake, name: str) -> Retired:
    """Return what is retired under a name. Raises `ContractError`."""
    if lake.registry.broken:
        msg = f"Nothing was removed: what is declared is not known. {lake.registry.broken[0]}"
        raise ContractError(msg)
    known = {one.name: one for one in find(lake)}
    if name not in known:
        listed = ", ".join(known) or "none"
        msg = (
            f"{name!r} is no retired feed or table (retired are: {listed}). Nothing was removed; what is declared is "
            "never dropped: remove its module first."
        )
        raise ContractError(msg)
    return known[name]


def drop(lake: Lake, retired: Retired, *, landing: bool, dry_run: bool) -> Iterator[Removal]:
    """Remove what is retired, yielding each place before it is emptied. Run it again after a crash.

    The rows of the lake's own tables go first: as long as a folder is left, the name is still known.

    Args:
        landing: Also what the tables of a feed follow from: its landed objects and decisions.
        dry_run: Only say what would go.
    """
    if retired.is_feed:
        yield from _drop_rows(lake, retired.name, dry_run=dry_run)
    folders = list(retired.folders)
    folders += [as_of_index.folder_beside(folder) for folder in folders if folder.startswith("gold/")]
    if retired.is_feed:
        folders += reference_index.folders(lake, retired.name)
    if retired.is_feed and landing:
        folders += [f"{DECISIONS}/{retired.name}", f"erasures/{retired.name}/contents", f"{LANDING}/{retired.name}"]
    elif not retired.is_feed:
        folders.append(f"{DECISIONS}/{retired.name}")
    for folder in folders:
        there = leftovers.objects(lake, folder)
        if there:
            yield Removal(folder, "objects", len(there), sum(item.size for item in there))
        for item in [] if dry_run else there:
            lake.store.delete(item.path)


def _drop_rows(lake: Lake, feed: str, *, dry_run: bool) -> Iterator[Removal]:
    if delta.exists(lake.store, accounting.TABLE.path):
        rows = accounting.scan_accounting(lake.store).filter(pl.col("feed") == feed).select(pl.len()).collect().item()
        if rows:
            yield Removal(accounting.TABLE.full_name, "rows", rows)
        if not dry_run:
            delta.until_committed(partial(accounting.remove, lake.store, feed))
    if delta.exists(lake.store, LEDGER.path):
        if rows := Ledger.load(lake.store).of_feed(feed).entries.height:
            yield Removal(LEDGER.full_name, "rows", rows)
        if rows and not dry_run:
            delta.until_committed(lambda: Ledger.load(lake.store).remove(feed))
    if not dry_run:
        delta.until_committed(partial(packs.remove, lake.store, feed))
        summary.remove(lake.store, feed)


def _has_objects(lake: Lake, folder: str) -> bool:
    return next(lake.store.list(folder), None) is not None
