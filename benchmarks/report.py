"""The report: one Markdown table of all cases, and where the time goes."""

import datetime as dt
import os
import platform
from importlib.metadata import version
from statistics import median

from benchmarks import long_history
from benchmarks.cases import Result
from benchmarks.long_history import Compared
from benchmarks.measure import Run

_LIBRARIES = ("polars", "duckdb", "deltalake", "dagster")
_AIMS = {"a": "ratio 1.3, 1.5 GB", "b": "8 s", "c": "1,000 days / 10 days: 1.1", "d": "3 s without imports"}
_HEAD = (
    "case", "what", "product s", "floor s", "ratio", "product CPU s", "floor CPU s", "CPU ratio", "imports s",
    "without imports s", "Dagster events s", "ratio without both", "product peak MB", "floor peak MB", "aim",
)  # fmt: skip


def markdown(results: list[Result], history: list[Compared], scale: float, load: float) -> str:
    """Return the whole report.

    Args:
        load: Load average of the machine before anything was measured.
    """
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    lines = [
        (
            f"Measured {dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC at scale {scale:g} on {os.cpu_count()} cores "
            f"({platform.machine()}), load average {load:.1f} before; Python {platform.python_version()}, {libraries}."
        ),
        "",
        *_table(_HEAD, [_row(result) for result in results if not result.skipped]),
        "",
        *(f"- ({result.case}) skipped: {result.skipped}" for result in results if result.skipped),
        *_growth([result for result in results if result.case == "c"]),
    ]
    if history:
        lines += ["", *_table(long_history.HEAD, [compared.row() for compared in history])]
    for result in results:
        if not result.skipped:
            lines += ["", f"### ({result.case}) {result.what}", "", *_figures(result), "", *_steps(result)]
    return "\n".join(lines) + "\n"


def _row(result: Result) -> list[str]:
    product, floor = _middle(result.product), _middle(result.floor)
    bare = (product.work - product.event_seconds) / floor.work
    return [
        f"({result.case})",
        result.what,
        f"{product.seconds:.2f}",
        f"{floor.seconds:.2f}",
        f"{product.seconds / floor.seconds:.2f}",
        f"{product.cpu_seconds:.2f}",
        f"{floor.cpu_seconds:.2f}",
        f"{product.cpu_seconds / floor.cpu_seconds:.2f}",
        f"{product.imports:.2f}",
        f"{product.work:.2f}",
        f"{product.event_seconds:.2f}",
        f"{bare:.2f}",
        f"{max(run.peak_bytes for run in result.product) / 1e6:,.0f}",
        f"{max(run.peak_bytes for run in result.floor) / 1e6:,.0f}",
        _AIMS[result.case],
    ]


def _middle(runs: list[Run]) -> Run:
    """Return a run whose every figure is the median of that figure."""
    names = sorted({name for run in runs for name in run.steps}, key=list(runs[0].steps).index)
    return Run(
        seconds=median(run.seconds for run in runs),
        cpu_seconds=median(run.cpu_seconds for run in runs),
        peak_bytes=max(run.peak_bytes for run in runs),
        imports=median(run.imports for run in runs),
        steps={name: median(run.steps.get(name, 0.0) for run in runs) for name in names},
        event_seconds=median(run.event_seconds for run in runs),
        events=round(median(run.events for run in runs)),
    )


def _growth(results: list[Result]) -> list[str]:
    if len(results) != 2:
        return []
    short, long = (_middle(result.product) for result in results)
    return [
        (
            f"- (c) the long history over the short one: product {long.seconds / short.seconds:.2f} "
            f"({long.work / short.work:.2f} without imports), "
            f"floor {_middle(results[1].floor).seconds / _middle(results[0].floor).seconds:.2f}"
        ),
    ]


def _figures(result: Result) -> list[str]:
    return [
        "The same in both: " + ", ".join(f"{name} {value:,}" for name, value in result.figures.items()) + ".",
        f"Runs, seconds: product {_listed(result.product)}; floor {_listed(result.floor)}.",
    ]


def _listed(runs: list[Run]) -> str:
    return ", ".join(f"{run.seconds:.2f}" for run in runs)


def _steps(result: Result) -> list[str]:
    product, floor = _middle(result.product), _middle(result.floor)
    rest = product.work - sum(product.steps.values())
    rows = [["product", "imports (land and run)", f"{product.imports:.2f}"]]
    rows += [["product", name, f"{seconds:.2f}"] for name, seconds in product.steps.items()]
    rows += [["product", "between and after the steps", f"{rest:.2f}"]]
    rows += [["product", f"of all that, {product.events:,} Dagster events", f"{product.event_seconds:.2f}"]]
    rows += [["floor", "imports", f"{floor.imports:.2f}"]]
    rows += [["floor", name, f"{seconds:.2f}"] for name, seconds in floor.steps.items()]
    return _table(("who", "step", "seconds"), rows)


def _table(head: tuple[str, ...], rows: list[list[str]]) -> list[str]:
    lines = [list(head), ["---"] * len(head), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]
