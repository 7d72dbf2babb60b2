"""What a lake uses in an AWS account, made by the calls that docs/aws.md and docs/alerts.md tell a person to make.

The demo and its test share it. Not here: where the account is, and what the lake does with it.
"""

import json
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lakehouse_assets.serving.items import DESCRIBED

Clients = Callable[[str], Any]
"""Gives a boto3 client by the name of its service."""
_LAYERS = ("bronze", "silver", "quarantine", "gold", "ops")
_PREFIX = "lake"
_RECEIVES = 5


@dataclass(frozen=True)
class Account:
    """One lake's part of an account.

    Attributes:
        name: Of the bucket, the topic, the bus, the table and the namespace; begins the name of everything else.
        queue: URL of the queue that S3 tells what lands.
        dead_letters: URL of the queue of messages that nobody could handle.
        topic: ARN of the topic for people.
        on_call: URL of a queue that is subscribed to the topic, for errors only.
        listener: URL of a queue that gets every event of the bus.
    """

    name: str
    queue: str
    dead_letters: str
    topic: str
    on_call: str
    listener: str

    @property
    def settings(self) -> dict[str, str]:
        """The settings of the lake, by the names of their environment variables."""
        return {
            "LAKEHOUSE_ROOT": f"s3://{self.name}/{_PREFIX}",
            "LAKEHOUSE_QUEUE_URL": self.queue,
            "LAKEHOUSE_GLUE_PREFIX": self.name.replace("-", "_"),
            "LAKEHOUSE_ALERTS_TOPIC": self.topic,
            "LAKEHOUSE_EVENT_BUS": self.name,
            "LAKEHOUSE_ERRORS_TABLE": self.name,
            "LAKEHOUSE_METRICS_NAMESPACE": self.name,
            "LAKEHOUSE_SERVING_TABLE": f"{self.name}-serving",
            "LAKEHOUSE_SECRETS": "aws",
            "LAKEHOUSE_SERVE_KEY_NAME": f"{self.name}/api-key",
        }

    @property
    def databases(self) -> list[str]:
        """The databases of the lake in the Glue Data Catalog."""
        return [f"{self.settings['LAKEHOUSE_GLUE_PREFIX']}_{layer}" for layer in _LAYERS]

    def environment(self, cloud: Mapping[str, str], home: Path) -> dict[str, str]:
        """Return the environment of the lake's process, without the settings of whoever starts it.

        Args:
            cloud: Where the account is, and as whom it is used.
            home: Folder of the Dagster instance.
        """
        kept = {n: v for n, v in os.environ.items() if not n.startswith(("LAKEHOUSE_", "AWS_", "DAGSTER_"))}
        # Looks cost nothing here: none is put off.
        return {**kept, **cloud, **self.settings, "LAKEHOUSE_IDLE_INTERVAL_S": "0", "DAGSTER_HOME": str(home)}


def set_up(clients: Clients, name: str) -> Account:
    """Make everything that one lake uses in an account where none of it is there yet.

    Args:
        name: A bucket name of lower-case letters, digits and hyphens that begins with a letter.
    """
    clients("s3").create_bucket(Bucket=name)
    queue, dead_letters = _arrivals(clients, name)
    topic = clients("sns").create_topic(Name=name)["TopicArn"]
    clients("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("asset", "id")],
        KeySchema=[{"AttributeName": "asset", "KeyType": "HASH"}, {"AttributeName": "id", "KeyType": "RANGE"}],
    )
    clients("dynamodb").create_table(TableName=f"{name}-serving", BillingMode="PAY_PER_REQUEST", **DESCRIBED)
    clients("secretsmanager").create_secret(Name=f"{name}/api-key", SecretString=secrets.token_urlsafe())
    account = Account(name, queue, dead_letters, topic, _on_call(clients, name, topic), _listener(clients, name))
    for database in account.databases:  # beforehand: so the lake's role need not be allowed to make any
        clients("glue").create_database(DatabaseInput={"Name": database})
    return account


def land(clients: Clients, account: Account, files: Mapping[str, bytes]) -> None:
    """Put files into landing, as who sends them would.

    Args:
        files: Bytes by feed and key, such as `sales/2026/11/sales-2026-11-19.zip`.
    """
    for key, data in files.items():
        clients("s3").put_object(Bucket=account.name, Key=f"{_PREFIX}/landing/{key}", Body=data)


def _arrivals(clients: Clients, name: str) -> tuple[str, str]:
    """Make the queue that S3 tells what lands, and its dead-letter queue; return their URLs."""
    sqs = clients("sqs")
    dead = sqs.create_queue(QueueName=f"{name}-dead", Attributes={"MessageRetentionPeriod": "1209600"})["QueueUrl"]
    redrive = {"deadLetterTargetArn": _arn(sqs, dead), "maxReceiveCount": str(_RECEIVES)}
    queue = _queue(
        sqs, name, "s3.amazonaws.com", f"arn:aws:s3:::{name}",
        VisibilityTimeout="900", MessageRetentionPeriod="345600", RedrivePolicy=json.dumps(redrive),
    )  # fmt: skip
    told = {
        "QueueArn": _arn(sqs, queue),
        "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"],
        "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": f"{_PREFIX}/landing/"}]}},
    }
    clients("s3").put_bucket_notification_configuration(
        Bucket=name, NotificationConfiguration={"QueueConfigurations": [told]}
    )
    return queue, dead


def _on_call(clients: Clients, name: str, topic: str) -> str:
    """Subscribe a queue to the errors that the topic tells, in place of a person's e-mail; return its URL."""
    queue = _queue(clients("sqs"), f"{name}-on-call", "sns.amazonaws.com", topic)
    clients("sns").subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=_arn(clients("sqs"), queue),
        Attributes={"FilterPolicy": json.dumps({"severity": ["error"]})},
    )
    return queue


def _listener(clients: Clients, name: str) -> str:
    """Make the bus, and a queue that gets what the lake tells it, in place of another system; return its URL."""
    events = clients("events")
    events.create_event_bus(Name=name)
    rule = events.put_rule(Name=name, EventBusName=name, EventPattern=json.dumps({"source": ["lakehouse"]}))["RuleArn"]
    queue = _queue(clients("sqs"), f"{name}-listener", "events.amazonaws.com", rule)
    target = {"Id": "listener", "Arn": _arn(clients("sqs"), queue)}
    events.put_targets(Rule=name, EventBusName=name, Targets=[target])
    return queue


def _queue(sqs: Any, name: str, service: str, source: str, **attributes: str) -> str:  # noqa: ANN401 - a boto3 client
    """Make a queue into which one service may send what comes from one source, and nobody else; return its URL."""
    url: str = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    arn = _arn(sqs, url)
    allowed = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": source}, "StringEquals": {"aws:SourceAccount": arn.split(":")[4]}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    return url


def _arn(sqs: Any, url: str) -> str:  # noqa: ANN401
    attributes: dict[str, str] = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    return attributes["QueueArn"]
