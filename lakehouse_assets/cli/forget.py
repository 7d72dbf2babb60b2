"""The command that erases a person: `lakehouse forget`. No confirmation prompt: look first with `--dry-run`."""

from functools import partial
from typing import Annotated

import typer
from rich.console import Console

from lakehouse_assets.cli.decide import DryRun, FeedName, Who
from lakehouse_assets.cli.running import run_lake
from lakehouse_assets.context import Lake, current
from lakehouse_assets.forgetting import service
from lakehouse_assets.forgetting.found import Found
from lakehouse_assets.forgetting.request import Request, ask
from lakehouse_assets.query import sql as answers
from lakehouse_assets.serving.posts import not_landed

err = Console(stderr=True)


def forget(
    feed: FeedName,
    person: Annotated[str, typer.Argument(metavar="KEY=VALUE", help="Whom, such as customer_id=17850.")],
    why: Annotated[str, typer.Option(help="The reason; it is kept.")] = "asked to be forgotten",
    who: Who = None,
    any_column: Annotated[
        bool, typer.Option("--any-column", help="Take a KEY that is not declared as personal, too.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Erase a person from landing, every table, every earlier version and Dagster's storage, for good."""
    lake = current()
    request = ask(lake, lake.registry.feed(feed), person, why, who, any_column=any_column, hypothetical=dry_run)
    search = partial(_forget_elsewhere, lake, request, dry_run=dry_run)
    if dry_run:
        found = service.look(request, search)
    else:
        found = service.forget(request, lambda: run_lake(lake), search, lambda what: err.print(f"erasing from {what}"))
    _show(request, found)
    if dry_run:
        for one in found.unsearched:
            typer.echo(f"not searched: {one}")
        typer.echo("Dry run: nothing was erased.")
    elif found.problems:
        typer.echo("Not finished:")
        for problem in found.problems:
            typer.echo(f"  {problem}")
        typer.echo("Repair or remove these, and run the command again: what was done stands.")
        raise typer.Exit(1)
    else:
        done = "Forgotten. What was erased where" if found.counts else "The request stands. What was searched"
        typer.echo(f"{done}, without the value: {lake.store.uri(str(found.report))}")


def _show(request: Request, found: Found) -> None:
    rows = [(place, what, count) for (place, what), count in found.counts.items()]
    if rows:
        typer.echo(answers.as_table(answers.Answer(["place", "what", "count"], rows)))
        return
    about = f"{request.erasures.feed.name} has this {request.decision.column}"
    typer.echo(f"No record of {about}: no table and no version changes.")
    typer.echo("The request applies to files that land later: records with the value are taken out of them.")


def _forget_elsewhere(lake: Lake, request: Request, found: Found, *, dry_run: bool) -> None:
    _forget_in_dagster(lake, request, found, dry_run=dry_run)
    waiting, damaged = not_landed(lake, request.erasures.feed.name)
    found.unsearched += [f"{path}: posts that the disk damaged; remove it." for path in damaged]
    if waiting:
        typer.echo(
            f"{waiting[0].parent} has posts that have not landed, and were not searched. They land while `lakehouse "
            "serve` runs, and records with the value are taken out of them then."
        )


def _forget_in_dagster(lake: Lake, request: Request, found: Found, *, dry_run: bool) -> None:
    from lakehouse_assets.orchestration import instance_search  # noqa: PLC0415 - it imports Dagster

    done = instance_search.forget(lake.settings, request.holds, dry_run=dry_run)
    found.add("Dagster", "runs", len(done.runs))
    found.add("Dagster", "ticks", done.ticks)
    found.unsearched += done.left
    verb = "would be deleted" if dry_run else "was deleted"
    for run_id in done.runs:
        typer.echo(f"Dagster's run {run_id} held the value and {verb}.")
    for key in sorted(done.wiped):
        typer.echo(f"A check of {'.'.join(key.path)} held the value: the asset's history in Dagster {verb}.")
