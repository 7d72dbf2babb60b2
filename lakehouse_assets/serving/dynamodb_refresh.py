"""Bringing the items of a served table up to date, by the dates that changed.

Of a changed date the items that are there are read, and only what differs is written. So a refresh that was killed, or
that is repeated, comes to the same. `serving.dynamodb.json` keeps what the items were made from. Not here: which tables
are served, and whose the DynamoDB table is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from lakehouse_assets.catalog.state import keep
from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.wording import counted
from lakehouse_assets.pipeline.batches import batches
from lakehouse_assets.pipeline.reading import read
from lakehouse_assets.serving import items
from lakehouse_assets.serving.attributes import attribute
from lakehouse_assets.serving.dynamodb_calls import DynamoDbCalls
from lakehouse_assets.serving.items import Item
from lakehouse_assets.serving.rows import Row, Served

STATE = "serving.dynamodb.json"
_ITEMS_AT_ONCE = 20_000


@dataclass
class Work:
    """What a refresh does.

    Attributes:
        mark: Identity of the table.
        dates: The fingerprints that the items were made from, by path and date.
    """

    lake: Lake
    calls: DynamoDbCalls
    mark: str
    dates: dict[str, dict[str, int]] = field(default_factory=dict)
    written: int = 0
    removed: int = 0
    told: list[str] = field(default_factory=list)

    def bring(self, table: Served, wanted: dict[str, int], *, is_complete: bool) -> None:
        """Have the items of a table be as its gold table is.

        Args:
            wanted: Fingerprint of each date.
            is_complete: Whether the last refresh came to its end, so that only changed dates can differ.
        """
        known = self.dates[table.path]
        pending = sorted(date for date, value in wanted.items() if known.get(date) != value)
        if not pending:
            return
        self.keep({})
        keys = set(keys_of(self.calls, table.path))
        there, removed = frozenset(keys), self.removed
        counts = dict(_counts(self.lake, table, pending).iter_rows())
        sizes = {date: max(counts.get(date, 0), len(there)) for date in pending}
        for batch in batches(pending, sizes, _ITEMS_AT_ONCE):
            rows = table.rows(read(self.lake, table.model.table, batch).collect())
            new = {row.key.text: row.key for row in rows if row.key.text not in keys}
            # Keys first: so every row that is there can be found by its key, wherever a refresh ends.
            self._write([items.key_item(table, key) for key in new.values()], [])
            keys |= new.keys()
            self._compare(table, batch, rows, there)
            known |= {date: wanted[date] for date in batch}
            self.keep({})
        if self.removed > removed or not is_complete:
            self._remove_keys_without_rows(table, keys)
        self.told.append(
            f"`{table.model.table.full_name}`: {counted(len(pending), 'date')}, {counted(sum(counts.values()), 'row')}"
        )

    def keep(self, built: Any) -> None:  # noqa: ANN401 - a mapping for JSON
        """Keep what was done."""
        keep(self.lake.store, STATE, built=built, mark=self.mark, dates=self.dates)

    def _compare(self, table: Served, dates: list[str], rows: list[Row], there: frozenset[str]) -> None:
        """Write what differs of some dates. `there` are the keys of which there may be items."""
        wanted = {items.identity(item): item for item in (items.row_item(table, row) for row in rows)}
        asked = [items.row_key(table.path, key, date) for key in sorted(there) for date in dates]
        found = {items.identity(item): item for item in self.calls.items(asked)}
        puts = [item for at, item in wanted.items() if at not in found or not items.is_same(item, found[at])]
        gone = [{name: item[name] for name in items.MARK} for at, item in found.items() if at not in wanted]
        self._write(puts, gone)

    def _remove_keys_without_rows(self, table: Served, keys: set[str]) -> None:
        """Remove keys that the gold table has no more, once the last row of them is gone."""
        gold = read(self.lake, table.model.table).select(table.serving.key).unique().collect()
        in_gold = (table.key({name: attribute(v) for name, v in row.items()}) for row in gold.iter_rows(named=True))
        for key in sorted(keys - {key.text for key in in_gold}):
            rows = self.calls.query(**items.of_series(f"{table.path}/{key}"), ConsistentRead=True)
            if next(rows, None) is None:
                self._write([], [items.key_key(table.path, key)])

    def _write(self, puts: Sequence[Item], deletes: Sequence[Item]) -> None:
        self.calls.write(puts, deletes)
        self.written, self.removed = self.written + len(puts), self.removed + len(deletes)


def _counts(lake: Lake, table: Served, dates: list[str]) -> pl.DataFrame:
    date = pl.col(table.date).cast(pl.String)
    return read(lake, table.model.table, dates).group_by(date).len().collect()


def keys_of(calls: DynamoDbCalls, path: str) -> Iterator[str]:
    """Yield the keys of which there may be rows, as text."""
    asked = calls.query(**items.of_series(path), ConsistentRead=True)
    return (items.identity(item)[1] for item in asked)
