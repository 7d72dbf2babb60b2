"""One delivery of a snapshot feed, as one CSV object, to gold: `python -m benchmarks.large_snapshot ROWS...`.

Prints a table: rows, and of each command CPU seconds and peak memory. Memory is the resident memory of the process and
its children together, looked at every 20 ms; a child that is forked counts what it shares twice.
"""

import argparse
import os
import tempfile
from pathlib import Path

import polars as pl

from benchmarks.measure import Run, measured

_STEP = 500_000
_COMMANDS: dict[str, list[str]] = {
    "run": ["run"],
    "query": ["query", "SELECT counted, count(*) AS n, sum(price) AS worth FROM silver.stock GROUP BY ALL ORDER BY 1"],
    "verify": ["verify"],
}


def write(file: Path, rows: int) -> None:
    """Write a CSV object: one record in a hundred repeats the one before, one in two hundred breaks the contract."""
    with file.open("wb") as out:
        for at in range(0, rows, _STEP):
            number = pl.int_range(at, min(at + _STEP, rows), eager=True).alias("i").to_frame()
            i = pl.col("product_id")
            records = number.select(product_id=pl.col("i") - (pl.col("i") % 100 == 7).cast(pl.Int64)).with_columns(
                store=pl.format("S{}", (i % 997).cast(pl.String).str.zfill(4)),
                name=pl.format("Product {}", i % 50_021),
                price=pl.when(i % 200 == 3).then(pl.lit("free")).otherwise(pl.format("{}.{}", i % 311, i % 90 + 10)),
                counted=pl.format("2026-11-{}", (i % 20 + 1).cast(pl.String).str.zfill(2)),
            )
            records.write_csv(out, include_header=at == 0)


def main() -> None:
    """Measure each number of rows on a fresh lake."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=int, nargs="+")
    print("| rows | bytes | command | seconds | CPU s | rows / CPU s | peak MB |")
    print("| --: | --: | --- | --: | --: | --: | --: |")
    for rows in parser.parse_args().rows:
        with tempfile.TemporaryDirectory(prefix="stock-") as folder:
            file = Path(folder, "stock.csv")
            write(file, rows)
            lake, size = Path(folder, "lake"), file.stat().st_size
            environment = {"LAKEHOUSE_ROOT": str(lake), "LAKEHOUSE_DEFINITIONS": "benchmarks.stock"}
            for name, arguments in {"land": ["land", "stock", str(file)], **_COMMANDS}.items():
                found: Run = measured("benchmarks.product", [], list(arguments), environment)
                speed = f"{rows / found.cpu_seconds:,.0f}"
                line = f"| {rows:,} | {size:,} | `{name}` | {found.seconds:.0f} | {found.cpu_seconds:.0f} | {speed}"
                print(f"{line} | {found.peak_bytes / 1e6:,.0f} |", flush=True)
                os.sync()


if __name__ == "__main__":
    main()
