"""Failed runs and the tables that they were for: how often the same inputs failed, when, and why.

A run bears one tag per table, which says what it leaves undone: all that it was asked for, until its step for the table
ends in failure and knows better. So a table is not forgotten because another one of the same run succeeded.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

import dagster as dg

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed, Model
from lakehouse_assets.orchestration.instance import opened
from lakehouse_assets.orchestration.pending_runs import Work, digest_of, landed_work, left_tag, table_work
from lakehouse_assets.pipeline.pending import FeedState, ModelState

SWEEP_TAG = "lakehouse/sweep"
_FAILED = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_WITH_REASON = {
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.RUN_FAILURE,
}


class CheckFailedError(dg.Failure):
    """A blocking check failed. The check says the same; this is what the UI shows first of a failed step.

    Without it, Dagster raises an error of its own, which names the check and nothing else.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text, allow_retries=False)


def left_of(lake: Lake, table: Feed | Model, asked: list[str] | None) -> dict[str, int]:
    """Return what is still pending of the partitions that a run was asked for, with their input fingerprints."""
    state = FeedState.of(lake, table) if isinstance(table, Feed) else ModelState.read(lake, table)
    return {p: state.inputs[p] for p in state.pending if asked is None or p in asked}


def note_left(context: dg.AssetExecutionContext, table: str, left: Mapping[str, int]) -> None:
    """Say what a run that fails leaves undone of a table. A held date is decided, so nothing of it is left.

    Args:
        table: `Table.key`.
    """
    context.instance.add_run_tags(context.run.run_id, {left_tag(table): digest_of(left)})


@contextmanager
def noted(context: dg.AssetExecutionContext, table: str, left: Callable[[], Mapping[str, int]]) -> Iterator[None]:
    """Do a table's work; say what is left of it if it fails.

    Args:
        left: What is still pending, asked for after the failure.
    """
    try:
        yield
    except Exception:
        try:
            note_left(context, table, left())
        except Exception as error:  # noqa: BLE001 - the first failure is the one to tell
            context.log.warning(f"{table}: what is left of its work cannot be told ({type(error).__name__})")
        raise


def attempts(instance: dg.DagsterInstance, table: str, digest: str) -> list[dg.RunRecord]:
    """Return the runs that left exactly some work on a table undone, newest first.

    Args:
        table: `Table.key`.
        digest: `digest_of` the work.
    """
    return list(instance.get_run_records(dg.RunsFilter(tags={left_tag(table): digest}, statuses=_FAILED)))


def of_pending_work(lake: Lake) -> list[str]:
    """Return one line per table whose last runs on the inputs that are pending now failed: how often, when and why."""
    landed = landed_work(lake)
    works = ([landed] if landed else []) + table_work(lake)
    with opened(lake.settings) as instance:
        return list(_lines(instance, works))


def of_table(lake: Lake, instance: dg.DagsterInstance, table: str) -> list[str]:
    """Return the same of one silver or gold table, by `Table.key`: a line, or nothing."""
    works = [work.without(work.tables.keys() - {table}) for work in table_work(lake)]
    return list(_lines(instance, works))


def _lines(instance: dg.DagsterInstance, works: Iterable[Work]) -> Iterator[str]:
    for table, partitions in ((table, p) for work in works for table, p in work.tables.items()):
        if runs := attempts(instance, table, digest_of(partitions)):
            yield _line(instance, table, runs)


def _line(instance: dg.DagsterInstance, table: str, runs: list[dg.RunRecord]) -> str:
    often = "once" if len(runs) == 1 else f"{len(runs)} times"
    ended = dt.datetime.fromtimestamp(runs[0].end_time or runs[0].update_timestamp.timestamp(), dt.UTC)
    reason = _reason(instance, runs[0].dagster_run.run_id, table)
    return (
        f"{table.replace('/', '.')}: failed {often} on these inputs, last {ended:%Y-%m-%d %H:%M} UTC: {reason} "
        "Mend the cause, then `lakehouse run`."
    )


def _reason(instance: dg.DagsterInstance, run_id: str, table: str) -> str:
    """Return why a run did not do its work on a table, on one line that ends as a sentence does."""
    told = [f"see run {run_id}"]
    for entry in instance.all_logs(run_id, of_type=_WITH_REASON):
        event = entry.dagster_event
        if event is None:
            continue
        if event.is_step_failure and event.step_key == table.replace("/", "__"):
            told += [text] if (text := failure_text(event)) else []
        elif event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            check = event.asset_check_evaluation_data
            is_broken = not check.passed and check.severity == dg.AssetCheckSeverity.ERROR and check.description
            if is_broken and check.asset_key == dg.AssetKey(table.split("/")) and check.partition is None:
                told.append(str(check.description))
        elif event.event_type is dg.DagsterEventType.RUN_FAILURE and len(told) == 1:
            told.append(event.message or told[0])
    reason = " ".join(told[-1].split())
    return reason if reason.endswith((".", "!", "?")) else f"{reason}."


def failure_text(event: dg.DagsterEvent) -> str | None:
    """Return why a step failed; None where a check says it."""
    error, failure = event.step_failure_data.error, event.step_failure_data.user_failure_data
    if error is not None and error.cls_name in {"DagsterAssetCheckFailedError", CheckFailedError.__name__}:
        return None
    return (failure.description if failure else None) or _root_cause(error)


class _Error(Protocol):
    """What Dagster keeps of an error."""

    @property
    def message(self) -> str: ...
    @property
    def cause(self) -> "_Error | None": ...


def _root_cause(error: _Error | None) -> str:
    """Return the innermost message of an unforeseen error on one line; the whole of it is in the run's log."""
    while error is not None and error.cause is not None:
        error = error.cause
    return " ".join(error.message.split()) if error else "it says no reason"
