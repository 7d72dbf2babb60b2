"""The vocabulary: what can have happened, as one small value per event. Not here: how it is found out, or told."""

import datetime as dt
import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

SHOWN = 10
"""Assets and dates that one fact names at most."""
_LONGEST_CAUSE, _LONGEST_NAME = 2_000, 200
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
_CHANGING = re.compile(r"\b[0-9a-f]{8,}(?:-[0-9a-f]{4,})*\b|\d+")


class Kind(StrEnum):
    """What happened."""

    RUN_QUEUED = "run_queued"
    RUN_STARTED = "run_started"
    RUN_SUCCEEDED = "run_succeeded"
    RUN_FAILED = "run_failed"
    RUN_CANCELED = "run_canceled"
    GATE_HELD = "gate_held"
    GATE_OPEN = "gate_open"
    CHECK_FAILED = "check_failed"
    CHECK_PASSED = "check_passed"
    OBJECT_REFUSED = "object_refused"
    CONTRACT_DRIFT = "contract_drift"
    FEED_MISSING = "feed_missing"
    FRESHNESS_MISSED = "freshness_missed"
    BACKLOG_GROWING = "backlog_growing"
    BACK_TO_NORMAL = "back_to_normal"


class Severity(StrEnum):
    """Whom it concerns: nobody, somebody tomorrow, somebody now."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


IN_WORDS = {
    Kind.RUN_QUEUED: "run queued",
    Kind.RUN_STARTED: "run started",
    Kind.RUN_SUCCEEDED: "run succeeded",
    Kind.RUN_FAILED: "run failed",
    Kind.RUN_CANCELED: "run canceled",
    Kind.GATE_HELD: "held by the gate",
    Kind.GATE_OPEN: "no longer held",
    Kind.CHECK_FAILED: "check failed",
    Kind.CHECK_PASSED: "check passes again",
    Kind.OBJECT_REFUSED: "source object rejected or held",
    Kind.CONTRACT_DRIFT: "columns differ from the contract",
    Kind.FEED_MISSING: "missing at the daily close",
    Kind.FRESHNESS_MISSED: "not fresh",
    Kind.BACKLOG_GROWING: "backlog growing",
    Kind.BACK_TO_NORMAL: "back to normal",
}
PROBLEMS = frozenset(
    {
        Kind.RUN_FAILED,
        Kind.GATE_HELD,
        Kind.CHECK_FAILED,
        Kind.OBJECT_REFUSED,
        Kind.CONTRACT_DRIFT,
        Kind.FEED_MISSING,
        Kind.FRESHNESS_MISSED,
        Kind.BACKLOG_GROWING,
    }
)
"""What the error log keeps until it is over."""
ENDS = frozenset({Kind.GATE_OPEN, Kind.CHECK_PASSED, Kind.BACK_TO_NORMAL})
"""What says that a problem with the same fingerprint is over."""


CHECK_FAILED = "CheckFailed"
"""Class of the error of a run that failed because of a check alone, which is a fact of its own."""
RUN_DIED = "RunFailure"
"""Class of the error of a run that failed in none of its steps, such as one whose process was killed."""


@dataclass(frozen=True)
class Fact:
    """One thing that happened. It holds what Dagster's storage holds, so no personal data.

    Attributes:
        position: Storage id of Dagster's event; facts of one lake are told in this order.
        lake: Root of the lake.
        assets: SQL names such as `silver.sales`, at most `SHOWN`; none for a run of another job.
        dates: Business dates, at most `SHOWN` of `date_count`.
        about: Name of the check, or of the run's job.
        error: Class of the error, of a failed run.
        cause: Why, in at most 2,000 characters; empty where nothing is wrong.
        command: What to type next; empty where there is nothing to do.
        link: Address of the run in the UI; empty where the address of the UI is not set.
        is_regression: With it a problem came back that the error log had as resolved.
    """

    position: int
    kind: Kind
    severity: Severity
    at: dt.datetime
    lake: str
    assets: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()
    date_count: int = 0
    about: str = ""
    error: str = ""
    cause: str = ""
    command: str = ""
    run_id: str = ""
    link: str = ""
    is_regression: bool = False

    @property
    def id(self) -> str:
        """Identity of the event: the same whenever and wherever it is told, so that consumers can fold repeats."""
        return f"{self.position}-{self.run_id[:8] or int(self.at.timestamp())}"

    @property
    def fingerprint(self) -> str:
        """Identity of the problem, the same when it returns and when it ends: figures in the cause do not count."""
        # Each date is held and opened on its own; any other problem is one, whatever the dates.
        which = ",".join(self.dates) if self.kind in {Kind.GATE_HELD, Kind.GATE_OPEN} else ""
        text = _CHANGING.sub("#", self.cause)[:200] if self.kind is Kind.RUN_FAILED else ""
        parts = (",".join(self.assets), self.about, self.error, which, text)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]

    @property
    def what(self) -> str:
        """Return the assets and dates on one line; the name of the job where there is no asset."""
        named = ", ".join(self.assets[:3]) + (" and others" if len(self.assets) > 3 else "")  # noqa: PLR2004
        dates = " to ".join(dict.fromkeys((self.dates[0], self.dates[-1]))) if self.dates else ""
        several = f" ({self.date_count} dates)" if self.date_count > 1 else ""
        return " ".join(part for part in ((named or self.about)[:_LONGEST_NAME], dates + several) if part)

    @property
    def headline(self) -> str:
        """Return what happened to what, on one line."""
        check = f"{self.about}: " if self.kind in {Kind.CHECK_FAILED, Kind.CHECK_PASSED, Kind.BACK_TO_NORMAL} else ""
        again = ", again after it was resolved" if self.is_regression else ""
        return f"{self.what}: {check}{IN_WORDS[self.kind]}{again}"

    def as_json(self) -> dict[str, Any]:
        """Return the fact as JSON holds it."""
        return {
            "id": self.id,
            "kind": self.kind.value,
            "severity": self.severity.value,
            "time": self.at.isoformat(timespec="milliseconds"),
            "lake": self.lake,
            "assets": list(self.assets),
            "dates": list(self.dates),
            "date_count": self.date_count,
            "about": self.about,
            "error": self.error,
            "cause": self.cause,
            "command": self.command,
            "run_id": self.run_id,
            "link": self.link,
            "fingerprint": self.fingerprint,
            "is_regression": self.is_regression,
        }


def bounded(text: str | None) -> str:
    """Return a cause in bounds: lines kept, other control characters gone."""
    lines = [_CONTROL.sub(" ", line).rstrip() for line in (text or "").splitlines()]
    whole = "\n".join(line for line in lines if line)
    return whole if len(whole) <= _LONGEST_CAUSE else f"{whole[: _LONGEST_CAUSE - 1]}…"
