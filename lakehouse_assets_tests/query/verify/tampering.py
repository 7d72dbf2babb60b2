"""How files, tables, logs and the catalog of a lake are changed behind its back. Not here: which of it is tried."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import polars as pl
from deltalake import DeltaTable, write_deltalake

from lakehouse_assets.context import Lake
from lakehouse_assets_tests.retail import DAY


def path_of(lake: Lake, pattern: str) -> Path:
    """Return the largest file below the lake's root that matches a pattern."""
    found = sorted(Path(lake.settings.root).glob(pattern), key=lambda file: file.stat().st_size)
    assert found, pattern
    return found[-1]


def live_bronze(lake: Lake, key: str, partition: str = DAY) -> Path:
    """Return the bronze file of a live source object."""
    live = lake.ledger_of(lake.registry.feed("sales")).live
    [found] = live.filter((pl.col("source_key") == key) & (pl.col("part") == partition))["source_hash"]
    return Path(lake.settings.root) / f"bronze/sales/dt={partition}/{found}.parquet"


def data_file(lake: Lake, table: str, partition: str) -> Path:
    """Return a data file of the present version of a Delta table."""
    root = Path(lake.settings.root) / table
    uris = [uri for uri in DeltaTable(str(root)).file_uris() if partition in uri]
    assert uris, (table, partition)
    return Path(uris[0])


def cut(file: Path) -> None:
    """Cut a file in half."""
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2])


def blank(file: Path) -> None:
    """Overwrite the middle of a file with zeros; its size stays."""
    data = bytearray(file.read_bytes())
    quarter = len(data) // 4
    data[quarter : 3 * quarter] = bytes(2 * quarter)
    file.write_bytes(data)


def rewrite(file: Path, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    """Write the rows of a Parquet file anew."""
    change(pl.read_parquet(file, hive_partitioning=False)).write_parquet(file)


def swap_bronze(lake: Lake) -> None:
    """Put the records of one source object where those of another belong."""
    live_bronze(lake, "day.csv").write_bytes(live_bronze(lake, "accepted.csv").read_bytes())


def another_value(rows: pl.DataFrame) -> pl.DataFrame:
    """Change one value of the first record."""
    return rows.with_columns(
        pl.when(pl.int_range(pl.len()) == 0).then(pl.lit("Narnia")).otherwise("Country").alias("Country")
    )


def table(lake: Lake, path: str) -> DeltaTable:
    """Open a Delta table to damage it."""
    return DeltaTable(f"{lake.settings.root}/{path}")


def update(path: str, predicate: str, **changes: str) -> Callable[[Lake], object]:
    """Return damage that changes values of rows, in SQL."""

    def done(lake: Lake) -> None:
        assert table(lake, path).update(predicate=predicate, updates=changes)["num_updated_rows"]

    return done


def delete(path: str, predicate: str) -> Callable[[Lake], object]:
    """Return damage that removes rows."""

    def done(lake: Lake) -> None:
        assert table(lake, path).delete(predicate)["num_deleted_rows"]

    return done


def append(path: str, keep: pl.Expr, *changes: pl.Expr) -> Callable[[Lake], object]:
    """Return damage that appends rows like some that are there."""

    def done(lake: Lake) -> None:
        rows = pl.scan_delta(f"{lake.settings.root}/{path}").filter(keep).with_columns(*changes).collect()
        assert rows.height
        write_deltalake(table(lake, path), rows, mode="append")

    return done


def log_entries(lake: Lake, path: str) -> list[Path]:
    """Return the commits of a Delta table, oldest first."""
    return sorted((Path(lake.settings.root) / path / "_delta_log").glob("*.json"))


def decision_file(lake: Lake) -> Path:
    """Return the first decision on sales."""
    return min((Path(lake.settings.root) / "decisions" / "sales").iterdir())


def catalog_file(lake: Lake) -> Path:
    """Return the catalog."""
    return Path(lake.settings.root) / "catalog.duckdb"


def in_catalog(statement: str) -> Callable[[Lake], object]:
    """Return damage to the catalog by a statement."""

    def done(lake: Lake) -> None:
        with duckdb.connect(str(catalog_file(lake))) as connection:
            connection.sql(statement)

    return done


def emptied_catalog(lake: Lake) -> None:
    """Replace the catalog by a database without views."""
    catalog_file(lake).unlink()
    duckdb.connect(str(catalog_file(lake))).close()


def wrong_ledger_rows(lake: Lake) -> None:
    """Make the ledger believe that an object had a record more."""
    ledger = table(lake, "ops/ledger")
    assert ledger.update(predicate="source_key = 'copy.csv'", updates={"rows": "rows + 1"})["num_updated_rows"]
