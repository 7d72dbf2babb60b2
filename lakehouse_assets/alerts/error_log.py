"""The error log as a channel: each fact changes the problem that it is about. Not here: where problems are kept."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

from lakehouse_assets.alerts import problems
from lakehouse_assets.alerts.facts import ENDS, Fact, Kind
from lakehouse_assets.alerts.problems import Change, Problem, ProblemTable
from lakehouse_assets.context import Lake
from lakehouse_assets.storage.stores import StorageError


class ErrorLog:
    """The error log of a lake. To take in the same facts twice changes nothing."""

    name, at_once, looks_back, takes = "errors", 25, 10_000, Fact

    def __init__(self, table: ProblemTable) -> None:
        self.table = table

    def deliver(self, news: Sequence[Fact]) -> None:
        for fact in news:
            if fact.kind is Kind.RUN_SUCCEEDED:
                self._end_failures(fact)
            elif problems.is_kept(fact) or fact.kind in ENDS:
                for asset, problem_id in problems.identities(fact):
                    self.table.change(asset, problem_id, _taking_in(fact, asset, problem_id))

    def _end_failures(self, fact: Fact) -> None:
        """Resolve the failed runs of the assets of a run that succeeded, and those that died of its job."""
        for asset in filter(None, (*fact.assets, fact.about)):
            for problem in self.table.problems(asset):
                if problem.kind == Kind.RUN_FAILED and problem.is_open:
                    self.table.change(asset, problem.id, _ending(fact.at, problems.BY_ITSELF, fact.position))

    def marked(self, facts: Sequence[Fact]) -> list[Fact]:
        """Return the facts, and of each with which a resolved problem came back that it did."""
        return [replace(fact, is_regression=True) if self._is_return(fact) else fact for fact in facts]

    def _is_return(self, fact: Fact) -> bool:
        if not problems.is_kept(fact):
            return False
        found = (self.table.get(asset, problem_id) for asset, problem_id in problems.identities(fact))
        return any(problem is not None and fact.position in problem.returned for problem in found)

    def resolve(self, problem_id: str, who: str) -> Problem:
        """Say that a problem is over; it is told as a regression if it returns.

        Raises:
            StorageError: No open problem has this id.
        """
        known = next((p for p in self.table.problems() if p.id == problem_id and p.is_open), None)
        if known is None:
            msg = f"{problem_id!r} is the id of no open error. Nothing was changed; `lakehouse errors` lists them."
            raise StorageError(msg)
        self.table.change(known.asset, known.id, _ending(dt.datetime.now(dt.UTC), who, None))
        return known


def error_log_of(lake: Lake) -> ErrorLog:
    """Return the error log that the settings name: a DynamoDB table, or else a folder of the lake."""
    if lake.settings.errors_table:
        from lakehouse_assets.alerts.dynamodb import DynamoProblems  # noqa: PLC0415 - only where it is named

        return ErrorLog(DynamoProblems(lake.settings.errors_table, lake.settings.root))
    from lakehouse_assets.alerts.lake_problems import LakeProblems  # noqa: PLC0415

    return ErrorLog(LakeProblems(lake.store))


def _taking_in(fact: Fact, asset: str, problem_id: str) -> Change:
    return lambda known: problems.after(known, fact, asset, problem_id)


def _ending(at: dt.datetime, who: str, position: int | None) -> Change:
    return lambda known: known.resolved(at, who, position) if known else None
