"""The command `lakehouse`: one thin function per subcommand; the work is done elsewhere.

Results go to standard output, everything else to standard error. An error that a person can cause is one line.
"""

import datetime as dt
import os
import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from typer.exceptions import TyperException

import lakehouse_assets
from lakehouse_assets.cli import decide, maintain, restore
from lakehouse_assets.cli.drop import drop
from lakehouse_assets.cli.forget import forget
from lakehouse_assets.context import Lake, current
from lakehouse_assets.contracts.declare import ContractError
from lakehouse_assets.decisions.kinds import DecisionError
from lakehouse_assets.settings import SettingsError, settings
from lakehouse_assets.storage.delta_types import SchemaMismatchError
from lakehouse_assets.storage.stores import StorageError

app = typer.Typer(
    no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False, help=__doc__.splitlines()[0]
)
app.add_typer(decide.quarantine, name="quarantine")
for verb in (
    decide.release,
    decide.accept,
    decide.retract,
    restore.restore,
    restore.revoke,
    maintain.maintain,
    maintain.history,
    forget,
    drop,
):
    app.command()(verb)
_DATE = "%Y-%m-%d"
out, err = Console(), Console(stderr=True)


class Format(StrEnum):
    """How `query` writes its answer."""

    table = "table"
    json = "json"
    csv = "csv"


@app.command()
def land(
    feed: Annotated[str, typer.Argument(help="Name of the feed.")],
    paths: Annotated[list[Path], typer.Argument(help="Files, or folders of files.")],
) -> None:
    """Put files into a feed's landing, atomically, and print their keys."""
    from lakehouse_assets.sources.landing import files_of  # noqa: PLC0415
    from lakehouse_assets.sources.landing import land as put  # noqa: PLC0415

    lake = current()
    declared = lake.registry.feed(feed)
    found = [pair for path in paths for pair in files_of(path)]
    keys = [key for key, _ in found]
    if repeated := next((key for key in keys if keys.count(key) > 1), None) if len(set(keys)) < len(keys) else None:
        message = f"two of the files have the key {repeated!r}. Nothing was landed; land their common folder instead."
        raise StorageError(message)
    for key, file in found:
        landed = put(lake, declared, key, file)
        note = {"new": "", "resend": "  (resend)", "known": "  (known, unchanged)"}[landed.outcome]
        typer.echo(f"{landed.key}{note}")


@app.command()
def run(
    tables: Annotated[
        list[str] | None,
        typer.Argument(
            help="Tables to make anew first, pending or not: bronze from landing, silver and gold from their inputs."
        ),
    ] = None,
    first: Annotated[dt.datetime | None, typer.Option("--from", formats=[_DATE], help="Their first date.")] = None,
    last: Annotated[dt.datetime | None, typer.Option("--to", formats=[_DATE], help="Their last date.")] = None,
) -> None:
    """Process all that is pending, through gold and the catalog, until nothing is left."""
    from lakehouse_assets.operations.computing import again  # noqa: PLC0415

    if (first or last) and not tables:
        raise typer.BadParameter("--from and --to are of the tables to compute again: name them. Nothing was done.")
    lake = current()
    chosen = again(lake, tables or [], first.date() if first else None, last.date() if last else None)
    raise typer.Exit(run_lake(lake, chosen))


