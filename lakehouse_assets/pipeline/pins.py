"""Pinned partitions: restored to an earlier version of their table by decision, until the decision is revoked.

A pinned partition bears the fingerprint that it had at that version. Runs leave it alone, or restore it if something
else is published. Not here: taking the decision.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Table
from lakehouse_assets.contracts.wording import counted
from lakehouse_assets.decisions import kinds
from lakehouse_assets.decisions.kinds import DecisionError
from lakehouse_assets.decisions.recorded import Decisions
from lakehouse_assets.storage import delta, delta_files
from lakehouse_assets.storage.stores import StorageError

if TYPE_CHECKING:
    from deltalake import DeltaTable


@dataclass(frozen=True)
class Pin:
    """Where a partition is pinned: the table's version, and the fingerprint at it (0 for a partition not there)."""

    version: int
    fingerprint: int


def pins_of(taken: Decisions, table: Table) -> dict[str, Pin]:
    """Return the pinned partitions of a table; a later decision wins over an earlier one."""
    found: dict[str, Pin] = {}
    for decision in taken.active_of(kinds.Pin):
        if decision.table == table.full_name:
            found |= {partition: Pin(decision.version, value) for partition, value in decision.pins.items()}
    return found


def restored(lake: Lake, table: Table, pins: Mapping[str, Pin]) -> pl.DataFrame:
    """Return the rows that pinned partitions had at their versions: the table's columns.

    Raises:
        StorageError: A version is gone, because its files were vacuumed or forgotten.
    """
    frames = [pl.DataFrame(schema=table.types)]
    for version in sorted({pin.version for pin in pins.values()}):
        partitions = [partition for partition, pin in pins.items() if pin.version == version and pin.fingerprint]
        try:
            rows = delta.scan(lake.store, table.path, table.types, open_at(lake, table, version))
            chosen = rows.filter(table.partitioning.filter(partitions))
            frames.append(delta.as_declared(chosen, table.types).collect())
        except delta.UNREADABLE as error:
            raise _gone(table, version, str(error).splitlines()[0]) from error
    return pl.concat(frames)


def _gone(table: Table, version: int, why: str) -> StorageError:
    return StorageError(
        f"{table.full_name}: version {version} can no longer be read ({why}). "
        "The published version stands; pin a later version, and revoke the pin on this one if there is one."
    )


def open_at(lake: Lake, table: Table, version: int | dt.datetime) -> "DeltaTable":
    """Open a table as of a version or a time. Raises `StorageError` when it has none."""
    from deltalake.exceptions import DeltaError  # noqa: PLC0415

    if not delta.exists(lake.store, table.path):
        msg = f"{table.full_name} is not yet written, so it has no versions; `lakehouse run` writes it."
        raise StorageError(msg)
    try:
        opened = delta.opened(lake.store, table.path)
        oldest, since = delta_files.first_commit(lake.store, table.path)
        if isinstance(version, dt.datetime) and since > version:
            why = (
                f"its versions before {since} are gone, by an erasure or by maintenance" if oldest else "it is younger"
            )
            msg = f"{table.full_name} has no version of {version}: {why}; see `lakehouse history`."
            raise StorageError(msg)
        if isinstance(version, int) and version < oldest:
            msg = (
                f"{table.full_name} no longer has version {version}: those before {oldest} are gone, by an erasure "
                "or by maintenance; see `lakehouse history`."
            )
            raise StorageError(msg)
        opened.load_as_version(version)
    except (DeltaError, OSError, ValueError) as error:
        msg = f"{table.full_name} has no version {version} ({str(error).splitlines()[0]}); see `lakehouse history`."
        raise StorageError(msg) from error
    return opened


def pin(
    lake: Lake,
    table: Table,
    version: int | dt.datetime,
    known: Iterable[str],
    now: Mapping[str, int],
    why: str,
    who: str | None,
) -> kinds.Pin:
    """Decide to restore a table to a version, for the partitions that differ from it.

    Args:
        known: Every partition that may have been published.
        now: The published fingerprints.

    Raises:
        DecisionError: Nothing differs.
        StorageError: The version is gone, or never was.
    """
    opened = open_at(lake, table, version)
    then = {partition: opened.transaction_version(partition) or 0 for partition in known}
    differing = {partition: value for partition, value in then.items() if value != now.get(partition, 0)}
    if not differing:
        msg = f"{table.full_name} is as it was at version {opened.version()}. Nothing was decided."
        raise DecisionError(msg)
    chosen = table.partitioning.filter([partition for partition, value in differing.items() if value])
    if lost := delta_files.lost_files(lake.store, table.path, opened, chosen):
        raise _gone(
            table, opened.version(), f"{counted(len(lost), 'file')} of it not there any more, such as {lost[0]}"
        )
    return kinds.new(
        kinds.Pin, decision_folder(table), why, who, table=table.full_name, version=opened.version(), pins=differing
    )


def decision_folder(table: Table) -> str:
    """Return the name under which decisions about a table are kept: its feed's, or a gold table's own."""
    return table.full_name if table.layer == "gold" else table.name
