"""What subscribers of the SNS topic get, read from a queue that is subscribed to it."""

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from lakehouse_assets.alerts.facts import SHOWN, Fact, Kind, Severity, bounded
from lakehouse_assets.alerts.sns import Topic
from lakehouse_assets.alerts.telling import tell
from lakehouse_assets.alerts.wording import messages
from lakehouse_assets_tests.alerts.conftest import Shop, Told
from lakehouse_assets_tests.aws_emulator import ACCOUNT, REGION, AwsEmulator

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::dagster.BetaWarning")]
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


def _of(date: int, **changes: object) -> Fact:
    day = f"20{date // 360 + 10}-{date % 360 // 30 + 1:02}-{date % 30 + 1:02}"
    return replace(FACT, position=date, dates=(day,), **changes)  # type: ignore[arg-type]


def test_a_fact_is_a_message_that_says_what_why_and_what_to_type(topic: Callable[..., Told]) -> None:
    told = topic()
    Topic(told.arn).deliver([FACT])
    [envelope] = told.read()
    assert envelope["Subject"] == "[error] silver.orders 2011-03-01: held by the gate"
    assert envelope["Message"].splitlines() == [
        "silver.orders 2011-03-01: held by the gate",
        "",
        "Cause:   2011-03-01: quality score 0.5 is below the gate 0.9",
        "Next:    lakehouse quarantine list --feed orders --date 2011-03-01",
        f"Run:     {FACT.run_id} https://dagster.example.com/runs/{FACT.run_id}",
        "Time:    2011-03-02 03:04:05 UTC",
        "Lake:    s3://lake/a",
        "Id:      7-8dc69865",
    ]


def test_subscribers_get_what_their_filter_asks_for(topic: Callable[..., Told]) -> None:
    everything, held = topic(), topic(kind=["gate_held"])
    errors = topic(severity=["error"], asset=["silver.orders"])
    facts = [FACT, replace(FACT, position=8, kind=Kind.RUN_STARTED, severity=Severity.INFO)]
    facts.append(replace(FACT, position=9, kind=Kind.RUN_FAILED, assets=("gold.totals", "silver.orders")))
    Topic(everything.arn).deliver(facts)
    assert [len(queue.read()) for queue in (everything, held, errors)] == [3, 1, 2]


def test_a_burst_of_500_facts_is_one_digest_that_filters_see_too(topic: Callable[..., Told]) -> None:
    told, held = topic(), topic(kind=["gate_held"])
    facts = [_of(at) for at in range(500)]
    Topic(told.arn).deliver([*facts, replace(FACT, position=600, kind=Kind.RUN_STARTED, severity=Severity.INFO)])
    digest, single = told.read()
    assert single["Subject"] == "[info] silver.orders 2011-03-01: run started"
    assert digest["Subject"] == "[error] 500 facts, held by the gate most of all"
    body = digest["Message"].splitlines()
    assert "   500  held by the gate: silver.orders" in body
    assert "- silver.orders 2010-01-01: held by the gate" in body
    assert "- and 480 more" in body
    assert body[-1] == f"Ids:     {facts[0].id} to {facts[-1].id}"
    assert len(digest["Message"]) < 4_000
    assert [envelope["Subject"] for envelope in held.read()] == [digest["Subject"]]


def test_repeats_are_folded(topic: Callable[..., Told]) -> None:
    told = topic()
    Topic(told.arn).deliver([replace(FACT, position=at) for at in range(30)])
    [envelope] = told.read()
    assert envelope["Subject"] == "[error] silver.orders 2011-03-01: held by the gate (30 times)"


def test_a_fifo_topic_takes_a_message_that_is_sent_twice_once(cloud: AwsEmulator) -> None:
    sns, sqs = cloud.client("sns"), cloud.client("sqs")
    arn = sns.create_topic(Name="alerts.fifo", Attributes={"FifoTopic": "true"})["TopicArn"]
    queue = sqs.create_queue(QueueName="alerts.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:alerts.fifo")
    for _ in range(2):
        Topic(arn).deliver([FACT])
    assert len(Told(arn, queue, sqs).read()) == 1


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


def test_with_the_topic_gone_the_tick_tells_it_later(topic: Callable[..., Told], shop: Shop) -> None:
    told = topic()
    channel = Topic(told.arn)
    tell(shop.lake, shop.instance, [channel], 0)
    shop.evaluate("gate", "2011-03-01", passed=False, text="bad")
    channel.arn = f"{told.arn}-gone"
    _, [line] = tell(shop.lake, shop.instance, [channel], 0)
    assert line.startswith("sns cannot be told, and is told later (NotFoundException: ")
    channel.arn = told.arn
    assert tell(shop.lake, shop.instance, [channel], 0) == (["sns: 1 facts"], [])
    assert len(told.read()) == 1