def run_lake(lake: Lake, force: Mapping[str, list[str]] | None = None) -> int:
    """Run everything pending with progress and a summary; return the exit code.

    Args:
        force: Partitions by table path that are computed first, whether or not they are pending.
    """
    # Dagster and the declared assets take a second to import, which the other commands do not need.
    from lakehouse_assets.cli import render  # noqa: PLC0415
    from lakehouse_assets.contracts.loading import declared  # noqa: PLC0415
    from lakehouse_assets.orchestration.instance import close_dead_runs, opened  # noqa: PLC0415
    from lakehouse_assets.orchestration.location import broken_in, definitions  # noqa: PLC0415
    from lakehouse_assets.orchestration.pending_runs import REFRESH  # noqa: PLC0415
    from lakehouse_assets.orchestration.runner import run_pending  # noqa: PLC0415
    from lakehouse_assets.query.drift import drifted  # noqa: PLC0415
    from lakehouse_assets.query.overview import decided_in, sizes  # noqa: PLC0415

    with opened(lake.settings) as instance, render.progress_bars(err) as (announce, advance):
        for run_id in close_dead_runs(instance):
            err.print(f"closed run {run_id}: its process is dead; its pending work is done now")
        report = run_pending(lake, definitions(lake).resolve_job_def(REFRESH), instance, announce, advance, force)
    broken = broken_in(lake, declared(lake.settings.definitions, only_tables=False))
    if not report.run_ids:
        out.print("Nothing is pending: every table is up to date." if not broken else "Nothing else is pending.")
        render.broken(out, broken)
        return 1 if broken else 0
    held, rejected = decided_in(lake, report.run_ids)
    render.summary(out, sizes(lake))
    told = {
        "held by the gate": held,
        "rejected": rejected,
        "failed": report.failures,
        "schema drift": drifted(lake, report.run_ids),
    }
    for title, lines in told.items():
        if lines:
            render.section(out, title, lines)
    render.broken(out, broken)
    return 1 if held or rejected or report.failures or broken else 0


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help="DuckDB SQL over bronze.*, silver.*, quarantine.*, gold.*, ops.*.")],
    form: Annotated[Format, typer.Option("--format", help="How to write the answer.")] = Format.table,
    at: Annotated[
        str | None, typer.Option(help="A moment in the past, ISO 8601; UTC unless it says otherwise.")
    ] = None,
    unsafe: Annotated[
        bool,
        typer.Option(
            "--unsafe",
            help="Let the SQL be several statements, read and write files, attach databases, change settings.",
        ),
    ] = False,
) -> None:
    """Run SQL over all tables, read-only; standard output holds only the result."""
    from lakehouse_assets.query import sql as answers  # noqa: PLC0415

    answer = answers.run(current(), sql, restore.moment(at) if at is not None else None, unsafe=unsafe)
    write = {Format.table: answers.as_table, Format.json: answers.as_json, Format.csv: answers.as_csv}[form]
    typer.echo(write(answer))


@app.command()
def tables() -> None:
    """List the tables with rows, dates, size and last update."""
    from lakehouse_assets.cli import render  # noqa: PLC0415
    from lakehouse_assets.query.overview import sizes  # noqa: PLC0415

    render.tables(out, sizes(current()))


@app.command()
def status() -> None:
    """Say what is pending, held, rejected and failed."""
    from lakehouse_assets.cli import render  # noqa: PLC0415
    from lakehouse_assets.maintenance import retired  # noqa: PLC0415
    from lakehouse_assets.query.overview import status as read  # noqa: PLC0415

    lake = current()
    found = read(lake)
    failed: list[str] = []
    if not found.is_idle and (lake.settings.dagster_home / "dagster.yaml").exists():
        from lakehouse_assets.orchestration.failures import of_pending_work  # noqa: PLC0415

        failed = of_pending_work(lake)
    render.status(out, found, failed)
    render.retired(out, retired.find(lake))
    render.broken(out, lake.registry.broken)
    raise typer.Exit(1 if lake.registry.broken else 0)


@app.command()
def plan() -> None:
    """Show what the present declarations would rebuild, evolve or refuse. Nothing is written."""
    from lakehouse_assets.cli import render  # noqa: PLC0415
    from lakehouse_assets.contracts.loading import declared  # noqa: PLC0415
    from lakehouse_assets.maintenance import retired  # noqa: PLC0415
    from lakehouse_assets.orchestration.location import broken_in  # noqa: PLC0415
    from lakehouse_assets.query.plan import plan as steps  # noqa: PLC0415
    from lakehouse_assets.query.plan import seconds  # noqa: PLC0415

    lake = current()
    found = steps(lake)
    render.plan(out, found, seconds(found))
    render.retired(out, retired.find(lake))
    broken = broken_in(lake, declared(lake.settings.definitions, only_tables=False))
    render.broken(out, broken)
    raise typer.Exit(1 if broken or any(step.refusal for step in found) else 0)


