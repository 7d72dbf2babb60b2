"""Commands for bad data: `lakehouse quarantine ...`, `release`, `accept`, `retract`.

Each command shows what it would change; with `--dry-run` it does nothing else. A recorded decision takes effect with
the next run.
"""

import datetime as dt
from typing import Annotated, Any

import polars as pl
import typer
from rich.console import Console

from lakehouse_assets.cli.running import run_lake
from lakehouse_assets.context import Lake, current
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.contracts.partitioning import UNDATED, as_bucket
from lakehouse_assets.decisions import recorded
from lakehouse_assets.decisions.kinds import Decision, DecisionError, Retract
from lakehouse_assets.operations import decision_commands
from lakehouse_assets.pipeline.accounting import scan_accounting
from lakehouse_assets.pipeline.pending import FeedState
from lakehouse_assets.pipeline.reading import read
from lakehouse_assets.query import sql as answers

quarantine = typer.Typer(no_args_is_help=True, help="Records that break their contract: see them, decide on them.")
out, err = Console(), Console(stderr=True)

FeedName = Annotated[str, typer.Argument(help="Name of the feed.")]
Key = Annotated[str, typer.Argument(help="Source key of the record, as `_source_key` shows it.")]
Line = Annotated[int, typer.Argument(help="Line of the record, as `_line` shows it.")]
Why = Annotated[str, typer.Option(help="The reason; it is kept.")]
Who = Annotated[str | None, typer.Option(help="Who decides; by default, who is logged in.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")]
RuleFilter = Annotated[str | None, typer.Option(help="Only records that break this rule.")]
DateFilter = Annotated[
    str | None, typer.Option(help="Only this business date, `undated`, or a bucket of a keyed feed (`bucket=07`).")
]
SourceFilter = Annotated[str | None, typer.Option(help="Only records of this source key.")]


@quarantine.command("list")
def list_(
    feed: Annotated[str | None, typer.Option(help="Only this feed.")] = None,
    rule: RuleFilter = None,
    date: DateFilter = None,
    source: SourceFilter = None,
    limit: Annotated[int, typer.Option(min=1)] = 50,
) -> None:
    """List quarantined records with the rules they break."""
    lake = current()
    feeds = lake.registry.feeds.values()
    # A rule belongs to some feeds; where none has it, the first one refuses it.
    chosen = [lake.registry.feed(feed)] if feed else [one for one in feeds if rule in {None, *one.rules}] or [*feeds]
    frames = [
        _rows(lake, one, rule, date, source).select(
            pl.lit(one.name).alias("feed"), pl.col("dt") if one.business_date else pl.lit(None, pl.Date).alias("dt"),
            "_source_key", "_line", pl.col("rules").list.join(", "),
        )
        for one in chosen
    ]  # fmt: skip
    found = pl.concat(frames).sort("feed", "dt", "_source_key", "_line", nulls_last=True)
    typer.echo(answers.as_table(answers.Answer(found.columns, found.head(limit).rows())))
    if found.height > limit:
        err.print(f"{found.height - limit:,} more; narrow the choice, or raise --limit")


@quarantine.command()
def show(
    feed: FeedName,
    key: Key,
    line: Line,
    personal: Annotated[bool, typer.Option("--personal", help="Show personal data, too.")] = False,
) -> None:
    """Show one record: its raw values beside the rules that it breaks."""
    lake = current()
    declared = lake.registry.feed(feed)
    record = decision_commands.find_record(lake, declared, key, line)
    effect = decision_commands.effect_on(lake, declared, record)
    corrected = effect.values if effect else {}
    record = record.with_columns(pl.lit(text, pl.String).alias(name) for name, text in corrected.items())
    reasons = decision_commands.broken_rules(lake, declared, record)
    broken = {rule: declared.rules[rule].text for rule in reasons if rule in declared.rules}
    rows = []
    for header, column in declared.bronze.columns.items():
        if header in record.columns and not (header.startswith("_") and record[header][0] is None):
            value = "(personal data)" if column.personal and not personal else record[header][0]
            names = [name for name, origin in declared.sources.items() if origin.headers[0] == header]
            told = "; ".join(f"{rule}: {text}" for rule, text in broken.items() if any(f"`{n}`" in text for n in names))
            rows.append((header, value, told))
    typer.echo(answers.as_table(answers.Answer(["field", "raw value", "breaks"], rows)))
    others = [f"{rule}: {text}" for rule, text in broken.items() if not any(rule in told for *_, told in rows)]
    for other in others or ([] if broken else ["the record is not in quarantine"]):
        typer.echo(f"breaks {other}" if broken else other)


@quarantine.command()
def correct(
    feed: FeedName,
    key: Key,
    line: Line,
    why: Why,
    values: Annotated[list[str], typer.Option("--set", help="FIELD=VALUE, repeatable; FIELD= for no value.")],
    who: Who = None,
    dry_run: DryRun = False,
) -> None:
    """Give a record other raw values; every later replay honours it."""
    if wrong := next((pair for pair in values if "=" not in pair), None):
        message = f"--set {wrong!r} is not of the form FIELD=VALUE. Nothing was decided."
        raise DecisionError(message)
    given = {name: value or None for name, _, value in (pair.partition("=") for pair in values)}
    lake = current()
    declared = lake.registry.feed(feed)
    _take(lake, declared, decision_commands.correct(lake, declared, key, line, given, why, who), dry_run=dry_run)


