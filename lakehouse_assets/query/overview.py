"""The state of the lake in numbers: every table's size and quality, and what is pending, held or rejected."""

import datetime as dt
from dataclasses import dataclass, replace

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed, Table
from lakehouse_assets.contracts.partitioning import as_date
from lakehouse_assets.decisions.recorded import TABLE as DECISIONS
from lakehouse_assets.decisions.recorded import Decisions
from lakehouse_assets.erasure.protocol import unfinished
from lakehouse_assets.ledger.state import FeedLedger
from lakehouse_assets.pipeline import vanished
from lakehouse_assets.pipeline.accounting import scan_accounting
from lakehouse_assets.pipeline.closed_days import ClosedDay, closed_days
from lakehouse_assets.pipeline.freshness import stale_dates
from lakehouse_assets.pipeline.pending import FeedState, ModelState
from lakehouse_assets.pipeline.pins import decision_folder
from lakehouse_assets.pipeline.unfilled import unfilled
from lakehouse_assets.pipeline.waiting import waiting_feeds, waiting_models
from lakehouse_assets.query.drift import drifted, ids_on_several_dates
from lakehouse_assets.query.tables import OPS
from lakehouse_assets.sources.landing import key_of, pending
from lakehouse_assets.storage import delta, delta_files


@dataclass(frozen=True)
class TableSize:
    """One table: rows, business dates (None for a snapshot), bytes, when it was last written.

    Quality figures stand for silver only: score of all its dates together, quarantined and duplicate records.
    """

    name: str
    rows: int = 0
    dates: int | None = None
    bytes: int = 0
    updated: dt.datetime | None = None
    score: float | None = None
    quarantined: int | None = None
    duplicates: int | None = None


@dataclass(frozen=True)
class Status:
    """What waits for the lake or for a person. Lists are sorted.

    Attributes:
        waiting: Models that cannot be built until another table fits its contract, and feeds with records that wait for
            what they reference.
        unfilled: Published dates that lack values of a required column.
        erasing: Erasures that were begun and not finished: the command has to be run again.
        vanished: Published dates from which a changed contract took records.
        drifted: Differences between the columns of landed objects and those of their contract.
        repeated: Feeds with ids on several dates.
        missing: Days of feeds of which nothing has come after their daily close; `late` if it came later.
        stale: Dates of gold tables that are due, and not there or not up to date.
    """

    landed: list[str]
    pending: dict[str, list[str]]
    held: list[str]
    rejected: list[str]
    pinned: list[str]
    waiting: list[str]
    unfilled: list[str]
    erasing: list[str]
    vanished: list[str]
    drifted: list[str]
    repeated: list[str]
    missing: list[str]
    stale: list[str]
    late: list[str]

    @property
    def is_idle(self) -> bool:
        """Whether a run would find nothing to do."""
        return not self.landed and not self.pending


def sizes(lake: Lake) -> list[TableSize]:
    """Return the size of every declared table, layer by layer, then the operational ones."""
    found, quality = [], _quality(lake)
    for table in (*lake.registry.tables(), *OPS):
        if table.layer == "bronze":
            found.append(_bronze_size(lake, table))
        elif table is DECISIONS:
            found.append(_decisions_size(lake))
        elif delta.exists(lake.store, table.path):
            size = _delta_size(lake, table)
            is_silver = table.layer == "silver" and table.name in lake.registry.feeds
            found.append(_with_quality(size, quality.get(table.name, (0, 0, 0, 0))) if is_silver else size)
        else:
            found.append(TableSize(table.full_name))
    return found


def _bronze_size(lake: Lake, table: Table) -> TableSize:
    """Return what the ledger knows of bronze: its bytes are those of the objects that landed."""
    found = lake.counting(lake.registry.feeds[table.name]).summary
    dates = sum(rows > 0 and as_date(partition) is not None for partition, rows in found.partitions.items())
    return TableSize(
        table.full_name,
        sum(found.partitions.values()),
        dates if table.partitioning.is_by_date else None,
        found.landed_bytes,
        dt.datetime.fromisoformat(found.updated) if found.updated else None,
    )


def _decisions_size(lake: Lake) -> TableSize:
    stored = list(lake.store.list("decisions"))
    about = [*lake.registry.feeds, *(decision_folder(model.table) for model in lake.registry.models.values())]
    taken = [decision.at for name in about for decision in Decisions.load(lake.store, name).taken]
    updated = dt.datetime.fromisoformat(max(taken)) if taken else None
    return TableSize(DECISIONS.full_name, len(taken), None, sum(item.size for item in stored), updated)


def _delta_size(lake: Lake, table: Table) -> TableSize:
    files = delta_files.files(lake.store, table.path)
    dates = None
    if table.partitioning.is_by_date:
        dates = (
            files.filter(pl.col("num_records") > 0).select(table.partitioning.date.n_unique()).item()
            if files.height
            else 0
        )
    updated = files["modification_time"].max()
    return TableSize(
        table.full_name,
        int(files["num_records"].sum()),
        dates,
        int(files["size_bytes"].sum()),
        updated if isinstance(updated, dt.datetime) else None,
    )


