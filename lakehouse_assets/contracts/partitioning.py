"""How a table is cut into partitions, and the names of those partitions.

A partition has one name everywhere (ledger, fingerprints, run configuration): an ISO date, `UNDATED` for records
whose business date cannot be read, `bucket=07` for a hash bucket of keys, or `WHOLE` for a table in one piece.
"""

import datetime as dt
import itertools
import re
from collections.abc import Iterable
from enum import Enum

import polars as pl

UNDATED = "undated"
WHOLE = "whole"


_BUCKET = re.compile(r"bucket=([0-9]{2,})")


def as_date(partition: str) -> dt.date | None:
    """Return the business date that a partition name stands for; None for every other name."""
    if partition in {UNDATED, WHOLE} or as_bucket(partition) is not None:
        return None
    return dt.date.fromisoformat(partition)


def as_bucket(partition: str) -> int | None:
    """Return the hash bucket that a partition name stands for; None for every other name."""
    found = _BUCKET.fullmatch(partition)
    return int(found[1]) if found else None


def bucket_name(bucket: int) -> str:
    """Return the partition name of a hash bucket."""
    return f"bucket={bucket:02}"


YEAR = (
    pl.when(pl.col("part").is_in([UNDATED, WHOLE]))
    .then("part")
    .when(pl.col("part").str.starts_with("bucket="))
    .then(pl.lit("buckets"))  # nearly every landed object touches all of them
    .otherwise(pl.col("part").str.slice(0, 4))
)
"""The year, or the kind, of the partition whose name is in the column `part`: for tables about partitions."""


def place(column: str) -> list[pl.Expr]:
    """Expressions that give `dt` and `bucket` from a column of partition names: null where a name is of neither."""
    name = pl.col(column)
    date = pl.when(~name.is_in([UNDATED, WHOLE])).then(name).str.to_date(strict=False)
    return [date.alias("dt"), name.str.extract(_BUCKET.pattern).cast(pl.Int32).alias("bucket")]


def is_by_date(partition: str) -> bool:
    """Return whether a partition name is one of a table by business date: a date, or `UNDATED`."""
    return partition == UNDATED or as_date(partition) is not None


class Partitioning(Enum):
    """The layout of a table: by its business date, by year, month and day of it, by hash bucket, or one snapshot."""

    BY_DATE = "by dt"
    BY_YEAR_MONTH_DAY = "by year/month/day"
    BY_BUCKET = "by bucket"
    SNAPSHOT = "snapshot"

    @property
    def is_by_date(self) -> bool:
        """Whether partitions are business dates."""
        return self in {Partitioning.BY_DATE, Partitioning.BY_YEAR_MONTH_DAY}

    @property
    def unit(self) -> str:
        """What messages call a partition."""
        return "date" if self.is_by_date else "partition"

    @property
    def columns(self) -> dict[str, pl.DataType]:
        """Partition columns and their types, in path order."""
        match self:
            case Partitioning.BY_DATE:
                return {"dt": pl.Date()}
            case Partitioning.BY_YEAR_MONTH_DAY:
                return {"year": pl.Int32(), "month": pl.Int32(), "day": pl.Int32()}
            case Partitioning.BY_BUCKET:
                return {"bucket": pl.Int32()}
            case Partitioning.SNAPSHOT:
                return {}

    def of_date(self, column: str) -> list[pl.Expr]:
        """Expressions that derive the partition columns from a date column."""
        match self:
            case Partitioning.BY_DATE:
                return [pl.col(column).alias("dt")]
            case Partitioning.BY_YEAR_MONTH_DAY:
                date = pl.col(column).dt
                return [
                    date.year().cast(pl.Int32).alias("year"),
                    date.month().cast(pl.Int32).alias("month"),
                    date.day().cast(pl.Int32).alias("day"),
                ]
            case Partitioning.BY_BUCKET | Partitioning.SNAPSHOT:
                return []

    @property
    def date(self) -> pl.Expr:
        """The business date of a row, from its partition columns."""
        match self:
            case Partitioning.BY_DATE:
                return pl.col("dt")
            case Partitioning.BY_YEAR_MONTH_DAY:
                return pl.date("year", "month", "day")
            case Partitioning.BY_BUCKET | Partitioning.SNAPSHOT:
                return pl.lit(None, pl.Date)

    def sql_predicate(self, partitions: Iterable[str]) -> str | None:
        """The Delta predicate of exactly these partitions; None for the whole of a snapshot."""
        if self is Partitioning.SNAPSHOT:
            return None
        if self is Partitioning.BY_BUCKET:
            return f"bucket in ({', '.join(str(bucket) for bucket in _buckets(partitions))})"
        dates = [date for partition in sorted(partitions) if (date := as_date(partition))]
        if self is Partitioning.BY_DATE:
            quoted = ", ".join(f"'{date}'" for date in dates)
            clauses = [f"dt in ({quoted})"] if dates else []
            null = "dt is null"
        else:
            # Plain comparisons of columns with literals only: delta-rs writes the predicate back as text when it looks
            # for conflicts, and cannot read the casts that arithmetic would bring.
            months = itertools.groupby(dates, key=lambda date: (date.year, date.month))
            clauses = [
                f"(year = {year} and month = {month} and day in ({', '.join(str(date.day) for date in days)}))"
                for (year, month), days in months
            ]
            null = "year is null"
        if UNDATED in partitions:
            clauses.append(null)
        return " or ".join(clauses)

    @property
    def partition(self) -> pl.Expr:
        """The name of a row's partition, from its partition columns."""
        match self:
            case Partitioning.SNAPSHOT:
                return pl.lit(WHOLE)
            case Partitioning.BY_BUCKET:
                return pl.format("bucket={}", pl.col("bucket").cast(pl.String).str.zfill(2))
            case _:
                return self.date.cast(pl.String).fill_null(UNDATED)

    def filter(self, partitions: Iterable[str]) -> pl.Expr:
        """The same predicate as a Polars expression, for readers."""
        if self is Partitioning.SNAPSHOT:
            return pl.lit(value=True)
        if self is Partitioning.BY_BUCKET:
            return pl.col("bucket").is_in(_buckets(partitions))
        dates = [date for partition in partitions if (date := as_date(partition))]
        if self is Partitioning.BY_DATE:
            chosen, undated = pl.col("dt").is_in(dates), pl.col("dt").is_null()
        else:
            number = pl.col("year") * 10_000 + pl.col("month") * 100 + pl.col("day")
            chosen = number.is_in([date.year * 10_000 + date.month * 100 + date.day for date in dates])
            undated = pl.col("year").is_null()
        return (chosen | undated) if UNDATED in partitions else chosen


def _buckets(partitions: Iterable[str]) -> list[int]:
    return sorted(bucket for partition in partitions if (bucket := as_bucket(partition)) is not None)
