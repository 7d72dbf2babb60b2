"""Many small objects of a day beside one: `python -m benchmarks.packed_day [--objects 1440] [--lines 40]`.

Bronze files, bytes, and CPU seconds of computing the date again (as `lakehouse run --force` does), each the least of
several, in one process: of one object, of many, and of many once their files are packed. The tables have to be the
same.
"""

import argparse
import datetime as dt
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks import generate
from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.registry import registry
from lakehouse_assets.maintenance.maintain import maintain
from lakehouse_assets.maintenance.policy import Policy
from lakehouse_assets.pipeline.ingest import ingest
from lakehouse_assets.pipeline.silver import publish
from lakehouse_assets.settings import Settings
from lakehouse_assets.sources.landing import pending
from lakehouse_assets.storage import delta
from lakehouse_assets.storage.stores import store_for

_DATE = dt.date(2021, 1, 1)
_TIMES = 5
_AT_ONCE = 8
"""Objects that are taken in at once: so few have bronze files of their own."""


def main() -> None:
    """Build three lakes, measure, compare."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.packed_day", description=__doc__)
    parser.add_argument("--objects", type=int, default=1_440)
    parser.add_argument("--lines", type=int, default=40, help="lines of each object")
    given = parser.parse_args()
    if given.objects < 1 or given.lines < 1:
        parser.error("--objects and --lines are at least 1")
    work = Path(tempfile.mkdtemp(prefix="lakehouse-small-"))
    lines = generate.lines_of(_DATE, 0, given.objects * given.lines)
    try:
        whole = _lake(work / "whole", [lines])
        small = _lake(work / "small", list(lines.iter_slices(given.lines)))
        one, many = _measured(whole), _measured(small)
        policy = Policy(dt.timedelta(), below_seven_days=True)
        began = time.process_time()
        list(maintain(small, policy))
        maintained = time.process_time() - began
        packed = _measured(small)
        if not _rows(whole).equals(_rows(small)):
            msg = "silver differs between one object and many"
            raise SystemExit(msg)
    finally:
        shutil.rmtree(work)
    print(f"| {given.objects:,} objects of {given.lines} lines | one object | small | ratio | packed | ratio |")
    print("| --- | --: | --: | --: | --: | --: |")
    for name, value in one.items():
        print(f"| {name} | {value:,.10g} | {many[name]:,.10g} | {many[name] / value:.1f} "
              f"| {packed[name]:,.10g} | {packed[name] / value:.1f} |")  # fmt: skip
    print(f"\nThe maintenance that packed took {maintained:.1f} CPU s.")


def _lake(root: Path, parts: list[pl.DataFrame]) -> Lake:
    settings = Settings(root=str(root))
    lake = Lake(store_for(settings.root), settings, registry())
    feed = lake.registry.feed("sales")
    for number, part in enumerate(parts):
        lake.store.replace(f"{feed.landing}/{_DATE}-{number:04}.csv", generate.csv_of(part))
    landed = list(pending(lake, feed, lake.ledger_of(feed)))
    for at in range(0, len(landed), _AT_ONCE):
        for _ in ingest(lake, feed, landed[at : at + _AT_ONCE], "benchmark"):
            pass
    _compute(lake)
    return lake


def _compute(lake: Lake) -> None:
    for _ in publish(lake, lake.registry.feed("sales"), [str(_DATE)], "benchmark", force=True):
        pass


def _rows(lake: Lake) -> pl.DataFrame:
    silver = lake.registry.feed("sales").silver
    rows = delta.rows(lake.store, delta.opened(lake.store, silver.path)).collect()
    rows = rows.select(name for name in rows.columns if not name.startswith("_"))
    return rows.sort(rows.columns)


def _measured(lake: Lake) -> dict[str, Any]:
    sizes = [path.stat().st_size for path in Path(lake.store.uri("bronze")).rglob("*.parquet")]
    times = []
    for _ in range(_TIMES):
        began = time.process_time()
        _compute(lake)
        times.append(time.process_time() - began)
    return {"bronze files": len(sizes), "bronze bytes": sum(sizes), "computing the date, CPU s": round(min(times), 3)}


if __name__ == "__main__":
    main()
