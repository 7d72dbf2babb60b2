"""The command `forecast`: trains, evaluates and lands the forecast of sales now. Not here: the forecast."""

import datetime as dt
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from lakehouse_assets.context import current


def forecast(
    through: Annotated[
        dt.datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Last date to learn from; by default the last one that has ended."),
    ] = None,
) -> None:
    """Train on the sales in gold, compare with baselines, and land the forecast of the next 28 days."""
    from lakehouse_assets.forecast.delivery import deliver, evaluation_rows  # noqa: PLC0415

    done = deliver(current(), through.date() if through else None)
    titles, *rows = evaluation_rows(done.card)
    if rows:
        table = Table(*titles)
        for row in rows:
            table.add_row(*row)
        Console().print(table)
    typer.echo(done.message)
    if done.landed:
        typer.echo("`lakehouse run` takes it on, or the sensors of `lakehouse dev`.")
