"""What other systems get from the EventBridge bus, read through a rule into a queue."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from lakehouse_assets.alerts import eventbridge
from lakehouse_assets.alerts.eventbridge import Bus, RefusedError
from lakehouse_assets_tests.alerts.test_wording import FACT

FACTS = [replace(FACT, position=at) for at in range(10)]


class PartlyFailing:
    """A client whose bus throttles some entries, as EventBridge does without an error."""

    def __init__(self, *failing: set[str]) -> None:
        self.failing = list(failing)
        self.calls: list[list[str]] = []

    def put_events(self, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - as boto3 has it
        ids = [entry["Detail"].split('"id": "')[1].split('"')[0] for entry in Entries]
        self.calls.append(ids)
        failing = self.failing.pop(0) if self.failing else set()
        answers = [
            {"ErrorCode": "ThrottlingException"} if at.split("-")[0] in failing else {"EventId": at} for at in ids
        ]
        return {"FailedEntryCount": sum("ErrorCode" in answer for answer in answers), "Entries": answers}


@pytest.mark.slow
def test_facts_arrive_as_json(bus: tuple[str, Callable[[], list[dict[str, Any]]]]) -> None:
    name, read = bus
    Bus(name).deliver(FACTS)
    found = read()
    assert sorted(event["detail"]["id"] for event in found) == sorted(fact.id for fact in FACTS)
    assert {event["detail-type"] for event in found} == {"gate_held"}
    assert next(event["detail"] for event in found if event["detail"]["id"] == FACTS[0].id) == FACTS[0].as_json()


def test_entries_that_are_not_taken_are_sent_again_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    client = PartlyFailing({"3", "5"}, {"5"})
    monkeypatch.setattr(eventbridge, "client", lambda _: client)
    Bus("bus").deliver(FACTS)
    assert [[at.split("-")[0] for at in call] for call in client.calls] == [
        [str(n) for n in range(10)],
        ["3", "5"],
        ["5"],
    ]


def test_entries_that_are_never_taken_are_told_later(monkeypatch: pytest.MonkeyPatch) -> None:
    client = PartlyFailing({"3"}, {"3"}, {"3"})
    monkeypatch.setattr(eventbridge, "client", lambda _: client)
    with pytest.raises(RefusedError, match=r"bus did not take 1 of 10 facts \(ThrottlingException: \)"):
        Bus("bus").deliver(FACTS)
