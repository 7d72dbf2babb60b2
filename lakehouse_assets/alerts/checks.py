"""Facts from evaluations of asset checks: what changed since the evaluation before. Not here: facts about runs.

What was before is asked of Dagster's storage, so the same event gives the same fact whenever it is read. Two names
that the question needs are not public in Dagster.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto

import dagster as dg
from dagster._core.event_api import PartitionKeyFilter
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus as Status

from lakehouse_assets.alerts.facts import Fact, Kind, Severity, bounded
from lakehouse_assets.alerts.stream import Event
from lakehouse_assets.context import Lake

_PAGE, _PAGES = 200, 5
_COMMAND = re.compile(r"`(lakehouse [^`]+)`")
_HELD_OBJECT = re.compile(r"(?P<key>.+?): held: ")


class _Told(Enum):
    """When a failing evaluation is a fact, though the one before failed, too."""

    NEVER = auto()
    WHEN_IT_SAYS_ANOTHER_THING = auto()
    ALWAYS = auto()


@dataclass(frozen=True)
class _Meaning:
    failing: Kind
    passing: Kind | None
    again: _Told
    command: str = "lakehouse status"


# Each ingest run evaluates its own objects only, so a later run that passes says nothing of those that were refused.
_MEANINGS = {
    "gate": _Meaning(Kind.GATE_HELD, Kind.GATE_OPEN, _Told.WHEN_IT_SAYS_ANOTHER_THING),
    "objects_accepted": _Meaning(Kind.OBJECT_REFUSED, None, _Told.ALWAYS),
    "schema_drift": _Meaning(Kind.CONTRACT_DRIFT, Kind.BACK_TO_NORMAL, _Told.WHEN_IT_SAYS_ANOTHER_THING),
    "daily_close": _Meaning(Kind.FEED_MISSING, Kind.BACK_TO_NORMAL, _Told.WHEN_IT_SAYS_ANOTHER_THING),
    "fresh": _Meaning(Kind.FRESHNESS_MISSED, Kind.BACK_TO_NORMAL, _Told.WHEN_IT_SAYS_ANOTHER_THING),
    "freshness_check": _Meaning(Kind.FRESHNESS_MISSED, Kind.BACK_TO_NORMAL, _Told.NEVER),
}
_ANY_OTHER = _Meaning(Kind.CHECK_FAILED, Kind.CHECK_PASSED, _Told.NEVER)


@dataclass(frozen=True)
class _Outcome:
    passed: bool
    description: str


@dataclass
class Evaluations:
    """The evaluations before those that are read, as far as they matter; one of these serves one page of events."""

    instance: dg.DagsterInstance
    _latest: dict[tuple[dg.AssetCheckKey, str | None], _Outcome] = field(default_factory=dict)
    _ever_failed: dict[dg.AssetCheckKey, set[str | None] | None] = field(default_factory=dict)

    def before(self, event: Event) -> _Outcome | None:
        """Return what the evaluation before said of the same check and partition, and keep this one for the next.

        A passing evaluation asks only whether there was a failing one; most checks never failed.
        """
        data = event.dagster_event.asset_check_evaluation_data
        check, partition = data.asset_check_key, data.partition
        found = self._latest.get((check, partition))
        if found is None and not (data.passed and self._never_failed(check, partition)):
            found = self._stored(check, partition, event.entry.timestamp)
        self._latest[check, partition] = _Outcome(data.passed, data.description or "")
        return found

    def _never_failed(self, check: dg.AssetCheckKey, partition: str | None) -> bool:
        if check not in self._ever_failed:
            storage = self.instance.event_log_storage
            failed = storage.get_asset_check_execution_history(check, _PAGE, status={Status.FAILED})
            self._ever_failed[check] = {record.partition for record in failed} if len(failed) < _PAGE else None
        known = self._ever_failed[check]
        return known is not None and partition not in known

    def _stored(self, check: dg.AssetCheckKey, partition: str | None, before: float) -> _Outcome | None:
        cursor = None
        for _ in range(_PAGES):
            records = self.instance.event_log_storage.get_asset_check_execution_history(
                check, _PAGE, cursor, {Status.FAILED, Status.SUCCEEDED}, PartitionKeyFilter(key=partition)
            )
            for record in records:
                if record.event is not None and record.event.timestamp < before:
                    data = record.event.get_dagster_event().asset_check_evaluation_data
                    return _Outcome(data.passed, data.description or "")
            if len(records) < _PAGE:
                break
            cursor = records[-1].id
        return None


def facts_of_check(lake: Lake, event: Event, evaluations: Evaluations) -> Iterator[Fact]:
    """Yield the fact that an evaluation of a check is, if it is one."""
    data = event.dagster_event.asset_check_evaluation_data
    name = ".".join(data.asset_key.path)
    feed = lake.registry.feeds.get(data.asset_key.path[-1])
    if data.check_name == "gate" and data.partition is None and feed is not None and feed.business_date is not None:
        return  # the summary of a run's dates, each of which was evaluated by itself
    meaning = _MEANINGS.get(data.check_name, _ANY_OTHER)
    before = evaluations.before(event)
    kind = meaning.passing if data.passed else meaning.failing
    if kind is None or not _is_news(data.passed, data.description or "", before, meaning.again):
        return
    cause = "" if data.passed else bounded(data.description)
    yield Fact(
        position=event.position,
        kind=kind,
        severity=_severity(data),
        at=event.at,
        lake=lake.settings.root,
        assets=(name,),
        dates=(data.partition,) if data.partition else (),
        date_count=1 if data.partition else 0,
        about=data.check_name,
        cause=cause,
        command="" if data.passed else _command(meaning, name, cause),
        run_id=event.entry.run_id,
        link=lake.settings.link_to_run(event.entry.run_id),
    )


def _is_news(passed: bool, text: str, before: _Outcome | None, again: _Told) -> bool:  # noqa: FBT001 - the outcome
    if passed:
        return before is not None and not before.passed
    if before is None or before.passed or again is _Told.ALWAYS:
        return True
    return again is _Told.WHEN_IT_SAYS_ANOTHER_THING and text != before.description


def _severity(data: dg.AssetCheckEvaluation) -> Severity:
    if data.passed:
        return Severity.INFO
    return Severity.ERROR if data.severity is dg.AssetCheckSeverity.ERROR else Severity.WARNING


def _command(meaning: _Meaning, asset: str, cause: str) -> str:
    """Return what to type: what the text itself says, as most texts of the lake do, or where to look first."""
    if found := _COMMAND.search(cause):
        return found.group(1)
    if meaning.failing is Kind.OBJECT_REFUSED and (held := _HELD_OBJECT.match(cause)):
        return f'lakehouse accept {asset.rpartition(".")[2]} {shlex.quote(held["key"])} --why "..."'
    return meaning.command
