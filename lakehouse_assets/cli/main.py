"""The command `lakehouse`: one thin function per subcommand; the work is done elsewhere.

Results go to standard output, everything else to standard error. An error that a person can cause is one line.
"""

import datetime as dt
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from typer.exceptions import TyperException

from lakehouse_assets.cli import decide, look, maintain, restore
from lakehouse_assets.cli.catalog import catalog
from lakehouse_assets.cli.demo import demo, dev
from lakehouse_assets.cli.drop import drop
from lakehouse_assets.cli.errors import errors
from lakehouse_assets.cli.extract import extract
from lakehouse_assets.cli.forecast import forecast
from lakehouse_assets.cli.forget import forget
from lakehouse_assets.cli.report import report
from lakehouse_assets.cli.running import run_lake
from lakehouse_assets.cli.serve import serve
from lakehouse_assets.context import current
from lakehouse_assets.contracts.declare import ContractError
from lakehouse_assets.decisions.kinds import DecisionError
from lakehouse_assets.settings import SettingsError, misspelt
from lakehouse_assets.storage.delta_types import SchemaMismatchError
from lakehouse_assets.storage.stores import StorageError

app = typer.Typer(
    no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False, help=__doc__.splitlines()[0]
)
app.add_typer(decide.quarantine, name="quarantine")
_DATE = "%Y-%m-%d"
out, err = Console(), Console(stderr=True)


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
    from lakehouse_assets.operations.computing import partitions_to_force  # noqa: PLC0415

    if (first or last) and not tables:
        raise typer.BadParameter("--from and --to are of the tables to compute again: name them. Nothing was done.")
    lake = current()
    chosen = partitions_to_force(lake, tables or [], first.date() if first else None, last.date() if last else None)
    raise typer.Exit(run_lake(lake, chosen))


for verb in (
    land,
    extract,
    run,
    look.discover,
    look.plan,
    look.status,
    errors,
    look.tables,
    look.query,
    look.verify,
    look.dictionary,
    forecast,
    report,
    catalog,
    decide.release,
    decide.accept,
    decide.retract,
    restore.restore,
    restore.revoke,
    maintain.history,
    maintain.maintain,
    forget,
    drop,
    serve,
    demo,
    dev,
):
    app.command()(verb)


def main() -> None:
    """Run the command line; tell expected errors in one line, exit code 1."""
    from lakehouse_assets.extraction.paging import ExtractionError  # noqa: PLC0415
    from lakehouse_assets.parsing.archives import Rejection  # noqa: PLC0415
    from lakehouse_assets.query.sql import QueryError  # noqa: PLC0415

    own = (SettingsError, ContractError, DecisionError, StorageError, SchemaMismatchError)
    expected = (*own, ExtractionError, QueryError, Rejection, FileNotFoundError)
    for line in misspelt():
        err.print(f"lakehouse: {line}", markup=False, highlight=False, soft_wrap=True)
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
