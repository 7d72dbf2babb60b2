"""Decisions on bad data as a Dagster job, for people who live in the UI; the command line offers the same verbs.

Dagster keeps what a run is asked for, so personal data has no place in it: a value of a personal column is corrected
with the command.
"""

from typing import Any

import dagster as dg
from pydantic import create_model

from lakehouse_assets.context import Lake, current
from lakehouse_assets.contracts.declare import ContractError
from lakehouse_assets.decisions import kinds, recorded
from lakehouse_assets.decisions.kinds import Decision, DecisionError
from lakehouse_assets.operations import decision_commands
from lakehouse_assets.orchestration import events
from lakehouse_assets.orchestration.resources import LakeResource

VERBS = "correct, waive, discard, release, accept, retract or revoke"


def _values() -> Any:  # noqa: ANN401 - a class that only the registry knows
    """Return the configuration of corrected values: the fields that hold no personal data in any feed.

    Dagster refuses any other field before there is a run, so its value is kept nowhere.
    """
    feeds = current().registry.feeds.values()
    known = {header for feed in feeds for header in feed.shown_headers}
    personal = {name for feed in feeds for name, column in feed.bronze.columns.items() if column.personal}
    fields = sorted(known - personal)
    options: dict[str, Any] = dict.fromkeys(fields, (str | None, None))
    return create_model("Values", __base__=dg.Config, **options)


_Values = _values()


class DecisionConfig(dg.Config):
    """What is decided. A verb uses the fields that it needs; see `lakehouse quarantine --help`.

    Attributes:
        feed: Name of the feed; or, to revoke a pin, of the gold table.
        values: For correct: raw values by field; an empty text for no value. Fields with personal data are not among
            them: correct these with `lakehouse quarantine correct`.
        partition: For release: the held business date.
    """

    verb: str
    feed: str
    why: str
    who: str
    source_key: str = ""
    line: int = 0
    values: _Values = _Values()  # type: ignore[valid-type]
    rules: list[str] = []  # noqa: RUF012 - pydantic copies it
    partition: str = ""
    decision: str = ""
    dry_run: bool = True


@dg.op(description=f"Takes a decision: {VERBS}. A dry run, which is the default, only says what would change.")
def decide(context: dg.OpExecutionContext, config: DecisionConfig, lakehouse: LakeResource) -> None:
    """Take one decision; what it changes is pending then, and the sensor does it."""
    lake = lakehouse.lake()
    try:
        decision = _decision(lake, config)
    except (DecisionError, ContractError) as error:
        raise dg.Failure(description=str(error), allow_retries=False) from None
    lines = []
    if (feed := lake.registry.feeds.get(config.feed)) is not None:
        partitions = decision_commands.partitions_of(lake, feed, decision)
        foreseen = decision_commands.foreseen(lake, feed, partitions, (decision,))
        lines = [*(outcome.message for outcome in foreseen.outcomes), *foreseen.elsewhere]
    if not config.dry_run:
        recorded.record(lake.store, decision)
    context.add_output_metadata(
        {
            "decision": decision.id,
            "recorded": not config.dry_run,
            "would become" if config.dry_run else "will become": dg.MetadataValue.md(events.bullets(lines)),
        }
    )


def _decision(lake: Lake, config: DecisionConfig) -> Decision:
    if config.verb == kinds.Revoke.kind:
        return decision_commands.revoke(lake, config.feed, config.decision, config.why, config.who)
    feed, about = lake.registry.feed(config.feed), (config.source_key, config.line)
    match config.verb:
        case kinds.Correct.kind:
            values = {field: text or None for field, text in vars(config.values).items() if text is not None}
            return decision_commands.correct(lake, feed, *about, values, config.why, config.who)
        case kinds.Waive.kind:
            return decision_commands.waive(lake, feed, *about, config.rules, config.why, config.who)
        case kinds.Discard.kind:
            return decision_commands.discard(lake, feed, *about, config.why, config.who)
        case kinds.Release.kind:
            return decision_commands.release(lake, feed, config.partition, config.why, config.who)
        case kinds.Accept.kind:
            return decision_commands.accept(lake, feed, config.source_key, config.why, config.who)
        case kinds.Retract.kind:
            return decision_commands.retract(lake, feed, config.source_key, config.why, config.who)
        case _:
            msg = f"{config.verb!r} is no decision; it is one of {VERBS}. Nothing was decided."
            raise DecisionError(msg)


@dg.job(description="Decide on quarantined records, held dates and held objects.")
def decision() -> None:
    """One decision."""
    decide()
