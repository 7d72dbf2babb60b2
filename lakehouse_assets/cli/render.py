"""How the command line shows the lake: tables, status, progress. Not here: what is shown."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich import box
from rich.console import Console
from rich.filesize import decimal as filesize
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from lakehouse_assets.contracts.broken import Broken
from lakehouse_assets.query.overview import Status, TableSize
from lakehouse_assets.query.plan import Step

_SHOWN = 20


def tables(console: Console, sizes: list[TableSize]) -> None:
    """Print every table with rows, dates, size and last update."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("table", no_wrap=True)
    for name in ("rows", "dates", "size"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("last update (UTC)", no_wrap=True)
    for size in sizes:
        updated = f"{size.updated:%Y-%m-%d %H:%M:%S}" if size.updated else "never"
        table.add_row(size.name, f"{size.rows:,}", _count(size.dates), filesize(size.bytes), updated)
    _print_whole(console, table)


def summary(console: Console, sizes: list[TableSize]) -> None:
    """Print every table with rows, dates, quality and bytes."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("table", no_wrap=True)
    for name in ("rows", "dates", "quality", "quarantined", "duplicates", "bytes"):
        table.add_column(name, justify="right", no_wrap=True)
    for size in sizes:
        quality = "" if size.score is None else f"{size.score:.4%}"
        table.add_row(
            size.name, f"{size.rows:,}", _count(size.dates), quality, _count(size.quarantined), _count(size.duplicates),
            f"{size.bytes:,}",
        )  # fmt: skip
    _print_whole(console, table)


def _print_whole(console: Console, table: Table) -> None:
    """Print a table as wide as it is: a narrow terminal wraps lines, and never hides a figure."""
    wide = Console(file=console.file, width=max(console.width, 140), force_terminal=console.is_terminal)
    wide.print(table, soft_wrap=True)


def _count(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def status(console: Console, found: Status, failed: list[str]) -> None:
    """Print what is pending, held, rejected and failed, each with its reason."""
    section(console, "pending in landing", found.landed)
    pending = [
        f"{table}: {len(partitions):,} ({partitions[0]} .. {partitions[-1]})"
        for table, partitions in found.pending.items()
    ]
    section(console, "pending partitions", pending)
    section(console, "held", found.held)
    section(console, "rejected", found.rejected)
    section(console, "failed", failed)
    if found.waiting:
        section(console, "waiting", found.waiting)
    if found.unfilled:
        section(console, "without values of a required column", found.unfilled)
    if found.pinned:
        section(console, "pinned", found.pinned)
    if found.erasing:
        section(console, "erasures not finished", found.erasing)


def plan(console: Console, steps: list[Step]) -> None:
    """Print what would be computed, evolved or refused."""
    if not steps:
        console.print("Nothing would be rebuilt: every table follows its declaration.")
    for step in steps:
        rows = f", {step.rows:,} bronze rows" if step.rows else ""
        span = f" ({step.partitions[0]} .. {step.partitions[-1]}{rows})" if step.partitions else ""
        console.print(f"[bold]{step.table}[/bold]: {len(step.partitions):,} partitions{span}", highlight=False)
        for name, change in step.schema.items():
            what = "would be added" if change == "new" else "would be rewritten with a wider type"
            console.print(f"  column {name} {what}", highlight=False)
        if step.objects:
            console.print(f"  {step.objects:,} landed objects would be read anew first", highlight=False)
        if step.gone:
            gone = f"  {step.gone:,} landed objects are gone and stay as they were read; land them again to change that"
            console.print(gone, highlight=False)
        if step.refusal:
            console.print(f"  refused: {escape(step.refusal)}", soft_wrap=True, highlight=False)


def broken(console: Console, found: Sequence[Broken]) -> None:
    """Print what is declared and cannot be used."""
    if found:
        section(console, "not loaded", [str(one) for one in found])


def section(console: Console, title: str, lines: list[str]) -> None:
    """Print a heading and its lines, or that there are none."""
    console.print(f"[bold]{title}:[/bold] {len(lines) or 'none'}")
    for line in lines[:_SHOWN]:
        console.print(f"  {escape(line)}", soft_wrap=True, highlight=False)
    if len(lines) > _SHOWN:
        console.print(f"  and {len(lines) - _SHOWN:,} more")


@contextmanager
def progress_bars(console: Console) -> Iterator[tuple[Callable[[str, int], None], Callable[[str, int], None]]]:
    """Show a bar per table while the block runs; give the functions that announce work and advance it."""
    bars = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
    )
    tasks: dict[str, TaskID] = {}

    def announce(table: str, total: int) -> None:
        if table in tasks:
            before = bars.tasks[tasks[table]].total or 0
            bars.update(tasks[table], total=before + total)
        else:
            tasks[table] = bars.add_task(table.replace("/", "."), total=total)

    def advance(table: str, steps: int) -> None:
        if table in tasks:
            bars.advance(tasks[table], steps)

    with bars:
        yield announce, advance
