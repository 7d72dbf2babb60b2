"""AWS on this machine, a queue that reads what a topic tells, and a lake in which things go wrong."""

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dagster as dg
import dataframely as dy
import pytest

from lakehouse_assets.alerts import aws
from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Model
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.orchestration.instance import opened
from lakehouse_assets.orchestration.location import definitions
from lakehouse_assets.orchestration.pending_runs import REFRESH, refresh_job
from lakehouse_assets.orchestration.runner import run_pending
from lakehouse_assets_tests.aws_emulator import ACCOUNT, AwsEmulator
from lakehouse_assets_tests.contracts.orders import orders
from lakehouse_assets_tests.local_server import REGION
from lakehouse_assets_tests.retail import land


@pytest.fixture
def cloud(aws_emulator: AwsEmulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsEmulator]:
    """The emulation of AWS, as the environment of the channels names it."""
    for name, value in aws_emulator.environment.items():
        monkeypatch.setenv(name, value)
    aws.client.cache_clear()
    yield aws_emulator
    aws.client.cache_clear()


@dataclass(frozen=True)
class Told:
    """A topic, and a queue that is subscribed to it."""

    arn: str
    queue: str
    sqs: Any

    def read(self) -> list[dict[str, Any]]:
        """Return what was told since the last look: the SNS envelopes, in order."""
        found: list[dict[str, Any]] = []
        ask = {"QueueUrl": self.queue, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 1}
        while got := self.sqs.receive_message(**ask).get("Messages"):
            for message in got:
                self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
                found.append(json.loads(message["Body"]))
        return found


@pytest.fixture
def topic(cloud: AwsEmulator) -> Callable[..., Told]:
    """Return a function that subscribes a queue to the test's topic, with a filter policy if one is given."""
    sns, sqs = cloud.client("sns"), cloud.client("sqs")
    arn = sns.create_topic(Name=f"alerts-{uuid.uuid4().hex}")["TopicArn"]

    def subscribe(**policy: list[str]) -> Told:
        queue = sqs.create_queue(QueueName=uuid.uuid4().hex)["QueueUrl"]
        address = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        attributes = {"FilterPolicy": json.dumps(policy)} if policy else {}
        sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=address, Attributes=attributes)
        return Told(arn, queue, sqs)

    return subscribe


@pytest.fixture
def bus(cloud: AwsEmulator) -> tuple[str, Callable[[], list[dict[str, Any]]]]:
    """The name of an event bus, and a function that returns what was told it since the last look."""
    events, sqs = cloud.client("events"), cloud.client("sqs")
    name = f"lake-{uuid.uuid4().hex}"
    events.create_event_bus(Name=name)
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    events.put_rule(Name=name, EventBusName=name, EventPattern=json.dumps({"source": ["lakehouse"]}))
    address = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
    events.put_targets(Rule=name, EventBusName=name, Targets=[{"Id": "queue", "Arn": address}])
    return name, Told(name, queue, sqs).read


@pytest.fixture
def errors_table(cloud: AwsEmulator) -> str:
    """The name of an empty DynamoDB table for errors."""
    name = f"errors-{uuid.uuid4().hex}"
    cloud.client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("asset", "id")],
        KeySchema=[{"AttributeName": "asset", "KeyType": "HASH"}, {"AttributeName": "id", "KeyType": "RANGE"}],
    )
    return name


class Totals(dy.Schema):
    ordered_on = dy.Date(primary_key=True)
    total = dy.Int64(nullable=False)


@dataclass
class Shop:
    """A lake with a feed of orders and a gold table. A bad record holds its date; a bad expression fails the table."""

    lake: Lake
    instance: dg.DagsterInstance

    def lake_with(self, **settings: str) -> Lake:
        """Return the lake with some settings."""
        return replace(self.lake, settings=self.lake.settings.model_copy(update=settings))

    def land(self, key: str, *lines: str) -> None:
        land(self.lake, key, "\n".join(["Number,Code,Units,At,Price", *lines, ""]).encode(), "orders")

    def run(self, total: str = "count(*)") -> None:
        """Run what is pending, as `lakehouse run` does.

        Args:
            total: What the gold table selects.
        """
        sql = Path(self.lake.store.root).with_name("totals.sql")
        sql.write_text(f"SELECT dt AS ordered_on, {total} AS total FROM silver.orders GROUP BY dt")  # noqa: S608
        model = Model("totals", Totals, "Totals.", "team:x", sql, date="ordered_on")
        self.lake = replace(self.lake, registry=Registry([orders()], [model]))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("lakehouse_assets.context.registry", lambda *_: self.lake.registry)
            patch.setattr("lakehouse_assets.orchestration.location.declared", lambda *_, **__: [refresh_job])
            run_pending(self.lake, definitions(self.lake).resolve_job_def(REFRESH), self.instance)

    def evaluate(self, check: str, partition: str | None = None, *, passed: bool, text: str = "") -> None:
        """Record an evaluation of a check on silver, as a run does."""
        data = dg.AssetCheckEvaluation(
            dg.AssetKey(["silver", "orders"]),
            check,
            passed,
            {},
            severity=dg.AssetCheckSeverity.ERROR,
            description=text,
            partition=partition,
        )
        kind = dg.DagsterEventType.ASSET_CHECK_EVALUATION
        event = dg.DagsterEvent(kind.value, "refresh", event_specific_data=data)
        self.instance.report_dagster_event(event, uuid.uuid4().hex)


def _shop(lake: Lake, instance: dg.DagsterInstance) -> Shop:
    settings = lake.settings.model_copy(update={"ui_url": "https://dagster.example.com"})
    return Shop(replace(lake, registry=Registry([orders()], []), settings=settings), instance)


@pytest.fixture
def shop(lake: Lake) -> Iterator[Shop]:
    """A fresh local lake, and a Dagster instance in memory."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield _shop(lake, instance)


@pytest.fixture
def stored_shop(lake: Lake) -> Iterator[Shop]:
    """A fresh local lake with its own Dagster instance, on SQLite."""
    with opened(lake.settings) as instance:
        yield _shop(lake, instance)
