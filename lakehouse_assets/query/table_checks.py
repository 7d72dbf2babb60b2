"""Checks of one stored table: its log, its data files and its rows, each compared with what is expected.

Used by `verify`. Not here: what the rows of a table are computed from.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import polars as pl
from deltalake.exceptions import DeltaError

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Table
from lakehouse_assets.contracts.partitioning import Partitioning
from lakehouse_assets.contracts.wording import counted
from lakehouse_assets.pipeline import repair
from lakehouse_assets.pipeline.gold import ModelError
from lakehouse_assets.pipeline.reading import read
from lakehouse_assets.storage import delta, delta_files
from lakehouse_assets.storage.stores import StorageError

_NOTHING = (0, 0, 0)
_COMMIT = re.compile(r"(\d{20})\.json")
_DAMAGED = (*delta.UNREADABLE, DeltaError, StorageError, ModelError, ValueError)


@dataclass(frozen=True)
class Finding:
    """One disagreement: which table and partition, and what is wrong with it."""

    table: str
    partition: str
    what: str

    def __str__(self) -> str:
        return f"{self.table}{f' {self.partition}' if self.partition else ''}: {self.what}"


def guarded(table: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """Yield a check's findings; what it cannot read on its way ends it, and is a finding itself."""
    try:
        yield from check()
    except _DAMAGED as error:
        yield Finding(table, "", f"it cannot be checked: {first_line(error)}")


def first_line(error: BaseException) -> str:
    """Return what an error says, on one line."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def files(lake: Lake, table: Table) -> Iterator[Finding]:
    """Read a table's Delta log, and compare the data files that it names with those that are there."""
    if not delta.exists(lake.store, table.path):
        return
    damaged = list(_log(lake, table))
    yield from damaged
    if damaged:
        return
    named = delta_files.file_sizes(lake.store, table.path)
    there = {stored.path.removeprefix(f"{table.path}/"): stored.size for stored in lake.store.list(table.path)}
    for path, size in named.items():
        if there.get(path) == size:
            continue
        if path in there:
            what = f"{path} has {there[path]:,} bytes, the Delta log says {size:,}"
        else:
            what = f"{path} is missing; the Delta log names it"
        yield Finding(table.full_name, "", f"{what}; {repair.of_data_file(lake.registry, table, path)}")


def _log(lake: Lake, table: Table) -> Iterator[Finding]:
    """Read every commit that the log still holds. Old ones go from the beginning only, so there are no gaps."""
    before = None
    for entry in lake.store.list(f"{table.path}/_delta_log"):
        if not (name := _COMMIT.fullmatch(entry.path.rpartition("/")[2])):
            continue
        number = int(name[1])
        if before is not None and number != before + 1:
            yield Finding(table.full_name, "", f"its Delta log goes from version {before} to {number}")
        before = number
        try:
            for line in lake.store.read(entry.path).splitlines():
                json.loads(line)
        except ValueError:
            yield Finding(table.full_name, "", f"version {number} of its Delta log cannot be read")


def rows(
    lake: Lake, table: Table, partitions: list[str], expected: Iterable[pl.DataFrame], written_by: str | None = None
) -> Iterator[Finding]:
    """Compare stored rows with expected ones, partition by partition, whatever their order.

    Args:
        expected: Frames with the table's columns, and `_part`.
        written_by: SQL name of the table that a person computes again to have these rows right; None for none.
    """
    layout = table.partitioning
    try:
        chosen = read(lake, table).filter(layout.filter(partitions))
        stored = delta.as_declared(chosen, table.types).with_columns(partition_of(layout))
        there = _fingerprints(stored.collect_batches())
    except delta.UNREADABLE as error:
        yield Finding(table.full_name, "", f"it cannot be read: {first_line(error)}")
        return
    declared = [*(pl.col(name).cast(dtype) for name, dtype in table.types.items()), pl.col("_part")]
    wanted = _fingerprints(frame.select(declared) for frame in expected)
    for partition in partitions:
        has, should = there.get(partition, _NOTHING), wanted.get(partition, _NOTHING)
        if has[0] != should[0]:
            what = f"it has {counted(has[0], 'row')}, and from what is live follow {should[0]:,}"
        elif has != should:
            what = "its rows are not those that follow from what is live"
        else:
            continue
        fix = f"; {repair.of_rows(written_by, partition)}" if written_by else ""
        yield Finding(table.full_name, partition, what + fix)


def partition_of(layout: Partitioning) -> pl.Expr:
    """Return the name of a row's partition, from its partition columns, as `_part`."""
    return layout.partition.alias("_part")


def _fingerprints(found: Iterable[pl.DataFrame]) -> dict[str, tuple[int, int, int]]:
    """Return rows and two order-free sums of their hashes by partition."""
    sums: dict[str, tuple[int, int, int]] = {}
    for frame in found:
        hashes = frame.drop("_part").hash_rows(seed=7)
        summed = frame.select("_part").with_columns(hashes.alias("h")).group_by("_part")
        totals = summed.agg(pl.len(), (pl.col("h") % (1 << 40)).sum(), pl.col("h").bitwise_xor().alias("x"))
        for partition, count, total, mixed in totals.iter_rows():
            before = sums.get(partition, _NOTHING)
            sums[partition] = (before[0] + count, before[1] + total, before[2] ^ mixed)
    return sums


def unknown_partitions(lake: Lake, table: Table, known: set[str]) -> Iterator[Finding]:
    """Find partitions of which the ledger has never heard."""
    if table.partitioning is Partitioning.SNAPSHOT or not delta.exists(lake.store, table.path):
        return
    found = delta_files.files(lake.store, table.path)
    for (partition,) in (
        found.filter(pl.col("num_records") > 0).select(table.partitioning.partition).unique().iter_rows()
    ):
        if partition not in known:
            yield Finding(table.full_name, partition, "it has rows, and nothing ever landed for it")