def _quality(lake: Lake) -> dict[str, tuple[int, int, int, int]]:
    """Return valid, quarantined, duplicate and waiting records by feed."""
    sums = pl.sum("valid", "quarantined", "duplicates", "waiting")
    by_feed = scan_accounting(lake.store).group_by("feed").agg(sums).collect()
    return {
        name: (int(valid), int(bad), int(twice), int(wait)) for name, valid, bad, twice, wait in by_feed.iter_rows()
    }


def _with_quality(size: TableSize, counts: tuple[int, int, int, int]) -> TableSize:
    valid, quarantined, duplicates, waiting = counts
    judged = valid + quarantined - waiting
    score = valid / judged if judged else None
    return replace(size, score=score, quarantined=quarantined, duplicates=duplicates)


def status(lake: Lake) -> Status:
    """Return what is pending, held and rejected, from the lake root alone."""
    lake = lake.at_once()
    landed, pending_dates, held, rejected, pinned, incomplete, erasing = [], {}, [], [], [], [], []
    taken_away: list[str] = []
    closed: list[ClosedDay] = []
    for feed in lake.registry.feeds.values():
        ledger = lake.ledger_of(feed)
        landed += [f"{feed.name}: {key_of(feed, stored)}" for stored in pending(lake, feed, ledger)]
        state = FeedState.read(lake, feed, ledger)
        if state.pending:
            pending_dates[feed.silver.full_name] = state.pending
        begun = unfinished(lake, feed, state.decisions)
        erasing += [
            f"{feed.name}: by {d.column}, begun by {d.who} at {d.at[:16]}; run the same command again" for d in begun
        ]
        pinned += [
            f"{feed.silver.full_name} {partition}: to version {pin.version}" for partition, pin in state.pins.items()
        ]
        held += [f"{feed.silver.full_name} {partition}: {_why_held(lake, feed, partition)}" for partition in state.held]
        incomplete += unfilled(lake, state)
        taken_away += vanished.standing(lake, feed)
        rejected += _refused(lake, feed, ledger)
        closed += closed_days(lake, feed)
    for model in lake.registry.models.values():
        built = ModelState.read(lake, model)
        if built.pending:
            pending_dates[model.table.full_name] = built.pending
        pinned += [
            f"{model.table.full_name} {partition}: to version {pin.version}" for partition, pin in built.pins.items()
        ]
    waiting = [*waiting_feeds(lake), *(waiting_models(lake) if pending_dates else [])]
    return Status(
        landed,
        pending_dates,
        held,
        rejected,
        sorted(pinned),
        waiting,
        incomplete,
        erasing,
        taken_away,
        drifted(lake),
        ids_on_several_dates(lake),
        [day.message for day in closed if day.is_missing],
        [line for model in lake.registry.models.values() for line in stale_dates(lake, model)],
        [day.message for day in closed if day.late],
    )


def _refused(lake: Lake, feed: Feed, ledger: FeedLedger) -> list[str]:
    """Return the rejected and held source objects, with the reason. One removed from landing waits for nobody."""
    rows = ledger.refused.select("object_key", "source_key", "state", "reason").rows()
    there = {key for key in {row[0] for row in rows} if lake.store.stat(f"{feed.landing}/{key}") is not None}
    return [f"{feed.name}: {key}: {state}: {reason}" for landed, key, state, reason in rows if landed in there]


def _why_held(lake: Lake, feed: Feed, partition: str) -> str:
    rows = scan_accounting(lake.store).filter((pl.col("feed") == feed.name) & (pl.col("part") == partition))
    bad = pl.sum("quarantined") - pl.sum("waiting")
    valid, quarantined = rows.select(pl.sum("valid"), bad).collect().row(0)
    score = valid / (valid + quarantined) if valid + quarantined else 1.0
    return (
        f"quality score {score:.4f} is below the gate {feed.gate:.4f} ({quarantined:,} of {valid + quarantined:,} "
        f"records break the contract; see quarantine.{feed.name}). The version published before, if any, stands"
    )


def decided_in(lake: Lake, run_ids: list[str]) -> tuple[list[str], list[str]]:
    """Return the dates that some runs held, and the source objects that they rejected, each with the reason."""
    held, rejected = [], []
    accounts = scan_accounting(lake.store).filter(pl.col("run_id").is_in(run_ids) & (pl.col("verdict") == "held"))
    for name, partition in accounts.select("feed", "part").unique().sort("feed", "part").collect().iter_rows():
        held.append(f"silver.{name} {partition}: {_why_held(lake, lake.registry.feeds[name], partition)}")
    for feed in lake.registry.feeds.values():
        rows = lake.ledger_of(feed).recorded_by(run_ids).filter(pl.col("state") != "accepted")
        refused = rows.select("source_key", "state", "reason").unique(maintain_order=True)
        rejected += [f"{feed.name}: {key}: {state}: {why}" for key, state, why in refused.iter_rows()]
    return held, rejected
