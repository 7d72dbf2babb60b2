"""Rows from the gold tables of the lake, by DuckDB. Not here: which answer they become."""

from collections.abc import Iterator, Sequence
from itertools import groupby, islice

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.sql_text import identifier
from lakehouse_assets.engines.duckdb_session import session
from lakehouse_assets.pipeline.reading import read
from lakehouse_assets.serving.attributes import attribute
from lakehouse_assets.serving.rows import Key, Row, Served
from lakehouse_assets.serving.source import Asked
from lakehouse_assets.storage import delta, delta_log

_ROWS_AT_ONCE = 5_000


class LakeSource:
    """The tables as they stand. Keys are kept in memory until the table changes."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self._keys: dict[str, tuple[object, list[Key]]] = {}

    def keys(self, table: Served, name: str | None = None) -> Sequence[Key]:
        version = delta_log.read(self.lake.store, table.model.table.path).identity
        known, found = self._keys.get(table.path, (None, []))
        if known != version:
            columns = ", ".join(map(identifier, table.serving.key))
            rows = self._run(table, None, f"SELECT DISTINCT {columns} FROM {table.model.table.full_name}", [])  # noqa: S608
            found = [table.key({column: attribute(value) for column, value in row.items()}) for row in rows]
            found.sort(key=lambda key: key.text)
            self._keys[table.path] = version, found
        return [key for key in found if name in {None, key.name}]

    def rows(self, table: Served, asked: Asked, keys: Sequence[Key]) -> Sequence[Row]:
        first = max(asked.first, asked.after.partition("/")[0])
        dates = sorted(d for d in table.fingerprints(self.lake) if first <= d and (not asked.last or d <= asked.last))
        columns = ", ".join(map(identifier, table.columns))
        name, date = identifier(table.serving.key[0]), identifier(table.date)
        wanted = {key.text for key in keys}
        if not dates or not wanted:
            return []
        sql = f"SELECT {columns} FROM {table.model.table.full_name} WHERE {name} = $1 ORDER BY {date}"  # noqa: S608
        found = (table.row(values) for values in self._run(table, dates, sql, [asked.name]))
        ordered = (row for _, rows in groupby(found, key=lambda row: row.date) for row in sorted(rows, key=_place))
        chosen = (row for row in ordered if row.key.text in wanted and row.place > asked.after)
        return list(islice(chosen, asked.limit + 1))

    def _run(self, table: Served, dates: list[str] | None, sql: str, values: list[str]) -> Iterator[dict[str, object]]:
        """Yield the rows of a query of one table, or of some dates of it."""
        import duckdb  # noqa: PLC0415 - not at import of the command line

        connection = session({table.model.table.full_name: read(self.lake, table.model.table, dates)})
        try:
            for batch in connection.sql(sql, params=values).to_arrow_reader(_ROWS_AT_ONCE):
                yield from pl.DataFrame(batch).iter_rows(named=True)
        except (duckdb.Error, *delta.UNREADABLE) as error:
            raise delta.unreadable(self.lake.store, table.model.table.path, error) from error
        finally:
            connection.close()


def _place(row: Row) -> str:
    return row.place
