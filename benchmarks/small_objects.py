"""A day of one-minute objects beside one object of the same events: `python -m benchmarks.small_objects EVENTS`.

One in a hundred events is sent twice, and they come in any order, up to two days late. Measured in one process, without
Dagster and imports: ingesting all of it, and publishing it. Both lakes have to end with the same silver.
"""

import argparse
import gzip
import json
import random
import tempfile
import time
from pathlib import Path

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.defs.silver.web_events import FEED
from lakehouse_assets.pipeline.ingest import ingest
from lakehouse_assets.pipeline.pending import FeedState
from lakehouse_assets.pipeline.silver import publish
from lakehouse_assets.settings import Settings
from lakehouse_assets.sources.landing import pending
from lakehouse_assets.storage import delta
from lakehouse_assets.storage.stores import store_for

_MINUTES = 1_440
_RUN = "00000000-0000-4000-8000-000000000000"


def _events(count: int, dates: int, chance: random.Random) -> list[str]:
    """Return events of some days in the order in which they arrive, some of them twice."""
    found = []
    for number in range(count):
        hours, seconds = divmod(chance.randrange(dates * 24 * 3_600), 3_600)
        time_of = f"2026-03-0{1 + hours // 24}T{hours % 24:02}:{seconds // 60:02}:{seconds % 60:02}Z"
        event = {
            "event_id": f"e{number:08}", "event_time": time_of, "session_id": f"s{number // 7}",
            "customer_id": str(12_000 + number % 4_000), "stock_code": f"{10_000 + number % 3_000}A",
            "type": chance.choice(("view", "view", "view", "cart", "purchase")),
        }  # fmt: skip
        found.append(json.dumps(event))
    found += chance.sample(found, count // 100)
    chance.shuffle(found)
    return found


def _measured(folder: Path, objects: list[list[str]], runs: int) -> tuple[list[float], pl.DataFrame, int, int]:
    """Land objects and publish them; return CPU seconds of ingest and publish, silver, files of bronze and bytes."""
    lake = Lake(store_for(str(folder)), Settings(root=str(folder)), Registry([FEED], []))
    took, in_run = [0.0, 0.0], -(-len(objects) // runs)
    for number, lines in enumerate(objects):
        hour, minute = divmod(number, 60)
        path = f"{FEED.landing}/2026/03/03/{hour:02}/web_events-1-{minute:02}.gz"
        lake.store.create(path, gzip.compress("".join(lines).encode(), mtime=0))
        if (number + 1) % in_run and number + 1 < len(objects):
            continue
        begin = time.process_time()
        for _ in ingest(lake, FEED, list(pending(lake, FEED, lake.ledger_of(FEED))), _RUN):
            pass
        ingested = time.process_time()
        for _ in publish(lake, FEED, FeedState.of(lake, FEED).pending, _RUN):
            pass
        took = [took[0] + ingested - begin, took[1] + time.process_time() - ingested]
    rows = delta.scan(lake.store, FEED.silver.path, {}).select(*FEED.columns).sort("event_id").collect()
    files = [each.size for each in lake.store.list(FEED.bronze.path)]
    return took, rows, len(files), sum(files)


def main() -> None:
    """Measure both, compare, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("events", type=int, nargs="?", default=200_000)
    parser.add_argument("--dates", type=int, choices=range(1, 4), default=3, help="business dates of the events")
    parser.add_argument("--runs", type=int, default=1, help="in how many runs the small objects are taken in")
    given = parser.parse_args()
    events = _events(given.events, given.dates, random.Random(1))  # noqa: S311 - no secret
    with tempfile.TemporaryDirectory() as folder:
        small = _measured(Path(folder) / "small", [events[minute::_MINUTES] for minute in range(_MINUTES)], given.runs)
        large = _measured(Path(folder) / "large", [events], 1)
    assert small[1].equals(large[1])  # noqa: S101
    print(f"{len(events):,} records, {small[1].height:,} events in silver of both")
    for name, found in (("1,440 objects", small), ("one object", large)):
        took = found[0]
        print(
            f"{name}: ingest {took[0]:.1f} s, publish {took[1]:.1f} s, {found[2]:,} files of bronze, {found[3]:,} bytes"
        )
    print(f"ratio of seconds {sum(small[0]) / sum(large[0]):.1f}, of bytes {small[3] / large[3]:.1f}")


if __name__ == "__main__":
    main()
