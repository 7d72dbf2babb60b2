"""The queue in SQS: what is received is hidden, deleted or comes back; failures of a part, and of the whole."""

import time
from typing import Any

import pytest

from lakehouse_assets.settings import Settings, SettingsError, settings
from lakehouse_assets.sources.queue import Depth, QueueError
from lakehouse_assets.sources.sqs import SqsQueue
from lakehouse_assets_tests.aws_emulator import AwsEmulator
from lakehouse_assets_tests.orchestration.queue import TestQueue

URL = "https://sqs.eu-central-1.amazonaws.com/123456789012/landing"


@pytest.fixture
def emulated(aws_emulator: AwsEmulator, monkeypatch: pytest.MonkeyPatch) -> TestQueue:
    for name, value in aws_emulator.environment.items():
        monkeypatch.setenv(name, value)
    return TestQueue(aws_emulator)


def received(queue: SqsQueue, hidden_s: int = 60) -> list[str]:
    """Return the receipts of everything that the queue gives."""
    found: list[str] = []
    while some := queue.receive(hidden_s):
        found += [message.receipt for message in some]
    return found


@pytest.mark.slow(covered=True)
def test_messages_are_received_once_and_deleted_in_tens(emulated: TestQueue) -> None:
    queue = SqsQueue(emulated.url)
    emulated.send(*(f"m{at}" for at in range(23)))
    assert queue.depth() == Depth(23, 0, 0, 0)
    receipts = received(queue)
    assert (len(receipts), queue.depth()) == (23, Depth(0, 23, 0, 0))
    assert queue.delete(receipts) == 0
    assert queue.depth() == Depth(0, 0, 0, 0)
    assert queue.delete(receipts[:3]) == 0, "deleting again does no harm"


@pytest.mark.slow(covered=True)
def test_a_message_comes_back_when_its_time_is_over_unless_it_is_hidden_again(emulated: TestQueue) -> None:
    queue = SqsQueue(emulated.url)
    emulated.send("a", "b")
    [first, second] = queue.receive(1)
    queue.hide([second.receipt], 60)
    time.sleep(1.5)
    assert [message.id for message in queue.receive(60)] == [first.id]


@pytest.mark.parametrize(("failures", "left"), [(1, 0), (2, 0), (9, 2)])
def test_a_part_that_could_not_be_deleted_is_tried_again(emulated: TestQueue, failures: int, left: int) -> None:
    queue = SqsQueue(emulated.url)
    emulated.send(*(f"m{at}" for at in range(12)))
    receipts = received(queue)
    queue.__dict__["_client"] = Failing(queue._client, failures)
    assert queue.delete(receipts) == left
    assert queue.depth() == Depth(0, left, 0, 0)


class Failing:
    """A client for which the first entries of some deletions fail, as the service does at times."""

    def __init__(self, client: Any, failures: int) -> None:
        self._client, self._failures = client, failures

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def delete_message_batch(self, **arguments: Any) -> Any:
        entries, failed = arguments["Entries"], []
        if self._failures > 0:
            self._failures -= 1
            entries, failed = entries[2:], entries[:2]
        answer = self._client.delete_message_batch(**arguments | {"Entries": entries}) if entries else {}
        told = [{"Id": e["Id"], "SenderFault": False, "Code": "InternalError"} for e in failed]
        return answer | {"Failed": answer.get("Failed", []) + told}


def test_a_queue_that_is_not_there_is_told_in_one_line(emulated: TestQueue) -> None:
    with pytest.raises(QueueError, match="check LAKEHOUSE_QUEUE_URL") as error:
        SqsQueue(f"{emulated.url}-other").receive(10)
    assert "\n" not in str(error.value)


def test_the_region_is_that_of_the_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    assert SqsQueue(URL)._client.meta.region_name == "eu-central-1"
    assert SqsQueue("http://127.0.0.1:1/1/q")._client.meta.region_name == "us-west-2"


def test_no_queue_is_configured_unless_its_url_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().queue_url == ""
    assert Settings(root="s3://lake/x", queue_url=URL).queue_url == URL
    for root, url, why in (
        ("s3://lake/x", "arn:aws:sqs:eu-central-1:123456789012:landing", r"URL \(not name or ARN\) of the SQS queue"),
        ("s3://lake/x", "landing", r"URL \(not name or ARN\) of the SQS queue"),
        ("lake", URL, "unset one of the two"),
    ):
        monkeypatch.setenv("LAKEHOUSE_ROOT", root)
        monkeypatch.setenv("LAKEHOUSE_QUEUE_URL", url)
        settings.cache_clear()
        with pytest.raises(SettingsError, match=why) as error:
            settings()
        assert str(error.value).startswith(f"LAKEHOUSE_QUEUE_URL={url!r}")
    settings.cache_clear()
