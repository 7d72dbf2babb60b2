"""A queue that hears of a bucket, on the AWS emulator, and a daemon that listens to it."""

import json
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from lakehouse_assets.context import Lake, lake_at
from lakehouse_assets.orchestration.location import definitions
from lakehouse_assets.sources.sqs import SqsQueue
from lakehouse_assets_tests.aws_emulator import ACCOUNT, AwsEmulator
from lakehouse_assets_tests.local_server import REGION
from lakehouse_assets_tests.orchestration.daemon import Daemon
from lakehouse_assets_tests.sources.messages import notification, record


class TestQueue:
    """A queue with a dead-letter queue, which a message reaches after it was received some times in vain."""

    __test__ = False

    def __init__(self, emulator: AwsEmulator, receives: int = 2) -> None:
        self.name = f"q-{uuid.uuid4().hex[:8]}"
        self.client = emulator.client("sqs")
        self.url: str = self.client.create_queue(QueueName=self.name)["QueueUrl"].replace(
            f"localhost:{emulator.port}", f"127.0.0.1:{emulator.port}"
        )
        self.dead_url: str = self.client.create_queue(QueueName=f"{self.name}-dead")["QueueUrl"]
        self.arn = self._arn(self.name)
        redrive = {"deadLetterTargetArn": self._arn(f"{self.name}-dead"), "maxReceiveCount": receives}
        self.client.set_queue_attributes(QueueUrl=self.url, Attributes={"RedrivePolicy": json.dumps(redrive)})

    @staticmethod
    def _arn(name: str) -> str:
        return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"

    def send(self, *bodies: str) -> None:
        for at in range(0, len(bodies), 10):
            entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies[at : at + 10])]
            self.client.send_message_batch(QueueUrl=self.url, Entries=entries)

    def announce(self, lake: Lake, *keys: str, feed: str = "sales", **more: Any) -> None:
        """Send what S3 would say of some landed objects."""
        self.send(*(announcement(lake, key, feed, **more) for key in keys))

    def show_again(self, receipts: Sequence[str]) -> None:
        """Hide received messages no longer; those that were deleted are gone."""
        entries = [{"Id": str(n), "ReceiptHandle": one, "VisibilityTimeout": 0} for n, one in enumerate(receipts)]
        self.client.change_message_visibility_batch(QueueUrl=self.url, Entries=entries)

    def counts(self) -> tuple[int, int]:
        """Return how many messages wait, and how many are in flight."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return int(found[names[0]]), int(found[names[1]])


def announcement(lake: Lake, key: str, feed: str = "sales", **more: Any) -> str:
    """Return the notification of one landed object, with the size and ETag that it has now, if it is there."""
    bucket, _, prefix = lake.settings.root.removeprefix("s3://").partition("/")
    path = f"landing/{feed}/{key}"
    stored = lake.store.stat(path)
    told: dict[str, Any] = {"size": stored.size, "eTag": stored.token} if stored else {}
    return notification(record(bucket, f"{prefix}/{path}", **(told | more)))


def listening(
    lake: Lake,
    queue: TestQueue,
    emulator: AwsEmulator,
    monkeypatch: pytest.MonkeyPatch,
    daemon_of: Callable[..., Daemon],
    **environment: Any,
) -> Daemon:
    """Return a daemon of a lake that listens to a queue; the emulator, one server, answers at once and with all."""
    receive = SqsQueue.receive
    monkeypatch.setattr(SqsQueue, "receive", lambda queue, hidden_s, wait_s=0: receive(queue, hidden_s))  # noqa: ARG005
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", emulator.url)
    monkeypatch.setenv("LAKEHOUSE_ROOT", lake.settings.root)
    made = daemon_of(lake, queue_url=queue.url, **environment)
    return Daemon(lake, made.instance, definitions(lake_at(lake.settings.root)))
