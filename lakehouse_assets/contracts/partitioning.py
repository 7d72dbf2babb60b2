"""How a table is cut into partitions, and the names of those partitions.

A partition has one name everywhere (ledger, fingerprints, run configuration): an ISO date, `UNDATED` for records
whose business date cannot be read, or `WHOLE` for tables without a date.
"""

import datetime as dt
import itertools
from collections.abc import Iterable
from enum import Enum

import polars as pl

UNDATED = "undated"
WHOLE = "whole"


def as_date(partition: str) -> dt.date | None:
    """Return the business date that a partition name stands for; None for `UNDATED` and `WHOLE`."""
    return None if partition in {UNDATED, WHOLE} else dt.date.fromisoformat(partition)


class Partitioning(Enum):
    """The layout of a table: by its business date, by year, month and day of it, or one snapshot."""

    BY_DATE = "by dt"
    BY_YEAR_MONTH_DAY = "by year/month/day"
    SNAPSHOT = "snapshot"

    @property
    def columns(self) -> dict[str, pl.DataType]:
        """Partition columns and their types, in path order."""
        match self:
            case Partitioning.BY_DATE:
                return {"dt": pl.Date()}
            case Partitioning.BY_YEAR_MONTH_DAY:
                return {"year": pl.Int32(), "month": pl.Int32(), "day": pl.Int32()}
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
            case Partitioning.SNAPSHOT:
                return []

    @property
    def date(self) -> pl.Expr:
        """The business date of a row, from its partition columns."""
        match self:
            case Partitioning.BY_DATE:
                return pl.col("dt")
            case Partitioning.BY_YEAR_MONTH_DAY:
                return pl.date("year", "month", "day")
            case Partitioning.SNAPSHOT:
                return pl.lit(None, pl.Date)

    def sql_predicate(self, partitions: Iterable[str]) -> str | None:
        """The Delta predicate of exactly these partitions; None for the whole of a snapshot."""
        if self is Partitioning.SNAPSHOT:
            return None
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
        return pl.lit(WHOLE) if self is Partitioning.SNAPSHOT else self.date.cast(pl.String).fill_null(UNDATED)

    def filter(self, partitions: Iterable[str]) -> pl.Expr:
        """The same predicate as a Polars expression, for readers."""
        if self is Partitioning.SNAPSHOT:
            return pl.lit(value=True)
        dates = [date for partition in partitions if (date := as_date(partition))]
        if self is Partitioning.BY_DATE:
            chosen, undated = pl.col("dt").is_in(dates), pl.col("dt").is_null()
        else:
            number = pl.col("year") * 10_000 + pl.col("month") * 100 + pl.col("day")
            chosen = number.is_in([date.year * 10_000 + date.month * 100 + date.day for date in dates])
            undated = pl.col("year").is_null()
        return (chosen | undated) if UNDATED in partitions else chosen
