"""How the command line shows the lake: tables, status, progress. Not here: what is shown."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich import box
from rich.console import Console
from rich.filesize import decimal as filesize
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from lakehouse_assets.alerts.facts import IN_WORDS, Kind
from lakehouse_assets.alerts.problems import Problem
from lakehouse_assets.contracts.broken import Broken
from lakehouse_assets.contracts.wording import counted, in_words
from lakehouse_assets.maintenance.retired import Retired
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
    """Print what is pending and what needs a person, each with its reason; of the rest, nothing."""
    pending = [f"{table}: {in_words(partitions)}" for table, partitions in found.pending.items()]
    sections = {
        "pending in landing": found.landed,
        "pending": pending,
        "held": found.held,
        "rejected": found.rejected,
        "failed": failed,
        "missing at the daily close": found.missing,
        "not fresh": found.stale,
        "waiting": found.waiting,
        "without values of a required column": found.unfilled,
        "in quarantine, and published before the contract changed": found.vanished,
        "schema drift": found.drifted,
        "ids on several dates": found.repeated,
        "late: ingested after the daily close": found.late,
        "pinned": found.pinned,
        "erasures not finished": found.erasing,
    }
    for title, lines in sections.items():
        if lines:
            section(console, title, lines)
    if not any(sections.values()):
        console.print("Nothing is pending, held, rejected or failed.")


def problems(console: Console, found: Sequence[Problem]) -> None:
    """Print what the error log has, newest first: id, what, how often, since when; then why and what to type."""
    for one in found:
        dates = f" {one.dates[0]}" if len(one.dates) == 1 else f" {one.dates[0]} and others" if one.dates else ""
        often = "once" if one.count == 1 else f"{one.count:,} times"
        over = f", resolved by {one.resolved_by}" if not one.is_open else ""
        again = ", again after it was resolved" if one.is_open and one.returned else ""
        first, last = (text[:16].replace("T", " ") for text in (one.first_seen, one.last_seen))
        when = f"first {first}, last {last} UTC"
        what = IN_WORDS[Kind(one.kind)] + (f" ({one.error})" if one.error else "")
        console.print(
            f"[bold]{one.id}[/bold]  {escape(one.asset + dates)}: {what}, {often}, {when}{again}{over}",
            soft_wrap=True,
            highlight=False,
        )
        for line in (*one.cause.splitlines(), *([f"next: {one.command}"] if one.is_open and one.command else [])):
            console.print(f"  {escape(line)}", soft_wrap=True, highlight=False)
    if not found:
        console.print("No errors: nothing is known to have gone wrong that is not over.")


def plan(console: Console, steps: list[Step], seconds: float) -> None:
    """Print what would be read, computed, evolved or refused, and how long it may take."""
    if not steps:
        console.print("Nothing would be rebuilt: every table follows its declaration.")
        return
    for step in steps:
        rows = f", {counted(step.rows, 'row')} in bronze" if step.rows else ""
        what = f": {in_words(step.partitions)}{rows}" if step.partitions else ""
        console.print(f"[bold]{step.table}[/bold]{what}", highlight=False)
        for line in _lines(step):
            console.print(f"  {escape(line)}", soft_wrap=True, highlight=False)
    console.print(_in_all(steps, seconds), soft_wrap=True, highlight=False)


def _lines(step: Step) -> Iterator[str]:
    if step.refusal:
        yield f"refused: {step.refusal}"
    for name, change in step.schema.items():
        yield f"column {name} would be {'added' if change == 'new' else 'rewritten with a wider type'}"
    if step.new:
        yield f"{counted(step.new, 'landed object')} would be read first; which dates they touch is known then"
    if step.objects:
        yield f"{counted(step.objects, 'landed object')} would be read anew first ({counted(step.anew_rows, 'row')})"
    if step.bytes:
        yield f"{filesize(step.bytes)} would be read from landing"
    if step.gone:
        yield f"{counted(step.gone, 'landed object')} gone from landing would stay as read; land again to change that"
    yield from step.notes


def _in_all(steps: list[Step], seconds: float) -> str:
    work, refused = [step for step in steps if step.is_work], sum(step.refusal is not None for step in steps)
    read = sum(step.new + step.objects for step in work)
    feeds = sum(step.table.startswith("silver.") and bool(step.partitions) for step in work)
    built = sum(step.table.startswith("gold.") for step in work)
    parts = [f"{counted(read, 'landed object')} to read"] if read else []
    parts += [f"{counted(feeds, 'feed')} to publish"] if feeds else []
    parts += [f"{counted(built, 'gold table')} to build"] if built else []
    parts += [f"{counted(refused, 'table')} refused"] if refused else []
    time = f" About {max(round(seconds), 1):,} s: an estimate from bytes and rows." if work else ""
    return f"In all: {', '.join(parts) or 'columns to add'}.{time}"


def broken(console: Console, found: Sequence[Broken]) -> None:
    """Print what is declared and cannot be used."""
    if found:
        section(console, "not loaded", [str(one) for one in found])


def retired(console: Console, found: Sequence[Retired]) -> None:
    """Print what is stored and not declared, and the command that removes it."""
    if found:
        lines = [f"{one}; `lakehouse drop {one.name}` removes it" for one in found]
        section(console, "retired: no module declares these", lines)


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
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
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
