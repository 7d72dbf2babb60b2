"""The commands `lakehouse maintain` and `lakehouse history`."""

from typing import Annotated

import typer

from lakehouse_assets.context import current
from lakehouse_assets.maintenance.maintain import maintain as look_after
from lakehouse_assets.maintenance.policy import Policy, PolicyError
from lakehouse_assets.query import sql as answers
from lakehouse_assets.query.history import versions


def maintain(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")] = False,
    retention_hours: Annotated[
        int, typer.Option(min=0, help="Hours that the files of earlier versions stay readable.")
    ] = 168,
    below_seven_days: Annotated[
        bool, typer.Option("--below-seven-days-really", help="Confirm a retention of less than 168 hours.")
    ] = False,
    expire_rejected_days: Annotated[
        int | None, typer.Option(min=1, help="Remove the originals of objects rejected longer ago; default: never.")
    ] = None,
    expire_quarantine_days: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=36_500,
            help="Decide that quarantined rows whose business date is longer ago are not kept; default: never. "
            "Rows of held dates stay, and those without a date.",
        ),
    ] = None,
    pack_after_days: Annotated[
        int, typer.Option(min=0, help="Days after which the small bronze files of a date are packed.")
    ] = 3,
) -> None:
    """Compact, checkpoint and vacuum the tables, and remove what no table or ledger knows."""
    try:
        policy = Policy.asked_for(
            retention_hours,
            expire_rejected_days,
            expire_quarantine_days,
            below_seven_days=below_seven_days,
            pack_after_days=pack_after_days,
        )
    except PolicyError as error:
        raise typer.BadParameter(str(error)) from error
    actions = list(look_after(current(), policy, dry_run=dry_run))
    if not actions:
        typer.echo("Nothing to do: the tables are in good order.")
        return
    typer.echo("Dry run: nothing was changed. To do:" if dry_run else "Done:")
    rows = [(action.table, action.action, action.files, action.bytes) for action in actions]
    typer.echo(answers.as_table(answers.Answer(["table", "action", "files", "bytes"], rows)))
    if any(action.problem for action in actions):
        raise typer.Exit(1)


def history(
    table: Annotated[str, typer.Argument(help="A table, such as silver.sales.")],
    limit: Annotated[int, typer.Option(min=1, help="Versions to show.")] = 20,
) -> None:
    """Show the versions of a table, newest first; times are UTC."""
    rows = [
        (v.number, f"{v.at:%Y-%m-%d %H:%M:%S}", v.operation, v.summary, v.rows, v.bytes)
        for v in versions(current(), table, limit)
    ]
    names = ["version", "when", "operation", "partitions", "rows", "bytes"]
    typer.echo(answers.as_table(answers.Answer(names, rows)))
