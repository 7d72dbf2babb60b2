"""The commands that only read: queries, what there is, what is pending, what a change would do, what disagrees."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from lakehouse_assets.cli import restore
from lakehouse_assets.context import current
from lakehouse_assets.settings import settings

_OUT = Console()


class Format(StrEnum):
    """How `query` writes its answer."""

    table = "table"
    json = "json"
    csv = "csv"


class Engine(StrEnum):
    """Where `query` runs its SQL."""

    duckdb = "duckdb"
    athena = "athena"


def query(
    sql: Annotated[str, typer.Argument(help="DuckDB SQL over bronze.*, silver.*, quarantine.*, gold.*, ops.*.")],
    engine: Annotated[Engine, typer.Option(help="Where to run it; for athena, the SQL is Athena's.")] = Engine.duckdb,
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

    if engine is Engine.athena:
        from lakehouse_assets.query import athena  # noqa: PLC0415

        if at is not None or unsafe:
            message = "--at and --unsafe are for DuckDB: Athena reads the present tables. Nothing was run."
            raise typer.BadParameter(message)
        answer = athena.run(current(), sql)
    else:
        answer = answers.run(current(), sql, restore.moment(at) if at is not None else None, unsafe=unsafe)
    write = {Format.table: answers.as_table, Format.json: answers.as_json, Format.csv: answers.as_csv}[form]
    typer.echo(write(answer))


def tables() -> None:
    """List the tables with rows, dates, size and last update."""
    from lakehouse_assets.cli import render  # noqa: PLC0415
    from lakehouse_assets.query.overview import sizes  # noqa: PLC0415

    render.tables(_OUT, sizes(current()))


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
    render.status(_OUT, found, failed)
    render.retired(_OUT, retired.find(lake))
    render.broken(_OUT, lake.registry.broken)
    raise typer.Exit(1 if lake.registry.broken else 0)


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
    render.plan(_OUT, found, seconds(found))
    render.retired(_OUT, retired.find(lake))
    broken = broken_in(lake, declared(lake.settings.definitions, only_tables=False))
    render.broken(_OUT, broken)
    raise typer.Exit(1 if broken or any(step.refusal for step in found) else 0)


def verify(
    *,
    deep: Annotated[bool, typer.Option("--deep", help="Read every landed original again, not only a sample.")] = False,
) -> None:
    """Derive the promises again from what is stored; exit code 1 if anything disagrees."""
    from lakehouse_assets.cli import render  # noqa: PLC0415
    from lakehouse_assets.query.verify import verify as check  # noqa: PLC0415

    found = [str(finding) for finding in check(current(), deep=deep)]
    render.section(_OUT, "disagreements", found)
    raise typer.Exit(1 if found else 0)


def discover(
    paths: Annotated[list[Path], typer.Argument(help="Files of records, or folders of them; a sample is looked at.")],
    feed: Annotated[str | None, typer.Option(help="Name for the feed; by default, that of the first path.")] = None,
) -> None:
    """Look at unknown files and print a draft contract module for them."""
    from lakehouse_assets.parsing.discover import draft  # noqa: PLC0415

    typer.echo(draft(paths, feed, settings().max_source_bytes))


def dictionary() -> None:
    """Print the data dictionary, generated from the contracts, as Markdown."""
    from lakehouse_assets.contracts.registry import registry  # noqa: PLC0415
    from lakehouse_assets.query.dictionary import as_markdown  # noqa: PLC0415

    typer.echo(as_markdown(registry()))
