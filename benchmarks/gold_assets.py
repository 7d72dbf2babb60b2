"""What each asset costs on few and on many lines, and after one late file: `python -m benchmarks.gold_assets`.

The same 365 dates with 1,370 and with 27,398 lines each, generated, so twenty times the lines; and the real days where
they are. Each lake is filled by `land` and `run`, gets a forecast, and then a late file of three lines for one date.
Every figure is of one step of a run: wall and CPU seconds, the process's peak of memory in it, and by how much the
step made the process grow.
"""

import argparse
import datetime as dt
import math
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks import generate, measure
from benchmarks.cases import REAL_DAYS
from benchmarks.measure import Run

DAYS, FEW, MANY = 365, 1_370, 27_398
_START, _REAL_START = dt.date(2023, 1, 1), dt.date(2010, 12, 1)
REAL = "real-days"
Costs = dict[str, dict[str, Any]]


@dataclass
class Measured:
    """What the steps on one lake cost: filled at once, and after one late file."""

    name: str
    lines: int
    filled: Run
    filled_costs: Costs
    late: Run
    baskets: str


def main() -> None:
    """Fill the lakes, bring the late files, print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gold_assets", description=__doc__)
    parser.add_argument("--many", type=int, default=MANY, help="lines a day of the large lake")
    given = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="lakehouse-gold-"))
    try:
        found = [_measured(work, name, lines) for name, lines in _landed(work, given.many)]
    finally:
        shutil.rmtree(work)
    print("\n".join(_tables(found)))


def _landed(work: Path, many: int) -> Iterator[tuple[str, int]]:
    """Make the files of one lake after the other; yield the name of its folder, and their lines."""
    if REAL_DAYS.exists():
        (work / REAL).mkdir()
        subprocess.run(["tar", "xJf", str(REAL_DAYS), "-C", str(work / REAL), "--strip-components=1"], check=True)
        yield REAL, 541_909
    for name, lines in (("few", FEW), ("many", many)):
        generate.drops(work / name, _START, DAYS, lines)
        yield name, DAYS * lines


def _measured(work: Path, name: str, lines: int) -> Measured:
    landing, lake, late = work / name, work / f"lake-{name}", work / f"late-{name}"
    filled = measure.land_and_run(lake, landing)
    _say(f"{name}: filled in {filled.seconds:.0f} s")
    trained = measure.product(lake, "forecast")
    forecast = measure.product(lake, "run")
    command = {"seconds": trained.work, "cpu": trained.cpu_seconds, "peak": trained.peak_bytes, "grown": 0}
    costs = filled.costs | {
        "command forecast, with imports": command | {"partitions": []},
        **{step: cost for step, cost in forecast.costs.items() if "forecast" in step},
    }
    late.mkdir()
    date = (_REAL_START if name == REAL else _START) + dt.timedelta(days=180)
    drop = generate.lines_of(date, 0, generate.LINES_PER_INVOICE).head(3)
    (late / "late.csv").write_bytes(generate.csv_of(drop))
    after = measure.land_and_run(lake, late)
    _say(f"{name}: late file in {after.seconds:.0f} s")
    return Measured(name, lines, filled, costs, after, _pairs(lake))


def _pairs(lake: Path) -> str:
    """Return how much `gold.basket_pairs` has to look at, counted apart from its SQL."""
    baskets = pl.read_delta(str(lake / "gold/daily_baskets")).select("dt", "invoice_no", "stock_codes")
    lines = baskets.explode("stock_codes")
    least = max(3, math.ceil(0.01 * baskets.height))
    kept = lines.group_by("stock_codes").len().filter(pl.col("len") >= least)
    sizes = lines.join(kept, on="stock_codes").group_by("dt", "invoice_no").len()["len"].cast(pl.Int64)
    formed = int((sizes * (sizes - 1) // 2).sum())
    stored = pl.scan_delta(str(lake / "gold/basket_pairs")).select(pl.len()).collect().item()
    mean, products = lines.height / baskets.height, lines["stock_codes"].n_unique()
    return (
        f"{baskets.height:,} | {products:,} | {mean:.1f} | {kept.height:,} | {100 * mean:,.0f} | "
        f"{formed:,} | {formed / baskets.height:.1f} | {stored:,}"
    )


def _tables(found: list[Measured]) -> Iterator[str]:
    few, many = found[-2], found[-1]
    yield f"Times more lines: {many.lines / few.lines:.1f}. Cells: s / CPU s / peak MB / grown by MB."
    yield ""
    yield f"| asset | {' | '.join(f'{one.name}: {one.lines:,}' for one in found)} | CPU ratio |"
    yield f"| --- |{' --: |' * (len(found) + 1)}"
    for step, cost in many.filled_costs.items():
        ratio = cost["cpu"] / max(few.filled_costs[step]["cpu"], 0.001) if step in few.filled_costs else math.nan
        yield f"| {step} | {' | '.join(_cell(one.filled_costs.get(step)) for one in found)} | {ratio:.1f} |"
    ratio = many.filled.cpu_seconds / few.filled.cpu_seconds
    yield f"| `land` and `run`, with imports | {' | '.join(_whole(one.filled) for one in found)} | {ratio:.1f} |"
    yield ""
    yield "After one late file of three lines for one date; in front the partitions that were made."
    yield ""
    yield f"| asset | {' | '.join(one.name for one in found)} | CPU ratio |"
    yield f"| --- |{' --: |' * (len(found) + 1)}"
    for step, cost in many.late.costs.items():
        ratio = cost["cpu"] / max(few.late.costs[step]["cpu"], 0.001) if step in few.late.costs else math.nan
        cells = (f"{_made(one.late.costs.get(step))}: {_cell(one.late.costs.get(step))}" for one in found)
        yield f"| {step} | {' | '.join(cells)} | {ratio:.1f} |"
    ratio = many.late.cpu_seconds / few.late.cpu_seconds
    yield f"| `land` and `run`, with imports | {' | '.join(_whole(one.late) for one in found)} | {ratio:.1f} |"
    yield ""
    yield "| lake | baskets | products | a basket | kept | at most | pairs formed | a basket | pairs stored |"
    yield f"| --- |{' --: |' * 8}"
    for one in found:
        yield f"| {one.name} | {one.baskets} |"


def _cell(cost: dict[str, Any] | None) -> str:
    if cost is None:
        return ""
    return f"{cost['seconds']:.2f} / {cost['cpu']:.2f} / {cost['peak'] / 1e6:,.0f} / {cost['grown'] / 1e6:,.0f}"


def _whole(run: Run) -> str:
    return f"{run.seconds:.1f} / {run.cpu_seconds:.1f} / {run.peak_bytes / 1e6:,.0f} /"


def _made(cost: dict[str, Any] | None) -> str:
    partitions = sorted({str(name) for name in (cost or {}).get("partitions", []) if name is not None})
    if not partitions:
        return "whole"
    return partitions[0] if len(partitions) == 1 else f"{len(partitions)} dates"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
