"""The command that removes what no module declares any more: `lakehouse drop`."""

from typing import Annotated

import typer

from lakehouse_assets.cli.decide import DryRun
from lakehouse_assets.context import current
from lakehouse_assets.contracts.declare import ContractError
from lakehouse_assets.maintenance import retired
from lakehouse_assets.query import sql as answers


def drop(
    name: Annotated[str, typer.Argument(help="A retired feed, or a retired table such as gold.daily_sales.")],
    confirm: Annotated[str | None, typer.Option(help="The name once more: without it nothing is removed.")] = None,
    landing: Annotated[
        bool, typer.Option("--landing", help="Remove a feed's landed objects and decisions, too.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Remove the tables of a feed or model that no module declares any more, for good."""
    lake = current()
    found = retired.named(lake, name)
    is_done = not dry_run and confirm == name
    if not (dry_run or is_done) and confirm is not None:
        message = f"--confirm says {confirm!r} and the name is {name!r}. Nothing was removed."
        raise ContractError(message)
    steps = list(retired.drop(lake, found, landing=landing, dry_run=not is_done))
    rows = [(step.place, step.what, step.count, step.bytes or None) for step in steps]
    typer.echo(answers.as_table(answers.Answer(["place", "what", "count", "bytes"], rows)))
    if found.landing and not landing:
        typer.echo(f"{found.landing} and the decisions stay: with a declaration `lakehouse run` makes the tables anew.")
    if dry_run:
        typer.echo("Dry run: nothing was removed.")
    elif is_done:
        past = " Earlier versions of ops tables go with `lakehouse maintain`, seven days from now."
        typer.echo(f"Removed.{past * found.is_feed}")
    else:
        typer.echo(f"Nothing was removed. To remove all of this for good: add --confirm {name}")
        raise typer.Exit(1)
