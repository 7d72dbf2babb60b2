"""Polars, delta-rs and DuckDB by hand: the floor of the other benchmarks, with one gold table."""

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl

from benchmarks import STARTED
from benchmarks.floor import batches, candidate, to_bronze, write
from benchmarks.floor_gold import by_date


def run(landing: Path, lake: Path) -> None:
    """Bring every zip of a folder into the tables of a lake, some dates at a time."""
    with ThreadPoolExecutor(2) as pool:
        for batch in batches(sorted(landing.glob("*.zip"))):
            bronze = pl.concat(
                [frame for found in pool.map(lambda p: to_bronze(landing, lake, p), batch) for frame in found]
            )
            silver, quarantine = candidate(bronze)
            dates = silver["dt"].unique().sort().to_list()
            write(lake, "silver/sales", silver, dates)
            write(lake, "quarantine/sales", quarantine, dates)
            name, daily_sales = next(by_date(silver))
            write(lake, f"gold/{name}", daily_sales, dates)


if __name__ == "__main__":
    imported = time.monotonic() - float(os.environ[STARTED])
    run(Path(sys.argv[1]), Path(sys.argv[2]))
    Path(sys.argv[3]).write_text(json.dumps({"imports": imported}), encoding="utf-8")
