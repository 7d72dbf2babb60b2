"""A lake before and after maintenance: `python -m benchmarks.maintained_lake [--dates 1000] [--files 20]`.

Every date gets that many small late files, one a round; each round is ingested, published, built and shown in the
catalog, without Dagster. Then the lake is maintained as it would be some weeks later: the log entries are made so old,
and no file is kept for readers under way (`--retention-hours 0`, told twice). Before and after: files, bytes, and CPU
seconds, which other load on the machine disturbs less, of queries and of finding what is pending, each the least of
several, in one process. Every answer has to be the same.
"""

import argparse
import datetime as dt
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import generate
from lakehouse_assets.catalog.duckdb_views import rebuild
from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.registry import registry
from lakehouse_assets.maintenance.maintain import maintain
from lakehouse_assets.maintenance.policy import Policy
from lakehouse_assets.pipeline.gold import build
from lakehouse_assets.pipeline.ingest import ingest
from lakehouse_assets.pipeline.pending import FeedState, ModelState
from lakehouse_assets.pipeline.silver import publish
from lakehouse_assets.query import sql as answers
from lakehouse_assets.settings import Settings
from lakehouse_assets.sources.landing import pending
from lakehouse_assets.storage.stores import store_for

_START = dt.date(2021, 1, 1)
_LINES, _TIMES = 5, 5
_LAYERS = ("bronze", "silver", "quarantine", "gold", "ops")
_QUERIES = {
    "gold: sales by country": "SELECT country, sum(sales) FROM gold.daily_sales GROUP BY 1 ORDER BY 1",
    "gold: one month's metrics": (
        "SELECT metric_name, sum(metric_value::DECIMAL(18, 2)) FROM gold.daily_metrics "
        "WHERE year = 2021 AND month = 1 GROUP BY 1 ORDER BY 1"
    ),
    "silver: all lines": "SELECT count(*), sum(line_amount) FROM silver.sales",
    "silver: one day": "SELECT count(*), sum(line_amount) FROM silver.sales WHERE dt = DATE '2021-01-01'",
    "ops: accounting": "SELECT verdict, sum(landed), sum(published) FROM ops.accounting GROUP BY 1",
    "bronze: all records": "SELECT count(*) FROM bronze.sales",
}


def main() -> None:
    """Build, measure, maintain, measure again, compare."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.maintained_lake", description=__doc__)
    parser.add_argument("--dates", type=int, default=1_000)
    parser.add_argument("--files", type=int, default=20, help="small late files of each date")
    parser.add_argument("--keep", action="store_true", help="keep the lake, and say where it is")
    given = parser.parse_args()
    if given.dates < 1 or given.files < 1:
        parser.error("--dates and --files are at least 1")
    work = Path(tempfile.mkdtemp(prefix="lakehouse-maintained-"))
    settings = Settings(root=str(work / "lake"))
    lake = Lake(store_for(settings.root), settings, registry())
    try:
        built = _timed(lambda: _build(lake, given.dates, given.files))
        before, first = _measured(lake)
        _age_logs(lake)
        actions: list[Any] = []
        policy = Policy(dt.timedelta(), below_seven_days=True)
        maintained = _timed(lambda: actions.extend(maintain(lake, policy)))
        after, second = _measured(lake)
    finally:
        if given.keep:
            print(f"the lake stays in {settings.root}")
        else:
            shutil.rmtree(work)
    if first != second:
        odd = next(name for name in first if first[name] != second[name])
        msg = f"{odd!r} has another answer after maintenance: {first[odd]} before, {second[odd]} after"
        raise SystemExit(msg)
    print(
        f"{given.dates:,} dates x {given.files} late files: built in {built:.0f} s, maintained in {maintained:.1f} s.\n"
    )
    print("| what | before | after | after / before |\n| --- | --: | --: | --: |")
    for name, value in before.items():
        shown = "{:.3f}" if isinstance(value, float) else "{:,}"
        print(f"| {name} | {shown.format(value)} | {shown.format(after[name])} | {after[name] / (value or 1):.2f} |")
    print("\n| table | done | files | bytes |\n| --- | --- | --: | --: |")
    for action in actions:
        print(f"| {action.table} | {action.action} | {action.files:,} | {action.bytes:,} |")


def _build(lake: Lake, dates: int, files: int) -> None:
    feed = lake.registry.feed("sales")
    lines = [generate.lines_of(_START, day, files * _LINES * 2).head(files * _LINES) for day in range(dates)]
    for number in range(files):
        for day, those in enumerate(lines):
            data = generate.csv_of(those.slice(number * _LINES, _LINES))
            lake.store.replace(f"{feed.landing}/{_START + dt.timedelta(days=day)}-{number}.csv", data)
        for _ in ingest(lake, feed, pending(lake, feed, lake.ledger_of(feed)), "benchmark"):
            pass
        for _ in publish(lake, feed, FeedState.read(lake, feed, lake.ledger_of(feed)).pending, "benchmark"):
            pass
        for model in lake.registry.models.values():
            for _ in build(lake, model, ModelState.read(lake, model).pending):
                pass
        rebuild(lake)


def _age_logs(lake: Lake) -> None:
    then = time.time() - 60 * 86_400
    for folder in Path(lake.store.root).rglob("_delta_log"):
        for path in folder.iterdir():
            os.utime(path, (then, then))


def _measured(lake: Lake) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the figures of a lake, and the answers to the queries."""
    figures: dict[str, Any] = {}
    for layer in _LAYERS:
        sizes = [path.stat().st_size for path in Path(lake.store.uri(layer)).rglob("*") if path.is_file()]
        figures |= {f"{layer}: files": len(sizes), f"{layer}: bytes": sum(sizes)}
    for kind in ("files", "bytes"):
        figures[f"all: {kind}"] = sum(figures[f"{layer}: {kind}"] for layer in _LAYERS)
    found: dict[str, Any] = {}
    for name, sql in _QUERIES.items():
        figures[f"{name}, CPU s"] = _best(lambda sql=sql: answers.run(lake, sql))  # type: ignore[misc]
        found[name] = sorted(answers.run(lake, sql).rows, key=str)
    figures["what is pending, CPU s"] = _best(lambda: _pending(lake))
    found["pending"] = _pending(lake)
    return figures, found


def _pending(lake: Lake) -> list[str]:
    feed = lake.registry.feed("sales")
    waiting = list(FeedState.read(lake, feed, lake.ledger_of(feed)).pending)
    for model in lake.registry.models.values():
        waiting += ModelState.read(lake, model).pending
    return waiting


def _best(do: Callable[[], Any]) -> float:
    do()
    return min(_timed(do, time.process_time) for _ in range(_TIMES))


def _timed(do: Callable[[], Any], clock: Callable[[], float] = time.perf_counter) -> float:
    began = clock()
    do()
    return clock() - began


if __name__ == "__main__":
    main()
