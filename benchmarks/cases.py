"""The four cases: what is measured, on which input, and that product and floor end with the same tables.

Within a case product and floor take turns, so that whatever else the machine does meets both. Generating, unpacking
and building history is not measured.
"""

import datetime as dt
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import compare, generate, measure
from benchmarks.measure import Run

REAL_DAYS = Path(__file__).resolve().parents[2] / "shared" / "data" / "online_retail_by_day.tar.xz"
WHOLE_ROWS, WHOLE_DAYS = 10_000_000, 365
SMALL_DAY, SHORT, LONG, REAL = 1_800, 10, 1_000, 305
TIMES = 3


@dataclass
class Result:
    """Measured runs of one line of the report, and the figures that both lakes ended with."""

    case: str
    what: str
    product: list[Run] = field(default_factory=list)
    floor: list[Run] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    skipped: str = ""


@dataclass
class Bench:
    """Where the cases work, and at which share of the full size."""

    work: Path
    scale: float
    repeat: int
    say: Callable[[str], None]
    real_lakes: tuple[Path, Path] | None = None

    def scaled(self, days: int, least: int = 2) -> int:
        """Return a number of days at the scale of this bench."""
        return max(least, round(days * self.scale))

    def whole_job(self) -> list[Result]:
        """(a) The whole job, zip to gold, on a year of generated sales."""
        days, rows = self.scaled(WHOLE_DAYS), -(-WHOLE_ROWS // WHOLE_DAYS)
        self.say(f"(a) generating {days} days of {rows:,} rows")
        landing = self.work / "whole"
        generate.drops(landing, dt.date(2023, 1, 1), days, rows)
        result = Result("a", f"{days} generated days, {days * rows:,} rows, zip to gold")
        self._fresh(result, landing)
        return [result]

    def real_days(self) -> list[Result]:
        """(b) The real days."""
        days = self.scaled(REAL)
        result = Result("b", f"{days} real days (Online Retail), CSV to gold")
        if not REAL_DAYS.exists():
            result.skipped = f"the real days are not at {REAL_DAYS}"
            return [result]
        product, floor = self._fresh(result, self._unpacked(days))
        self.real_lakes = product, floor
        return [result]

    def one_more_day(self) -> list[Result]:
        """(c) One more day, after a short and after a long history."""
        start, long = dt.date(2021, 1, 1), self.scaled(LONG, 2 * SHORT)
        results = []
        for history in (SHORT, long):
            self.say(f"(c) building lakes of {history:,} days")
            landing = self.work / f"history-{history}"
            generate.drops(landing, start, history, SMALL_DAY)
            result = Result("c", f"one more day of {SMALL_DAY:,} rows after {history:,}")
            results.append(result)
            for name, bring in (("product", measure.land_and_run), ("floor", measure.floor)):
                bring(self.work / f"{name}-{history}", landing)
        for number in range(TIMES):
            for history, result in zip((SHORT, long), results, strict=True):
                drop = self.work / f"more-{history}-{number}"
                generate.drops(drop, start, 1, SMALL_DAY, first_day=history + number)
                self._both(result, self.work / f"product-{history}", self.work / f"floor-{history}", drop)
        for history, result in zip((SHORT, long), results, strict=True):
            result.figures = compare.same(self.work / f"product-{history}", self.work / f"floor-{history}")
        return results

    def late_file(self) -> list[Result]:
        """(d) A late file of three rows for one date, into the lake of the real days."""
        start = dt.date(2010, 12, 1)
        if self.real_lakes is None:
            self.say("(d) building a lake")
            landing = self._unpacked(self.scaled(REAL)) if REAL_DAYS.exists() else self.work / "generated"
            if not REAL_DAYS.exists():
                generate.drops(landing, start, self.scaled(REAL), SMALL_DAY)
            self.real_lakes = self.work / "product-late", self.work / "floor-late"
            measure.land_and_run(self.real_lakes[0], landing)
            measure.floor(self.real_lakes[1], landing)
        product, floor = self.real_lakes
        dates = sorted(folder.name.removeprefix("dt=") for folder in (floor / "bronze/sales").glob("dt=*"))
        result = Result("d", f"a late file of 3 rows for one of {len(dates)} dates")
        for number in range(TIMES):
            date = dt.date.fromisoformat(dates[(number + 1) * len(dates) // (TIMES + 1)])
            drop = self.work / f"late-{number}"
            drop.mkdir()
            late = generate.lines_of(date, 0, generate.LINES_PER_INVOICE).head(3)
            (drop / f"late-{number}.csv").write_bytes(generate.csv_of(late))
            self._both(result, product, floor, drop)
        result.figures = compare.same(product, floor)
        return [result]

    def _fresh(self, result: Result, landing: Path) -> tuple[Path, Path]:
        """Run both on fresh lakes, in turns; compare and keep the last two lakes."""
        product, floor = self.work / f"product-{result.case}", self.work / f"floor-{result.case}"
        for _ in range(self.repeat):
            for lake in (product, floor):
                shutil.rmtree(lake, ignore_errors=True)
            self._both(result, product, floor, landing)
        result.figures = compare.same(product, floor)
        return product, floor

    def _both(self, result: Result, product: Path, floor: Path, landing: Path) -> None:
        result.floor.append(measure.floor(floor, landing))
        self.say(f"({result.case}) floor   {result.floor[-1].seconds:7.2f} s")
        result.product.append(measure.land_and_run(product, landing))
        self.say(f"({result.case}) product {result.product[-1].seconds:7.2f} s")

    def _unpacked(self, days: int) -> Path:
        folder = self.work / "real"
        if not folder.exists():
            folder.mkdir()
            subprocess.run(["tar", "xJf", str(REAL_DAYS), "-C", str(folder), "--strip-components=1"], check=True)
            for path in sorted(folder.glob("*.csv"))[days:]:
                path.unlink()
        return folder
