"""The commands `lakehouse restore`, which pins dates to an earlier version, and `lakehouse revoke`."""

import datetime as dt
from collections.abc import Iterable
from typing import Annotated

import typer

from lakehouse_assets.cli.decide import DryRun, Who, Why
from lakehouse_assets.cli.running import run_lake
from lakehouse_assets.context import current
from lakehouse_assets.decisions import recorded
from lakehouse_assets.decisions.kinds import DecisionError
from lakehouse_assets.operations import decision_commands
from lakehouse_assets.pipeline.pins import pin
from lakehouse_assets.storage import delta


def restore(
    table: Annotated[str, typer.Argument(help="A silver or gold table, such as gold.daily_sales.")],
    why: Why,
    version: Annotated[int | None, typer.Option(min=0, help="Version to restore; see `lakehouse history`.")] = None,
    at: Annotated[str | None, typer.Option(help="Or the moment to restore, ISO 8601.")] = None,
    who: Who = None,
    dry_run: DryRun = False,
) -> None:
    """Restore a table to an earlier version and pin the dates that differ, until the decision is revoked."""
    lake = current()
    declared = lake.registry.table(table)
    if declared.layer not in {"silver", "gold"} or (version is None) == (at is None):
        message = "restore takes a silver or gold table, and either --version or --at. Nothing was decided."
        raise DecisionError(message)
    if (feed := next((feed for feed in lake.registry.feeds.values() if feed.history == declared), None)) is not None:
        message = (
            f"{table} is not restored by itself. Nothing was decided; restore {feed.silver.full_name}, and the buckets "
            "that go back keep the history that they have."
        )
        raise DecisionError(message)
    target = version if version is not None else moment(at or "")
    published = delta.fingerprints(lake.store, declared.path)
    decision = pin(lake, declared, target, list(published), published, why, who)
    typer.echo(f"{table}: back to version {decision.version}: {_some(decision.pins)}")
    if dry_run:
        typer.echo("Dry run: nothing was recorded.")
        return
    recorded.record(lake.store, decision)
    typer.echo(f"Recorded pin {decision.id}. `lakehouse revoke {decision.feed} {decision.id}` takes it back.")
    raise typer.Exit(run_lake(lake))


def _some(partitions: Iterable[str]) -> str:
    named = sorted(partitions)
    return ", ".join(named[:5]) + (f" and {len(named) - 5} more" if len(named) > 5 else "")  # noqa: PLR2004


def moment(text: str) -> dt.datetime:
    """Return a moment from ISO 8601 text, UTC unless it says otherwise. Raises `DecisionError`."""
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        message = f"{text!r} is not a point in time; write it as 2026-11-20T06:30 or 2026-11-20 06:30:00+01:00."
        raise DecisionError(message) from None
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)


def revoke(
    feed: Annotated[str, typer.Argument(help="Feed, or gold table, that the decision is about.")],
    decision: str,
    why: Why,
    who: Who = None,
    dry_run: DryRun = False,
) -> None:
    """Take a decision back; see ops.decisions for its id."""
    lake = current()
    taken = decision_commands.revoke(lake, feed, decision, why, who)
    if not dry_run:
        recorded.record(lake.store, taken)
    typer.echo(
        "Dry run: nothing was recorded."
        if dry_run
        else f"Recorded {taken.kind} {taken.id}. It takes effect with the next run."
    )
