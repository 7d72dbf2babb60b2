"""Facts as messages and as JSON, whatever their texts."""

import datetime as dt
import json
from dataclasses import replace

import pytest

from lakehouse_assets.alerts.facts import SHOWN, Fact, Kind, Severity, bounded
from lakehouse_assets.alerts.wording import messages

FACT = Fact(
    position=7,
    kind=Kind.GATE_HELD,
    severity=Severity.ERROR,
    at=dt.datetime(2011, 3, 2, 3, 4, 5, tzinfo=dt.UTC),
    lake="s3://lake/a",
    assets=("silver.orders",),
    dates=("2011-03-01",),
    date_count=1,
    about="gate",
    cause="2011-03-01: quality score 0.5 is below the gate 0.9",
    command="lakehouse quarantine list --feed orders --date 2011-03-01",
    run_id="8dc69865-48d9-4293-84bf-12c499157d45",
    link="https://dagster.example.com/runs/8dc69865-48d9-4293-84bf-12c499157d45",
)


@pytest.mark.parametrize(
    "text", ["x" * 5_000, "Grüße\r\nan: alle\x00\x1b[31m 猫", "", "\n\n", "a" * 90 + "\u2028" * 50], ids=range(5)
)
def test_no_text_makes_a_message_that_sns_refuses(text: str) -> None:
    odd = replace(FACT, cause=bounded(text), about=text, assets=(text or "a",) * SHOWN, lake=text)
    for message in messages([odd, *(replace(odd, position=at, dates=(f"{at}",)) for at in range(20))]) + messages(
        [odd]
    ):
        assert 0 < len(message.subject) <= 100
        assert message.subject.isascii()
        assert message.subject.isprintable()
        assert len(message.body.encode()) < 200_000


def test_what_a_fact_is_as_json_names_the_same_problem_when_it_returns() -> None:
    again = replace(FACT, position=99, run_id="0" * 36, cause="2011-03-01: quality score 0.6 is below the gate 0.9")
    assert FACT.as_json()["fingerprint"] == again.fingerprint == replace(again, kind=Kind.GATE_OPEN).fingerprint
    assert FACT.fingerprint != replace(FACT, dates=("2011-03-02",)).fingerprint
    assert json.loads(json.dumps(FACT.as_json()))["id"] == "7-8dc69865"
    failed = replace(FACT, kind=Kind.RUN_FAILED, error="StorageError", cause="run 12: file 1234abcd9876 is gone")
    same = replace(failed, cause="run 13: file ffff00001234 is gone", dates=("2012-01-01",))
    assert failed.fingerprint == same.fingerprint != replace(failed, error="OSError").fingerprint
