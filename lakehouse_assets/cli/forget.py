"""The command that erases a person: `lakehouse forget`. No confirmation prompt: look first with `--dry-run`."""

from typing import Annotated

import typer
from rich.console import Console

from lakehouse_assets.cli.decide import DryRun, FeedName, Who
from lakehouse_assets.context import Lake, current
from lakehouse_assets.decisions.kinds import DecisionError
from lakehouse_assets.erasure import evidence
from lakehouse_assets.erasure.evidence import Erasures
from lakehouse_assets.forgetting import steps, tables
from lakehouse_assets.forgetting.decisions import downstream
from lakehouse_assets.forgetting.steps import Found, Request
from lakehouse_assets.query import sql as answers
from lakehouse_assets.query.overview import status

out, err = Console(), Console(stderr=True)


def forget(
    feed: FeedName,
    person: Annotated[str, typer.Argument(metavar="KEY=VALUE", help="Whom, such as customer_id=17850.")],
    why: Annotated[str, typer.Option(help="The reason; it is kept.")] = "asked to be forgotten",
    who: Who = None,
    dry_run: DryRun = False,
) -> None:
    """Erase a person from landing, every table, every earlier version and Dagster's storage, for good."""
    from lakehouse_assets.cli.main import run_lake  # noqa: PLC0415 - it imports Dagster

    column, sign, value = person.partition("=")
    if not sign:
        message = f"{person!r} is not of the form KEY=VALUE, such as customer_id=17850. Nothing was erased."
        raise DecisionError(message)
    lake = current()
    request = steps.ask(lake, lake.registry.feed(feed), column, value, why, who, hypothetical=dry_run)
    if dry_run:
        found = steps.look(lake, request)
        _forget_in_dagster(lake, request, found, dry_run=True)
        _show(found)
        for one in found.unsearched:
            typer.echo(f"not searched: {one}")
        typer.echo("Dry run: nothing was erased.")
        return
    found = steps.erase_inputs(lake, request, lambda step: err.print(f"erasing from {step}"))
    run_lake(lake)
    taken = tables.take_out(lake, request.feed, Erasures.load(lake.store, feed))
    for table, rows in taken.items():
        found.add(table, "records of held or pinned dates", rows)
    if taken:
        run_lake(lake)
    err.print("erasing from earlier versions and Dagster")
    steps.erase_past(lake, request, found)
    _forget_in_dagster(lake, request, found, dry_run=False)
    _show(found)
    _finish(lake, request, found)


def _finish(lake: Lake, request: Request, found: Found) -> None:
    """Keep the report if everything is done; else say what is not, and exit with 1."""
    problems = steps.left(lake, request)
    follows = {request.feed.silver.full_name, *(model.table.full_name for model in downstream(lake, request.feed))}
    pending = {table: partitions for table, partitions in status(lake).pending.items() if table in follows}
    problems += [f"{table}: {len(partitions):,} partitions are pending" for table, partitions in pending.items()]
    problems += [f"not searched: {one}" for one in found.unsearched]
    if problems:
        typer.echo("Not finished:")
        for problem in problems:
            typer.echo(f"  {problem}")
        typer.echo("Mend or remove these, and ask again: what was done stands.")
        raise typer.Exit(1)
    decision = request.decision
    report = {
        "feed": decision.feed,
        "column": decision.column,
        "digest": decision.digest,
        "who": decision.who,
        "why": decision.why,
        "decided_at": decision.at,
        "counts": [{"place": place, "what": what, "count": n} for (place, what), n in found.counts.items()],
        "landed": [{"key": key, "before": before, "after": after} for key, before, after in found.objects],
    }
    path = evidence.finish(lake.store, decision.feed, decision.id, report)
    typer.echo(f"Forgotten. What was erased where, without the value: {lake.store.uri(path)}")


def _show(found: Found) -> None:
    rows = [(place, what, count) for (place, what), count in found.counts.items()]
    typer.echo(
        answers.as_table(answers.Answer(["place", "what", "count"], rows)) if rows else "Nothing of them is there."
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
