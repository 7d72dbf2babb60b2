"""Some entries of a feed, found without reading the others. Not here: what follows from entries."""

from collections.abc import Callable
from functools import cached_property

import polars as pl

from lakehouse_assets.ledger.entries import WORKING


def working(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Return the columns `WORKING` of stored entries."""
    # Nearly every file has the name of its content: once is enough in memory.
    file = pl.when(pl.col("file") != pl.col("source_hash")).then("file").alias("file")
    return rows.select(WORKING).with_columns(file)


class Selection:
    """Finds entries by object key, content or partition.

    Files of entries are sorted by object key, so that of a key few rows are read. Of the contents and partitions,
    hashes are kept in memory (about 60 bytes for each entry), once something asks for them.

    Attributes:
        rows: Every column of every entry.
    """

    def __init__(self, rows: pl.LazyFrame, collect: Callable[[pl.LazyFrame], pl.DataFrame]) -> None:
        self.rows, self._collect = rows, collect

    def entries(self) -> pl.DataFrame:
        """Return the columns `WORKING` of every entry."""
        return self._collect(working(self.rows))

    def of_keys(self, keys: pl.Series) -> pl.DataFrame:
        """Return the columns `WORKING` of all entries of some object keys."""
        return self._collect(working(self._near(keys)))

    def bytes_of(self, keys: pl.Series) -> int:
        """Return the bytes that landed under some object keys; the same bytes under a key count once."""
        sizes = self._near(keys).select("object_key", "object_hash", "bytes").unique()
        return int(self._collect(sizes.select(pl.col("bytes").sum())).item())

    def keys_of_contents(self, contents: pl.Series) -> pl.Series:
        """Return the keys of objects with some contents, in any version; a few others may be among them."""
        return self._keys("content", contents)

    def keys_of_partitions(self, partitions: pl.Series) -> pl.Series:
        """Return the keys of objects with rows in some partitions, in any version; a few others may be among them."""
        return self._keys("partition", partitions)

    def keys_where(self, condition: pl.Expr) -> pl.Series:
        """Return the keys of objects of which an entry fulfils a condition."""
        return self._collect(self.rows.filter(condition).select("object_key").unique())["object_key"]

    @property
    def keys(self) -> pl.Series:
        """Every object key."""
        return self._index["object_key"].unique()

    @property
    def last_version(self) -> int:
        """The number of the version that was recorded last; 0 without any."""
        return int(self._collect(self.rows.select(pl.col("version").max())).item() or 0)

    def extended(self, rows: pl.LazyFrame, later: pl.DataFrame) -> "Selection":
        """Return the selection with later entries.

        Args:
            rows: Every column of every entry.
            later: The columns `WORKING` of those that came since.
        """
        whole = Selection(rows, self._collect)
        if "_index" in self.__dict__:
            whole.__dict__["_index"] = pl.concat([self._index, later.select(_hashes())])
        return whole

    @cached_property
    def _index(self) -> pl.DataFrame:
        return self._collect(self.rows.select(_hashes()))

    def _keys(self, column: str, values: pl.Series) -> pl.Series:
        hashes = values.drop_nulls().unique().hash()
        return self._index.filter(pl.col(column).is_in(hashes.implode()))["object_key"].unique()

    def _near(self, keys: pl.Series) -> pl.LazyFrame:
        wanted = keys.unique()
        if wanted.is_empty():
            return self.rows.clear()  # without bounds, every entry would be read
        # Groups of rows outside of the bounds are skipped; Polars compares no list of values with their statistics.
        is_near = pl.col("object_key").is_between(pl.lit(wanted.min(), pl.String), pl.lit(wanted.max(), pl.String))
        return self.rows.filter(is_near & pl.col("object_key").is_in(wanted.implode()))


def _hashes() -> list[pl.Expr]:
    contents, partitions = pl.col("source_hash").hash(), pl.col("part").hash()
    return [pl.col("object_key"), contents.alias("content"), partitions.alias("partition")]
