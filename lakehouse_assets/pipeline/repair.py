"""What a person types to have damaged partitions of a table made anew. Not here: finding damage, and doing it."""

import re
from collections.abc import Iterable

from lakehouse_assets.contracts.declare import Table
from lakehouse_assets.contracts.partitioning import as_date
from lakehouse_assets.contracts.registry import Registry

_FOLDERS = re.compile(r"(?:dt=(\d{4}-\d\d-\d\d)|year=(\d+)/month=(\d+)/day=(\d+))/")


def command(table: str, partitions: Iterable[str] = ()) -> str:
    """Return the command that makes partitions of a table anew; all of them if none is named.

    Args:
        table: SQL name of a bronze, silver or gold table.
    """
    named = set(partitions)
    dates = [] if any(as_date(partition) is None for partition in named) else sorted(named)
    return f"`lakehouse run {table}{f' --from {dates[0]} --to {dates[-1]}' if dates else ''}`"


def of_data_file(registry: Registry, table: Table, path: str) -> str:
    """Return how a lost data file of a Delta table is made anew: a sentence without its end.

    Args:
        path: Below the table's folder.
    """
    feeds_tables = ((feed, table) for feed in registry.feeds.values() for table in feed.tables)
    written_with = {t.full_name: f.silver.full_name for f, t in feeds_tables if t.layer != "bronze"}
    if table.layer == "ops":
        if table.name == "ledger":
            return "restore it from a copy, or see 'After a disaster' in docs/on-call.md"
        feeds = " ".join(feed.silver.full_name for feed in registry.feeds.values())
        return f"remove the folder {table.path}; then {command(feeds)} writes the table anew"
    if table.path not in {known.path for known in registry.tables()}:
        return "no module declares the table: remove it with `lakehouse drop`, or declare it again"
    found = _FOLDERS.match(path)
    date = found and (found[1] or f"{int(found[2]):04}-{int(found[3]):02}-{int(found[4]):02}")
    return f"{command(written_with.get(table.full_name, table.full_name), [date] if date else [])} makes it anew"


def of_bronze(feed: str, partitions: Iterable[str]) -> str:
    """Return how damaged bronze files of some partitions are made anew: a sentence without its end."""
    return f"{command(f'bronze.{feed}', partitions)} reads its landed original again"


def of_rows(table: str, partition: str) -> str:
    """Return how wrong rows of a partition are made anew: a sentence without its end."""
    return f"{command(table, [partition])} computes them again"
