"""Whether a peer made the rows that the product made, and of bronze as many."""

from pathlib import Path

import polars as pl

from benchmarks.compare import DifferentError


def rows(lake: Path, table: str) -> pl.DataFrame:
    """Return a table of a lake, Delta or a folder of Parquet files."""
    folder = lake / table
    return pl.read_delta(str(folder)) if (folder / "_delta_log").exists() else pl.read_parquet(folder / "**/*.parquet")


def bronze_rows(lake: Path) -> int:
    """Return how many records bronze has."""
    files = (lake / "bronze/sales").rglob("*.parquet")
    return sum(pl.scan_parquet(file).select(pl.len()).collect().item() for file in files)


def assert_equal(name: str, lake: Path, product: Path, *, bronze_only: bool = False) -> dict[str, int]:
    """Return how many rows each table has.

    Raises:
        DifferentError: A table of the peer has other rows than the product's.
    """
    found = {"bronze": bronze_rows(product)}
    if (other := bronze_rows(lake)) != found["bronze"]:
        msg = f"bronze: {name} has {other:,} rows, the product {found['bronze']:,}"
        raise DifferentError(msg)
    if bronze_only:
        return found
    for table in ("silver/sales", "gold/daily_sales"):
        expected = rows(product, table).select(pl.exclude("^_.*$"))
        found[table] = _same(name, table, rows(lake, table).select(expected.columns).cast(expected.schema), expected)
    held, expected = (_by_rule(rows(place, "quarantine/sales")) for place in (lake, product))
    _same(name, "quarantine/sales by date and rules", held, expected)
    found["quarantine/sales"] = int(expected["records"].sum())
    return found


def _by_rule(quarantine: pl.DataFrame) -> pl.DataFrame:
    rules = pl.col("rules").list.sort().list.join(", ")
    return quarantine.group_by("dt", rules).agg(records=pl.len())


def _same(name: str, table: str, ours: pl.DataFrame, expected: pl.DataFrame) -> int:
    if not ours.sort(ours.columns).equals(expected.sort(expected.columns)):
        only = ours.join(expected, on=ours.columns, how="anti", nulls_equal=True)
        msg = (
            f"{table}: {name} has {ours.height:,} rows, the product {expected.height:,}; only {name} has {only.head(3)}"
        )
        raise DifferentError(msg)
    return expected.height
