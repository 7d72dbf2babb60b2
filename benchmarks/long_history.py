"""(e) The same work on a lake with a short history and with a long one: what a tick, a run and an answer cost.

The histories are written directly, see `history.py`; a third lake is not compared with, because no script by hand has
anything like them. Times are those of whole processes, except for the ticks, which a daemon makes in one.
"""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks import measure
from benchmarks.history import DEFINITIONS, FIRST
from benchmarks.measure import Run

SHORT, LONG = (1_000, 50), (1_000_000, 3_000)
TIMES = 3
_QUERY = f"SELECT * FROM gold.daily_events WHERE dt = DATE '{FIRST}'"  # noqa: S608
_TICKS = ("idle tick", "tick with one new file")


@dataclass
class Compared:
    """One thing done on both lakes: seconds and CPU seconds of each time, and the largest memory."""

    what: str
    seconds: tuple[list[float], list[float]] = field(default_factory=lambda: ([], []))
    cpu_seconds: tuple[list[float], list[float]] = field(default_factory=lambda: ([], []))
    peak_bytes: list[int] = field(default_factory=lambda: [0, 0])

    def add(self, lake: int, run: Run, step: str = "") -> None:
        """Note one measured run on the short (0) or long (1) history, or one step of it."""
        self.seconds[lake].append(run.steps[step] if step else run.seconds)
        self.cpu_seconds[lake].append(run.steps[f"{step}, CPU"] if step else run.cpu_seconds)
        self.peak_bytes[lake] = max(self.peak_bytes[lake], run.peak_bytes)

    def row(self) -> list[str]:
        """Return the line of the report: each figure for the short and for the long history, and their ratio."""
        cells = [self.what]
        for short, long in (map(median, self.seconds), map(median, self.cpu_seconds)):
            cells += [f"{short:.3f}", f"{long:.3f}", f"{long / short:.2f}"]
        return cells + [f"{peak / 1e6:,.0f}" for peak in self.peak_bytes]


HEAD = (
    "(e) what", "short s", "long s", "ratio", "short CPU s", "long CPU s", "CPU ratio", "short peak MB", "long peak MB",
)  # fmt: skip


def compare(work: Path, scale: float, feeds: int, say: Callable[[str], None]) -> list[Compared]:
    """Write both histories and do everything on each of them in turns.

    Args:
        feeds: Of how many of the twenty feeds the objects are.
    """
    lakes = []
    for objects, dates in (SHORT, LONG):
        lake = work / f"history-{objects}"
        share = 1 if objects == SHORT[0] else scale
        say(f"(e) writing a history of {round(objects * share):,} objects over {dates:,} dates")
        measure.measured("benchmarks.history", [], [lake, *map(str, (round(objects * share), dates, feeds))], {})
        lakes.append(lake)
    found = {what: Compared(what) for what in (*_TICKS, "status", "tables", "query", "run with one new file")}
    for number in range(TIMES):
        for at, lake in enumerate(lakes):
            for what, run, step in _all(lake, f"2014-12-{number + 1:02}"):
                found[what].add(at, run, step)
                say(f"(e) {what}, {'long' if at else 'short'}: {found[what].seconds[at][-1]:.3f} s")
    return list(found.values())


def _all(lake: Path, date: str) -> Iterator[tuple[str, Run, str]]:
    environment = {"LAKEHOUSE_ROOT": str(lake), "LAKEHOUSE_DEFINITIONS": DEFINITIONS}
    commands: dict[str, list[Path | str]] = {"status": ["status"], "tables": ["tables"], "query": ["query", _QUERY]}
    for what, arguments in commands.items():
        yield what, measure.measured("benchmarks.product", [], arguments, environment), ""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        drop = Path(folder, f"{date}.csv")
        drop.write_text(f"name,happened_at,amount\nnew,{date} 10:00:00,1\n", encoding="utf-8")
        ticks = measure.measured("benchmarks.ticks", [], [drop], environment)
    for step in _TICKS:
        yield step, ticks, step
    # What the last tick found is there still.
    yield "run with one new file", measure.measured("benchmarks.product", [], ["run"], environment), ""
