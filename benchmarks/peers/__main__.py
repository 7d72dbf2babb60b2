"""The product beside its peers on one input: `python -m benchmarks.peers [--scale 0.25] [--only dlt] [--repeat 3]`.

The input is that of case (a), a share of its days. They take turns, each in a process of its own on a fresh lake; after
the last turn the rows of each peer are compared with the product's.
"""

import argparse
import datetime as dt
import os
import platform
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks import generate, measure
from benchmarks.cases import WHOLE_DAYS, WHOLE_ROWS
from benchmarks.compare import DifferentError
from benchmarks.measure import Run, RunFailedError
from benchmarks.peers.equal import assert_equal

RESULTS = Path(__file__).resolve().parents[2] / ".bench" / "peers.md"
HEAD = (
    "who",
    "makes",
    "seconds",
    "CPU s",
    "CPU ratio to Polars",
    "of it imports, s",
    "peak MB",
    "what it gives besides",
)
ALL = "bronze, silver, quarantine, gold"


def _product(landing: Path, lake: Path) -> Run:
    own = {
        "LAKEHOUSE_ROOT": str(lake),
        "LAKEHOUSE_DEFINITIONS": "benchmarks.peers.tables",
        "LAKEHOUSE_REPORT": "false",
    }
    landed = measure.measured("benchmarks.product", [], ["land", "sales", landing], own)
    return landed + measure.measured("benchmarks.product", [], ["run"], own)


def _script(module: str, *arguments: str, environment: str = "") -> Callable[[Path, Path], Run]:
    def run(landing: Path, lake: Path) -> Run:
        lake.mkdir()
        scratch = {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_DIRS": str(lake), "RUNTIME__DLTHUB_TELEMETRY": "false"}
        python = Path(sys.prefix, environment, "bin/python") if environment else sys.executable
        return measure.measured(f"benchmarks.peers.{module}", [landing, lake], list(arguments), scratch, python)

    return run


@dataclass(frozen=True)
class Peer:
    """One way to do the work.

    Attributes:
        environment: Folder below this Python's that has its libraries, made by `make .venv/...`.
        gives: What one has of it besides the tables.
    """

    title: str
    run: Callable[[Path, Path], Run]
    gives: str
    makes: str = ALL
    environment: str = ""

    @property
    def is_there(self) -> bool:
        """Whether its libraries are installed."""
        return Path(sys.prefix, self.environment).exists()


_SPARK = "quarantine, by a column of rules that one writes; the same script on a cluster. After a kill it starts over"
PEERS = {
    "product": Peer(
        "this lakehouse",
        _product,
        "quarantine with reasons and a way back; a killed run is simply run again; a late file reopens its dates only; "
        "replay of any date from bronze; every record accounted for; a gate for each date; ledger, catalog, UI",
    ),
    "polars": Peer(
        "Polars, delta-rs and DuckDB by hand",
        _script("polars_by_hand"),
        "quarantine; a date is replaced whole, and earlier versions stay (Delta). After a kill it starts over",
    ),
    "pandas": Peer(
        "pandas by hand",
        _script("pandas_by_hand"),
        "quarantine. After a kill it starts over, and until then readers see the tables of some files",
    ),
    "sail": Peer("Sail", _script("spark_by_hand", "sail", environment="spark"), _SPARK, environment="spark"),
    "pyspark": Peer(
        "PySpark on a JVM of this machine",
        _script("spark_by_hand", "jvm", environment="spark"),
        _SPARK,
        environment="spark",
    ),
    "dlt": Peer(
        "dlt",
        _script("dlt_to_bronze", environment="peers"),
        "a load that was killed after its extraction goes on; rows counted for each load; schemas that grow or are "
        "frozen; sources for many APIs. Types, rules and gold are left to other tools",
        makes="bronze",
        environment="peers",
    ),
}


def main() -> int:
    """Measure the peers asked for; the exit code is 1 when one failed or its rows differ from the product's."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--scale", type=float, default=0.25, help="share of 365 days of 27,398 lines, 0 < scale <= 1")
    parser.add_argument(
        "--only", default=",".join(PEERS), help="peers, separated by commas; product and polars always are"
    )
    parser.add_argument("--repeat", type=int, default=3, help="times that each is measured")
    given = parser.parse_args()
    wanted = {"product", "polars", *given.only.split(",")}
    if not 0 < given.scale <= 1 or given.repeat < 1 or not wanted <= set(PEERS):
        parser.error(f"--scale is in (0, 1], --repeat at least 1, --only made of {', '.join(PEERS)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started ends, and its lakes go
    days, lines, load = max(2, round(WHOLE_DAYS * given.scale)), -(-WHOLE_ROWS // WHOLE_DAYS), os.getloadavg()[0]
    peers = {name: peer for name, peer in PEERS.items() if name in wanted and peer.is_there}
    for name in sorted(wanted - set(peers)):
        _say(f"{name} is left out: it is not installed; run 'make .venv/{PEERS[name].environment}'")
    work = Path(tempfile.mkdtemp(prefix="lakehouse-peers-"))
    try:
        generate.drops(work / "landing", dt.date(2023, 1, 1), days, lines)
        runs = _in_turns(work, peers, given.repeat)
        equal = {name: assert_equal(name, work / name, work / "product", bronze_only=peer.makes != ALL)
                 for name, peer in peers.items()}  # fmt: skip
    except (RunFailedError, DifferentError) as error:
        _say(f"benchmarks: {error}")
        return 1
    finally:
        shutil.rmtree(work)
    sizes = ", ".join(f"{table} {count:,}" for table, count in equal["polars"].items())
    head = (
        f"Measured {dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC on {os.cpu_count()} cores ({platform.machine()}), load "
        f"average {load:.1f} before: {days} zips, {days * lines:,} lines; medians of {given.repeat}. "
        f"The same rows in all: {sizes}."
    )
    text = "\n".join([head, "", *_table(runs)])
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(text + "\n", encoding="utf-8")
    print(text)
    _say(f"written to {RESULTS}")
    return 0


def _in_turns(work: Path, peers: dict[str, Peer], repeat: int) -> dict[str, list[Run]]:
    runs: dict[str, list[Run]] = {name: [] for name in peers}
    for _ in range(repeat):
        for name, peer in peers.items():
            shutil.rmtree(work / name, ignore_errors=True)
            runs[name].append(peer.run(work / "landing", work / name))
            _say(f"{name:8} {runs[name][-1].seconds:7.2f} s {runs[name][-1].cpu_seconds:7.2f} CPU s")
    return runs


def _table(runs: dict[str, list[Run]]) -> list[str]:
    floor = median(run.cpu_seconds for run in runs["polars"])
    lines = [f"| {' | '.join(HEAD)} |", "| --- | --- | --: | --: | --: | --: | --: | --- |"]
    for name, measured in runs.items():
        cpu = median(run.cpu_seconds for run in measured)
        cells = (
            PEERS[name].title,
            PEERS[name].makes,
            f"{median(run.seconds for run in measured):.1f}",
            f"{cpu:.1f}",
            f"{cpu / floor:.2f}",
            f"{median(run.imports for run in measured):.1f}",
            f"{max(run.peak_bytes for run in measured) / 1e6:,.0f}",
            PEERS[name].gives,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