@quarantine.command()
def waive(
    feed: FeedName,
    key: Key,
    line: Line,
    why: Why,
    rule: Annotated[list[str], typer.Option(help="Rule to lift for this record, repeatable.")],
    who: Who = None,
    dry_run: DryRun = False,
) -> None:
    """Take a record as it is, in spite of some rules."""
    lake = current()
    declared = lake.registry.feed(feed)
    _take(lake, declared, decision_commands.waive(lake, declared, key, line, rule, why, who), dry_run=dry_run)


@quarantine.command()
def discard(feed: FeedName, key: Key, line: Line, why: Why, who: Who = None, dry_run: DryRun = False) -> None:
    """Take a record out for good: it is counted as discarded."""
    lake = current()
    declared = lake.registry.feed(feed)
    _take(lake, declared, decision_commands.discard(lake, declared, key, line, why, who), dry_run=dry_run)


@quarantine.command()
def replay(
    feed: FeedName,
    rule: RuleFilter = None,
    date: DateFilter = None,
    source: SourceFilter = None,
    dry_run: DryRun = False,
) -> None:
    """Compute the dates of the chosen quarantined records again, with the present contract and decisions."""
    lake = current()
    declared = lake.registry.feed(feed)
    chosen = _rows(lake, declared, rule, date, source)
    partitions = (
        chosen.select(declared.quarantine.partitioning.partition.alias("part"))["part"].unique().sort().to_list()
    )
    partitions = partitions if chosen.height else []
    if not partitions:
        typer.echo("No quarantined record is chosen; nothing to replay.")
        return
    _show_change(lake, declared, partitions, ())
    if not dry_run:
        raise typer.Exit(run_lake(lake, force={declared.silver.key: partitions}))


def release(feed: FeedName, date: str, why: Why, who: Who = None, dry_run: DryRun = False) -> None:
    """Publish a held date as it is now, whatever its quality score."""
    lake = current()
    declared = lake.registry.feed(feed)
    _take(lake, declared, decision_commands.release(lake, declared, date, why, who), dry_run=dry_run)


def accept(feed: FeedName, key: str, why: Why, who: Who = None, dry_run: DryRun = False) -> None:
    """Take a held object in spite of its manifest or its late dates."""
    lake = current()
    declared = lake.registry.feed(feed)
    _take(lake, declared, decision_commands.accept(lake, declared, key, why, who), dry_run=dry_run)


def retract(
    feed: FeedName,
    key: Annotated[str, typer.Argument(help="Key of the landed object, as `object_key` in ops.ledger shows it.")],
    why: Why,
    who: Who = None,
    dry_run: DryRun = False,
) -> None:
    """Take a landed object out of all tables: the version before it under its key, if any, counts again."""
    lake = current()
    declared = lake.registry.feed(feed)
    _take(lake, declared, decision_commands.retract(lake, declared, key, why, who), dry_run=dry_run)


def _rows(lake: Lake, feed: Feed, rule: str | None, date: str | None, source: str | None) -> pl.DataFrame:
    rows = read(lake, feed.quarantine)
    if rule is not None:
        if rule not in feed.rules:
            message = f"{feed.name} has no rule {rule!r}; its rules are {', '.join(feed.rules)}."
            raise DecisionError(message)
        rows = rows.filter(pl.col("rules").list.contains(rule))
    if date not in {None, UNDATED} and as_bucket(str(date)) is None:
        try:
            dt.date.fromisoformat(str(date))
        except ValueError:
            message = f"{date!r} is not a business date; write it as 2026-11-20, or `undated`. Nothing was done."
            raise DecisionError(message) from None
    if date is not None and feed.quarantine.partitioning.columns:
        rows = rows.filter(feed.quarantine.partitioning.filter([date]))
    if source is not None:
        rows = rows.filter(pl.col("_source_key") == source)
    return rows.collect()


def _take(lake: Lake, feed: Feed, decision: Decision, *, dry_run: bool) -> None:
    if partitions := decision_commands.partitions_of(lake, feed, decision):
        _show_change(lake, feed, partitions, (decision,))
    elif isinstance(decision, Retract):
        typer.echo("No table changes: the same content, or a newer delivery, counts in its place.")
    if dry_run:
        typer.echo("Dry run: nothing was recorded.")
        return
    recorded.record(lake.store, decision)
    typer.echo(f"Recorded {decision.kind} {decision.id}. It takes effect with the next run.")


def _show_change(lake: Lake, feed: Feed, partitions: list[str], hypothetical: tuple[Decision, ...]) -> None:
    # Not the rows that are there: those of old dates may have expired, and their records fail all the same.
    counted = scan_accounting(lake.store).filter(pl.col("feed") == feed.name)
    rows: list[tuple[Any, ...]] = []
    pinned = FeedState.read(lake, feed, lake.ledger_of(feed), hypothetical).pins
    foreseen = decision_commands.foreseen(lake, feed, partitions, hypothetical)
    for outcome in foreseen.outcomes:
        there = counted.filter(pl.col("part") == outcome.partition).select(pl.sum("quarantined")).collect().item()
        verdict = "pinned" if outcome.partition in pinned else outcome.verdict
        rows.append((outcome.partition, there, outcome.quarantined, outcome.valid, f"{outcome.score:.4f}", verdict))
    names = ["partition", "in quarantine now", "then", "valid then", "score then", "verdict then"]
    typer.echo(answers.as_table(answers.Answer(names, rows)))
    for line in foreseen.elsewhere:
        typer.echo(line)
