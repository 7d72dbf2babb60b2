"""From landing to gold while a retailer is at work: `python -m benchmarks.alive [--minutes 10] [--speed 5]`.

`lakehouse dev` runs on a fresh lake in a folder, with default settings and the simulated retailer: files of sales,
objects of events, changes that its API tells, which is asked more often than the tables declare. Afterwards the ledger
and the logs of the tables say when each landed object was ingested, when its dates were committed to silver after
that, and then to a gold table. What landed in the last two minutes does not count; what landed before and is not there
is counted as missing.

It needs the tests' package: `make .venv/dev`.
"""

import argparse
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.arrivals import cpu_seconds
from lakehouse_assets.context import lake_at
from lakehouse_assets.ledger.ledger import Ledger
from lakehouse_assets_tests.orchestration.dev_server import DevServer

_WAYS = {
    "sales (files)": ("sales", ("silver/sales", "gold/daily_sales")),
    "web_events (stream)": ("web_events", ("silver/web_events", "gold/funnel_daily")),
    "customers (API)": ("customers", ("silver/customers",)),
    "products (API)": ("products", ("silver/products",)),
}
"""Feeds, and the tables on the way of their objects; gold joins customers and products only where a sale has them."""
_LAUNCH = "mutation($it: ExecutionParams!) {launchPipelineExecution(executionParams: $it) {__typename}}"
_LEFT_S = 120
_MINUTE_S = 60

Commits = Sequence[tuple[float, frozenset[str]]]
"""When each commit of a table was made, seconds since 1970, and the partitions to which it added files."""


def main() -> None:
    """Let the retailer work, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.alive", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="for which objects are counted")
    parser.add_argument("--speed", type=float, default=5, help="of the retailer")
    parser.add_argument("--gap", type=float, default=20, help="seconds between two looks at the API")
    given = parser.parse_args()
    if given.minutes <= 0 or given.speed <= 0 or given.gap <= 0:
        parser.error("--minutes, --speed and --gap are above 0")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started ends
    with tempfile.TemporaryDirectory(prefix="lakehouse-alive-") as folder:
        root, load = str(Path(folder, "lake")), os.getloadavg()[0]
        with DevServer(root, Path(folder, "dev.log"), simulation_speed=str(given.speed)) as server:
            until = time.time() + given.minutes * _MINUTE_S
            while time.time() < until:
                time.sleep(given.gap)
                for feed in ("customers", "products"):
                    _extract(server, feed)
            time.sleep(_LEFT_S)
            cpu = cpu_seconds(server.pid)
        print(f"Load {load:.1f} before, {os.getloadavg()[0]:.1f} after; {cpu:.0f} CPU s in all.\n")
        print("| feed | objects | table | p50 s | p95 s | max s | missing |")
        print("| --- | --: | --- | --: | --: | --: | --: |")
        for way, (feed, tables) in _WAYS.items():
            _report(way, feed, tables, root, until)


def _extract(server: DevServer, feed: str) -> None:
    asset = {"path": ["extraction", feed]}
    of = {"repositoryLocationName": "lakehouse", "repositoryName": "__repository__", "pipelineName": "__ASSET_JOB"}
    answer = server.graphql(_LAUNCH, it={"selector": {**of, "assetSelection": [asset]}, "runConfigData": {}})
    if answer["launchPipelineExecution"]["__typename"] != "LaunchRunSuccess":
        msg = f"the API of {feed} is not asked: {answer}"
        raise SystemExit(msg)


def _report(way: str, feed: str, tables: Iterable[str], root: str, until: float) -> None:
    rows = Ledger.load(lake_at(root).store).rows
    read = {
        str(key): (min(times).timestamp(), frozenset(_value(part) for part in parts if part is not None))
        for key, times, parts in rows.filter(feed=feed).group_by("object_key").agg("ingested_at", "part").iter_rows()
    }
    folder = Path(root, "landing", feed)
    landed = {
        str(file.relative_to(folder)): file.stat().st_mtime
        for file in folder.rglob("*")
        if file.is_file() and file.stat().st_mtime < until
    }
    at = {key: read[key][0] for key in landed.keys() & read.keys()}
    _line(way, "the ledger", landed, at)
    for table in tables:
        commits = _commits(Path(root, table))
        found = {key: after(commits, since, read[key][1]) for key, since in at.items()}
        at = {key: moment for key, moment in found.items() if moment is not None}
        _line(way, table.replace("/", "."), landed, at)


def _value(part: str) -> str:
    """Return the value by which a table is partitioned of a partition of the ledger: 3 of `bucket=03`."""
    name, _, number = part.partition("=")
    return str(int(number)) if name == "bucket" else part


def _line(way: str, table: str, landed: dict[str, float], at: dict[str, float]) -> None:
    seconds = sorted(at[key] - landed[key] for key in at)
    figures = "| | |"
    if len(seconds) > 1:
        cuts = statistics.quantiles(seconds, n=20, method="inclusive")
        figures = f"{cuts[9]:.1f} | {cuts[18]:.1f} | {seconds[-1]:.1f} |"
    print(f"| {way} | {len(landed)} | {table} | {figures} {len(landed) - len(seconds)} |", flush=True)


def _commits(table: Path) -> Commits:
    found = []
    for entry in sorted((table / "_delta_log").glob("*.json")):
        actions = [json.loads(line) for line in entry.read_text().splitlines()]
        parts = (value for a in actions if "add" in a for value in a["add"]["partitionValues"].values())
        made = next(action["commitInfo"]["timestamp"] for action in actions if "commitInfo" in action)
        found.append((made / 1000, frozenset(parts)))
    return found


def after(commits: Commits, since: float, parts: frozenset[str]) -> float | None:
    """Return when the last of some partitions was first committed after a moment; None where one never was.

    A table without partitions is committed as a whole.
    """
    last = since
    for part in parts:
        times = [made for made, added in commits if made >= since and (part in added or not added)]
        if not times:
            return None
        last = max(last, min(times))
    return last


if __name__ == "__main__":
    main()
