"""The EventBridge bus: each fact as JSON, for other systems. Not here: what a fact says."""

import json
from collections.abc import Sequence
from typing import Any

from lakehouse_assets.alerts.aws import client
from lakehouse_assets.alerts.facts import Fact

SOURCE = "lakehouse"
_ATTEMPTS = 3


class RefusedError(Exception):
    """The bus did not take some facts."""


class Bus:
    """An event bus by its name or ARN. One call takes 10 facts; those that it does not take are sent again."""

    name, at_once, looks_back, takes = "eventbridge", 10, 0, Fact

    def __init__(self, bus: str) -> None:
        self.bus = bus

    def deliver(self, news: Sequence[Fact]) -> None:
        entries, refused = [self._entry(fact) for fact in news], ""
        for _ in range(_ATTEMPTS):
            answer = client("events").put_events(Entries=entries)
            if not answer.get("FailedEntryCount"):
                return
            failed = [(e, r) for e, r in zip(entries, answer["Entries"], strict=True) if r.get("ErrorCode")]
            entries = [entry for entry, _ in failed]
            refused = f"{failed[0][1]['ErrorCode']}: {failed[0][1].get('ErrorMessage', '')}"
        msg = f"{self.bus} did not take {len(entries)} of {len(news)} facts ({refused})"
        raise RefusedError(msg)

    def _entry(self, fact: Fact) -> dict[str, Any]:
        return {
            "Source": SOURCE,
            "DetailType": fact.kind.value,
            "Detail": json.dumps(fact.as_json(), ensure_ascii=False),
            "Time": fact.at,
            "EventBusName": self.bus,
        }
