"""What the error log keeps of a problem, what a fact makes of it, what a table of them offers. Not here: the tables."""

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol, Self

from lakehouse_assets.alerts.facts import CHECK_FAILED, ENDS, PROBLEMS, RUN_DIED, SHOWN, Fact, Kind, Severity

OPEN, RESOLVED = "open", "resolved"
BY_ITSELF = "the lake: it is over"


@dataclass(frozen=True)
class Problem:
    """One problem of an asset: the same failure, however often it happened.

    Attributes:
        position: Of the last fact that was taken in; an earlier one changes nothing.
        dates: The last business dates, at most `SHOWN`.
        error: Class of the error, of a failed run.
        count: How often it happened.
        returned: Positions of the facts with which it came back after it was resolved; the last `SHOWN` of them.
    """

    id: str
    asset: str
    kind: str
    about: str
    error: str
    severity: str
    state: str
    count: int
    first_seen: str
    last_seen: str
    position: int
    dates: tuple[str, ...] = ()
    cause: str = ""
    command: str = ""
    run_id: str = ""
    link: str = ""
    returned: tuple[int, ...] = ()
    resolved_at: str = ""
    resolved_by: str = ""

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Return what `as_json` wrote."""
        found: dict[str, Any] = json.loads(text)
        return cls(**found | {"dates": tuple(found["dates"]), "returned": tuple(found["returned"])})

    def as_json(self) -> str:
        """Return the problem as JSON."""
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=False)

    @property
    def is_open(self) -> bool:
        """Whether it still stands."""
        return self.state == OPEN

    def resolved(self, at: dt.datetime, by: str, position: int | None = None) -> Self:
        """Return the problem when it is over; as it is if it was resolved before.

        Args:
            position: Of the fact that says so; None for a person.
        """
        if not self.is_open or (position is not None and position <= self.position):
            return self
        return replace(
            self, state=RESOLVED, resolved_at=_text(at), resolved_by=by, position=max(position or 0, self.position)
        )


Change = Callable[[Problem | None], Problem | None]


class ProblemTable(Protocol):
    """Where problems are kept, by asset and id. A change that another writer was faster than is made again."""

    def get(self, asset: str, problem_id: str) -> Problem | None:
        """Return a problem."""
        ...

    def change(self, asset: str, problem_id: str, change: Change) -> None:
        """Put what a change makes of a problem in its place; nothing where it leaves it as it is."""
        ...

    def problems(self, asset: str | None = None) -> Iterable[Problem]:
        """Return the problems of an asset, or all."""
        ...


def is_kept(fact: Fact) -> bool:
    """Return whether a fact is a problem that the error log keeps.

    A rule that some records break is in quarantine, and a run that only a check failed is told by the check.
    """
    is_small = fact.kind is Kind.CHECK_FAILED and fact.severity is not Severity.ERROR
    return fact.kind in PROBLEMS and not is_small and fact.error != CHECK_FAILED


def identities(fact: Fact) -> Iterator[tuple[str, str]]:
    """Yield asset and id of each problem that a fact is about: one per asset.

    A run that died is one problem of its job: what it left undone of its assets is pending, or was done by another run.
    """
    assets = fact.assets if fact.error != RUN_DIED else ()
    for asset in assets or (fact.about,):
        text = f"{asset}\0{replace(fact, assets=(asset,)).fingerprint}"
        yield asset, hashlib.sha256(text.encode()).hexdigest()[:10]


def after(known: Problem | None, fact: Fact, asset: str, problem_id: str) -> Problem | None:
    """Return what becomes of a problem with a fact that is about it; None if there is none."""
    if known is not None and fact.position <= known.position:
        return known
    if fact.kind in ENDS:
        return known.resolved(fact.at, BY_ITSELF, fact.position) if known else None
    now = _text(fact.at)
    base = known or Problem(
        problem_id, asset, fact.kind, fact.about, fact.error, fact.severity, OPEN, 0, now, now, fact.position
    )
    is_back = known is not None and not known.is_open
    return replace(
        base,
        kind=fact.kind.value,
        severity=fact.severity.value,
        state=OPEN,
        count=base.count + 1,
        last_seen=now,
        position=fact.position,
        dates=tuple(dict.fromkeys((*base.dates, *fact.dates)))[-SHOWN:],
        cause=fact.cause,
        command=fact.command,
        run_id=fact.run_id,
        link=fact.link,
        returned=(*base.returned, fact.position)[-SHOWN:] if is_back else base.returned,
    )


def _text(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).isoformat(timespec="seconds")
