"""Where the time of `gold.sales_enriched` goes: `python -m benchmarks.enriched [DATES]`, two minutes for 37 dates.

Generated sales, 27,398 lines a date, and the histories of 5,000 customers and nearly 4,000 products, three versions
each. Measured in a process of its own, without Dagster and imports: building all dates, and of it what each part costs,
with the settings of a session of this lake and with DuckDB's own.
"""

import argparse
import datetime as dt
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks import generate
from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.defs.gold.sales_enriched import MODEL
from lakehouse_assets.defs.silver import customers, products, sales
from lakehouse_assets.engines import duckdb_session
from lakehouse_assets.pipeline import gold
from lakehouse_assets.pipeline.ingest import ingest
from lakehouse_assets.pipeline.pending import FeedState, ModelState
from lakehouse_assets.pipeline.silver import publish
from lakehouse_assets.settings import Settings
from lakehouse_assets.sources.landing import pending
from lakehouse_assets.storage import delta
from lakehouse_assets.storage.stores import store_for

_LINES, _VERSIONS, _START = 27_398, 3, dt.date(2023, 1, 1)
_RUN = "00000000-0000-4000-8000-000000000000"
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")  # writing 5 forgets the peak
_FEEDS = [sales.FEED, customers.FEED, products.FEED]


def main() -> None:
    """Fill a lake up to silver and measure in new processes, or measure in this one."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.enriched", description=__doc__)
    parser.add_argument("dates", type=int, nargs="?", default=37)
    parser.add_argument("--lake", type=Path, help="measure on a lake that is filled, in this process")
    parser.add_argument("--plain", action="store_true", help="with DuckDB's own settings")
    given = parser.parse_args()
    if given.lake is not None:
        if given.plain:
            duckdb_session._SETTINGS = "SET TimeZone = 'UTC'"  # noqa: SLF001
        _measure(_lake(given.lake))
        return
    with tempfile.TemporaryDirectory(prefix="lakehouse-enriched-") as folder:
        _fill(_lake(Path(folder)), given.dates)
        for name, options in (("DuckDB's own settings", ["--plain"]), ("those of a session", [])):
            print(f"\n{name}:", flush=True)
            subprocess.run([sys.executable, "-m", "benchmarks.enriched", "--lake", folder, *options], check=True)
            for table in (MODEL.table.path, f"ops/{MODEL.name}_as_of"):
                shutil.rmtree(Path(folder) / table)


def _lake(root: Path) -> Lake:
    return Lake(store_for(str(root)), Settings(root=str(root)), Registry(_FEEDS, [MODEL]))


def _fill(lake: Lake, dates: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for path in generate.drops(Path(folder), _START, dates, _LINES):
            lake.store.create(f"{sales.FEED.landing}/{path.name}", path.read_bytes())
    for feed, records in ((customers.FEED, _customers()), (products.FEED, _products())):
        lake.store.create(f"{feed.landing}/all.json", json.dumps({"data": list(records)}).encode())
    for feed in _FEEDS:
        for _ in ingest(lake, feed, list(pending(lake, feed, lake.ledger_of(feed))), _RUN):
            pass
        for _ in publish(lake, feed, FeedState.of(lake, feed).pending, _RUN):
            pass
        print(f"{feed.name}: {_rows(lake, feed):,}", flush=True)


def _rows(lake: Lake, feed: Feed) -> int:
    return int(delta.scan(lake.store, (feed.history or feed.silver).path, {}).select(pl.len()).collect().item())


def _versions(chance: random.Random) -> Iterator[str]:
    for number in range(_VERSIONS):
        at = dt.datetime(2022, 6, 1) + dt.timedelta(days=100 * number, minutes=chance.randrange(100 * 1_440))  # noqa: DTZ001
        yield f"{at:%Y-%m-%dT%H:%M:%SZ}"


def _customers() -> Iterator[dict[str, Any]]:
    chance = random.Random(1)  # noqa: S311 - no secret
    for number in range(12_000, 17_000):
        for at in _versions(chance):
            said = {"segment": chance.choice(("retail", "wholesale")), "country": f"Country {chance.randrange(38)}"}
            yield {"customer_id": str(number), "updated_at": at, **said}


def _products() -> Iterator[dict[str, Any]]:
    chance = random.Random(2)  # noqa: S311 - no secret
    for code in sorted({code for day in range(3) for code in generate.lines_of(_START, day, 30_000)["StockCode"]}):
        for at in _versions(chance) if code == code.upper() else ():
            said = {"category": chance.choice(("home", "toys")), "unit_cost": f"{chance.uniform(0.2, 9):.4f}"}
            yield {"stock_code": code, "updated_at": at, **said}


class Parts:
    """The CPU seconds of some functions, each without those of the others that it calls."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._inner: list[float] = []

    def watch(self, owner: Any, name: str, part: str | Callable[..., str]) -> None:  # noqa: ANN401
        """Measure a function from now on; a part may follow from its arguments."""
        original = getattr(owner, name)

        def timed(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - as the original
            began = time.process_time()
            self._inner.append(0.0)
            try:
                return original(*arguments, **options)
            finally:
                took, inner = time.process_time() - began, self._inner.pop()
                self.seconds[part if isinstance(part, str) else part(*arguments)] += took - inner
                if self._inner:
                    self._inner[-1] += took

        setattr(owner, name, timed)


def _measure(lake: Lake) -> None:
    parts = Parts()
    parts.watch(gold, "_build_batch", "the rest")
    parts.watch(gold, "bring_up_to_date", "the index: numbers, sums, sorting")
    parts.watch(gold, "_query", "the query without reading")
    parts.watch(gold, "_conform", "columns, types and rules")
    parts.watch(pl.LazyFrame, "collect", "reading")
    parts.watch(delta, "replace", lambda _, table, *__: _written(table.table_uri))
    dates = ModelState.read(lake, MODEL).pending
    _CLEAR.write_text("5")
    rows = sum(sum(batch.rows.values()) for batch in gold.build(lake, MODEL, dates))
    peak = next(int(line.split()[1]) for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM"))
    for part, seconds in parts.seconds.items():
        print(f"| {part} | {seconds:.2f} |")
    print(f"| {rows:,} lines | {sum(parts.seconds.values()):.2f} |\n| peak MB | {peak / 1e3:,.0f} |", flush=True)


def _written(uri: str) -> str:
    return "writing the index" if "_as_of" in uri else "writing gold"


if __name__ == "__main__":
    main()
