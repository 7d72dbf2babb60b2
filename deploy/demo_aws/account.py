"""What a lake uses in an emulated AWS account, made from the templates of deploy/stack, and who listens to it.

The demo and its test share it. Not here: where the account is, and what the lake does with it.
"""

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.demo_aws.stacks import Clients, make

PARTS = ("storage", "policies", "errors", "events", "catalog", "serving", "alerts")
"""Templates that the lake uses when its processes are on this machine."""
_LAYERS = ("bronze", "silver", "quarantine", "gold", "ops")
_PREFIX = "lake"


def stream_of(name: str) -> str:
    """Return the name of the Kinesis stream that a lake may read; it is made by whoever uses it."""
    return f"{name}-clicks"


@dataclass(frozen=True)
class Account:
    """One lake's part of an account.

    Attributes:
        name: Of the bus, the workgroup and the namespace; begins the name of everything else.
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
    def bucket(self) -> str:
        """The bucket of the lake."""
        return f"{self.name}-{self.topic.split(':')[4]}"

    @property
    def settings(self) -> dict[str, str]:
        """The settings of the lake, by the names of their environment variables."""
        return {
            "LAKEHOUSE_ROOT": f"s3://{self.bucket}/{_PREFIX}",
            "LAKEHOUSE_QUEUE_URL": self.queue,
            "LAKEHOUSE_GLUE_PREFIX": self.name,
            "LAKEHOUSE_ALERTS_TOPIC": self.topic,
            "LAKEHOUSE_EVENT_BUS": self.name,
            "LAKEHOUSE_ERRORS_TABLE": f"{self.name}-errors",
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
    """Make everything that one lake uses in an account where none of it is there yet, from the templates.

    Args:
        name: As the templates take it: 3 to 20 lower-case letters and digits, a letter first.
    """
    made: dict[str, str] = {}
    for part in PARTS:
        made |= make(clients, name, part, HasServing="true", StreamToRead=stream_of(name))
    clients("s3").delete_bucket_policy(
        Bucket=made["Lake"]
    )  # it refuses what comes without TLS, which the emulator lacks
    clients("secretsmanager").create_secret(Name=f"{name}/api-key", SecretString=secrets.token_urlsafe())
    topic = made["Topic"]
    listened = _on_call(clients, name, topic), _listener(clients, name)
    return Account(name, made["Landing"], made["DeadLetters"], topic, *listened)


def land(clients: Clients, account: Account, files: Mapping[str, bytes]) -> None:
    """Put files into landing, as who sends them would.

    Args:
        files: Bytes by feed and key, such as `sales/2026/11/sales-2026-11-19.zip`.
    """
    for key, data in files.items():
        clients("s3").put_object(Bucket=account.bucket, Key=f"{_PREFIX}/landing/{key}", Body=data)


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
    """Make a queue that gets what the lake tells its bus, in place of another system; return its URL."""
    events = clients("events")
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