@app.command()
def verify(
    *,
    deep: Annotated[bool, typer.Option("--deep", help="Read every landed original again, not only a sample.")] = False,
) -> None:
    """Derive the promises again from what is stored; exit code 1 if anything disagrees."""
    from lakehouse_assets.cli import render  # noqa: PLC0415
    from lakehouse_assets.query.verify import verify as check  # noqa: PLC0415

    found = [str(finding) for finding in check(current(), deep=deep)]
    render.section(out, "disagreements", found)
    raise typer.Exit(1 if found else 0)


@app.command()
def discover(
    paths: Annotated[list[Path], typer.Argument(help="Files of records, or folders of them; a sample is looked at.")],
    feed: Annotated[str | None, typer.Option(help="Name for the feed; by default, that of the first path.")] = None,
) -> None:
    """Look at unknown files and print a draft contract module for them."""
    from lakehouse_assets.parsing.discover import draft  # noqa: PLC0415

    typer.echo(draft(paths, feed, settings().max_source_bytes))


@app.command()
def dictionary() -> None:
    """Print the data dictionary, generated from the contracts, as Markdown."""
    from lakehouse_assets.contracts.registry import registry  # noqa: PLC0415
    from lakehouse_assets.query.dictionary import as_markdown  # noqa: PLC0415

    typer.echo(as_markdown(registry()))


@app.command()
def demo(
    days: Annotated[int, typer.Option(min=1, help="Business days that the simulated retailer has sold on.")] = 60,
) -> None:
    """Land a simulated retailer's daily drops, run the lake, and ask three questions."""
    from lakehouse_assets.cli.demo import drops, questions  # noqa: PLC0415
    from lakehouse_assets.query import sql as answers  # noqa: PLC0415

    lake = current()
    feed = lake.registry.feed("sales")
    landed = [path for path, data in drops(days, lake.today(feed)) if _land_bytes(lake, f"{feed.landing}/{path}", data)]
    out.print(f"The retailer landed {len(landed)} new drops in {lake.store.uri(feed.landing)}.")
    code = run_lake(lake)
    for title, sql in questions():
        out.print(f"\n[bold]{title}[/bold]")
        typer.echo(sql)
        typer.echo(answers.as_table(answers.run(lake, sql)))
    raise typer.Exit(code)


def _land_bytes(lake: Lake, path: str, data: bytes) -> bool:
    if (known := lake.store.stat(path)) and known.size == len(data) and lake.store.read(path) == data:
        return False
    lake.store.replace(path, data)
    return True


@app.command()
def dev(port: Annotated[int, typer.Option(help="Port of the UI.")] = 3000) -> None:
    """Start `dagster dev` on this lake: the UI, the sensors and the schedules."""
    from lakehouse_assets.orchestration.instance import prepare_home  # noqa: PLC0415

    prepare_home(settings())
    workspace = Path(lakehouse_assets.__file__).with_name("workspace.yaml")
    command = [sys.executable, "-m", "dagster", "dev", "-w", str(workspace), "-p", str(port)]
    os.execv(sys.executable, command)  # noqa: S606 - no shell wanted


def main() -> None:
    """Run the command line; tell expected errors in one line, exit code 1."""
    from lakehouse_assets.parsing.archives import Rejection  # noqa: PLC0415
    from lakehouse_assets.query.sql import QueryError  # noqa: PLC0415

    own = (SettingsError, ContractError, DecisionError, StorageError, SchemaMismatchError)
    expected = (*own, QueryError, Rejection, FileNotFoundError)
    try:
        sys.exit(app(standalone_mode=False))
    except TyperException as error:
        if message := error.format_message():
            err.print(f"lakehouse: {message}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(error.exit_code)
    except expected as error:
        err.print(f"lakehouse: {error}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(1)
    except (typer.Abort, KeyboardInterrupt):
        err.print("lakehouse: interrupted; what was committed stands, the rest is still pending")
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(1)
