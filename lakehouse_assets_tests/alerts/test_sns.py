"""What subscribers of the SNS topic get, read from a queue that is subscribed to it."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from lakehouse_assets.alerts.facts import Fact, Kind, Severity
from lakehouse_assets.alerts.sns import Topic
from lakehouse_assets.alerts.telling import tell
from lakehouse_assets_tests.alerts.conftest import Shop, Told
from lakehouse_assets_tests.alerts.test_wording import FACT
from lakehouse_assets_tests.aws_emulator import ACCOUNT, AwsEmulator
from lakehouse_assets_tests.local_server import REGION

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::dagster.BetaWarning")]


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
