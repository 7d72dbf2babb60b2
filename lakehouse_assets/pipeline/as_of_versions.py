"""The versions of a keyed feed's rows that held at the times of a table's rows, and sums that tell whether they change.

Here: reading both sides of a join as of a time, for its model and as numbers. Not here: what is stored of the numbers,
and what is pending (`as_of_index`).
"""

import hashlib
from collections.abc import Iterable, Mapping

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.as_of import AsOf
from lakehouse_assets.contracts.declare import Table
from lakehouse_assets.erasure.protocol import keyed_hashes
from lakehouse_assets.pipeline.reading import read

USE = {"key": pl.Int64(), "at": pl.Int64(), "dt": pl.Date()}
"""A row of a table asks for the version of a key at a time. Times are as they are stored: microseconds, or days."""
VERSION = {"key": pl.Int64(), "at": pl.Int64(), "version": pl.Int64()}
"""From a time on a key has other values, in the columns that are read, than before."""
_BETWEEN = "\x1f"
_HEX_DIGITS = 15  # 60 bits: they fit a column of Delta, and a transaction


def rows_for(lake: Lake, joins: list[AsOf], facts: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:
    """Return the versions of one history that hold at times of some rows, with the columns that a query may read.

    A little more than these: those that begin or end between the first and the last row of their key.

    Args:
        joins: The joins with this history.
        facts: The rows by the SQL name of their table.
    """
    table, names = lake.registry.table(joins[0].history), [theirs for _, theirs in joins[0].keys]
    uses = pl.concat(
        facts[one.facts].select(*(pl.col(a).alias(b) for a, b in one.keys), pl.col(one.at).alias("_at"))
        for one in joins
    )
    times = uses.group_by(names).agg(_first=pl.min("_at"), _last=pl.max("_at"))
    versions = read(lake, table).select(columns_read(joins)).join(times, on=names)
    is_over = (pl.col("valid_to") <= pl.col("_first")).fill_null(value=False)
    return versions.filter(~is_over, pl.col("valid_from") <= pl.col("_last")).drop("_first", "_last")


def columns_read(joins: list[AsOf]) -> list[str]:
    """Return the columns of one history that a query may read. Of any other one a change would not be noticed."""
    read = (name for one in joins for name in one.reads)
    return list(dict.fromkeys([*(theirs for _, theirs in joins[0].keys), "valid_from", "valid_to", *read]))


def uses_of(lake: Lake, join: AsOf, dates: Iterable[str]) -> pl.DataFrame:
    """Return the versions that the rows of some dates ask for, each once: `USE`."""
    table = lake.registry.table(join.facts)
    mine = [mine for mine, _ in join.keys]
    rows = read(lake, table, dates).select(*mine, join.at, table.partitioning.date.alias("dt")).drop_nulls().unique()
    return _numbered(lake, join, rows.collect(), mine, join.at).select(*USE)


def versions_of(lake: Lake, join: AsOf, bucket: str, keys: pl.Series | None = None) -> pl.DataFrame:
    """Return the versions of the keys of a bucket, without those that change nothing that is read: `VERSION`.

    Args:
        keys: Those to look at; None for all.
    """
    table = lake.registry.table(join.history)
    theirs = [theirs for _, theirs in join.keys]
    chosen = read(lake, table).filter(table.partitioning.filter([bucket]))
    rows = chosen.select(*theirs, "valid_from", pl.struct(join.reads or theirs[:1]).alias("said")).collect()
    numbered = _numbered(lake, join, rows, theirs, "valid_from")
    if keys is not None:
        numbered = numbered.filter(pl.col("key").is_in(keys.implode()))
    said = numbered["said"].struct.json_encode() if join.reads else pl.repeat("", numbered.height, eager=True)
    numbered = numbered.with_columns(_number(_hashes(said)).alias("version")).select(*VERSION).sort("key", "at")
    is_new = pl.struct("key", "version") != pl.struct("key", "version").shift()
    return numbered.filter(is_new.fill_null(value=True))


def sums(join: int, uses: pl.DataFrame, versions: pl.DataFrame) -> dict[str, int]:
    """Return for each date a sum over the versions that its rows ask for: another one when one of them is another.

    The sum for some keys and that for others add up (see `added`), so a change costs the rows of its keys.

    Args:
        join: The number of the join, so that the same version counts differently in each.
        uses: `USE`, and `VERSION` of these keys; a use without a version adds nothing.
    """
    asked, held = uses.sort("at"), versions.select(*VERSION).sort("at")
    found = asked.join_asof(held, on="at", by="key", strategy="backward", check_sortedness=False)
    found = found.drop_nulls("version")
    number = pl.repeat(join, found.height, eager=True, dtype=pl.UInt64)
    for name in ("key", "at", "version"):
        number = _mixed(number + found[name].cast(pl.UInt64, wrap_numerical=True))
    by_date = found.select("dt", number.alias("sum")).group_by("dt").agg(pl.sum("sum"))
    return {str(date): value % 2**60 for date, value in by_date.iter_rows()}


def added(*some: Mapping[str, int]) -> dict[str, int]:
    """Return the sums over all that some sums are of; a negative one takes away."""
    found: dict[str, int] = {}
    for one in some:
        for date, value in one.items():
            found[date] = (found.get(date, 0) + value) % 2**60
    return found


def _mixed(number: pl.Series) -> pl.Series:
    """Return whole numbers in which each bit depends on all bits of others (SplitMix64, which wraps around)."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        number = (number ^ (number // 2**shift)) * pl.Series([factor], dtype=pl.UInt64)
    return number ^ (number // 2**31)


def _numbered(lake: Lake, join: AsOf, rows: pl.DataFrame, names: list[str], time: str) -> pl.DataFrame:
    """Return rows with `key` and `at` as numbers; of a personal key, only a keyed hash is ever stored."""
    text = rows.select(pl.concat_str([pl.col(name).cast(pl.String) for name in names], separator=_BETWEEN)).to_series()
    if is_personal(lake.registry.table(join.history), join):
        about = f"{join.history}.{','.join(theirs for _, theirs in join.keys)}"
        hashes = keyed_hashes(lake.store, about, text) if text.len() else text
    else:
        hashes = _hashes(text)
    at = pl.col(time).to_physical().cast(pl.Int64).alias("at")
    return rows.with_columns(_number(hashes).alias("key"), at)


def make_key(lake: Lake, joins: Iterable[AsOf]) -> None:
    """Make the lake's key for hashes, if some key of these joins is personal data and there is none."""
    if any(is_personal(lake.registry.table(join.history), join) for join in joins):
        keyed_hashes(lake.store, "", pl.Series([""]))


def is_personal(history: Table, join: AsOf) -> bool:
    """Return whether the key of a join is personal data."""
    return any(history.columns[theirs].personal for _, theirs in join.keys)


def _hashes(texts: pl.Series) -> pl.Series:
    known = texts.unique().to_list()
    return texts.replace_strict(
        known, [hashlib.sha256(text.encode()).hexdigest() for text in known], return_dtype=pl.String
    )


def _number(hashes: pl.Series) -> pl.Series:
    return hashes.str.slice(0, _HEX_DIGITS).str.to_integer(base=16)
