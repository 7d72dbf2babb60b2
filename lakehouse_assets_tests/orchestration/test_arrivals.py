"""Real ticks on real messages: what they name is ingested, and each is deleted when there is nothing left to do."""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import dagster as dg
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.orchestration.arrivals import CHECK, QUEUE
from lakehouse_assets.sources.message_batch import PATH
from lakehouse_assets.sources.queue import Message
from lakehouse_assets.sources.sqs import SqsQueue
from lakehouse_assets_tests import retail
from lakehouse_assets_tests.aws_emulator import AwsEmulator
from lakehouse_assets_tests.orchestration.daemon import Daemon
from lakehouse_assets_tests.orchestration.dev_server import wait_for
from lakehouse_assets_tests.orchestration.queue import TestQueue, announcement, listening
from lakehouse_assets_tests.orchestration.watched import DATES, ask, rows
from lakehouse_assets_tests.retail import sales_csv
from lakehouse_assets_tests.sources.messages import FORMS, message, notification, record

pytestmark = pytest.mark.slow
SENSORS = ("queue_sensor", "tables_sensor")
Listening = Callable[..., Daemon]


@pytest.fixture
def queue(aws_emulator: AwsEmulator) -> TestQueue:
    return TestQueue(aws_emulator)


@pytest.fixture
def daemon_with(
    s3_lake: Lake,
    queue: TestQueue,
    aws_emulator: AwsEmulator,
    monkeypatch: pytest.MonkeyPatch,
    daemon_of: Callable[..., Daemon],
) -> Listening:
    """Return a function that gives the daemon that listens to the queue, with some settings."""

    def make(**environment: Any) -> Daemon:
        return listening(s3_lake, queue, aws_emulator, monkeypatch, daemon_of, **environment)

    return make


def shown(daemon: Daemon) -> Mapping[str, dg.MetadataValue[Any]]:
    """Return what the asset of the queue shows last."""
    [record] = daemon.instance.fetch_observations(QUEUE, limit=1).records
    assert record.asset_observation is not None
    return record.asset_observation.metadata


def check(daemon: Daemon) -> dg.AssetCheckEvaluation:
    """Return the last evaluation of the check."""
    key = dg.AssetCheckKey(QUEUE, CHECK)
    [record] = daemon.instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
    assert record.event is not None
    assert record.event.dagster_event is not None
    return record.event.dagster_event.asset_check_evaluation_data


def ingested(lake: Lake) -> list[str]:
    return [key for (key,) in ask(lake, "SELECT DISTINCT object_key FROM ops.ledger ORDER BY 1")]


def test_what_messages_name_reaches_gold_and_the_queue_is_empty(
    s3_lake: Lake, queue: TestQueue, daemon_with: Listening
) -> None:
    daemon = daemon_with()
    retail.land(s3_lake, "nobody told.csv", sales_csv(2, "2011-06-01"))
    bucket, _, prefix = s3_lake.settings.root.removeprefix("s3://").partition("/")
    for form, date in zip(FORMS, (*DATES, "2011-07-01"), strict=True):
        retail.land(s3_lake, f"{form}+ü.csv", sales_csv(3, date))
        queue.send(message(form, bucket, f"{prefix}/landing/sales/{form}+ü.csv"))

    daemon.settle(*SENSORS)

    assert rows(s3_lake) == dict.fromkeys((*DATES, "2011-07-01"), 3)
    assert queue.counts() == (0, 0)
    assert s3_lake.store.stat(PATH) is None
    # What no message named is found by the listing, and counted.
    daemon.settle("landing_sensor", "tables_sensor")
    assert rows(s3_lake)["2011-06-01"] == 2
    assert shown(daemon)["unannounced"].value == 1


def test_a_tick_requests_what_the_messages_name_and_lists_nothing(
    s3_lake: Lake, queue: TestQueue, daemon_with: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = daemon_with(queue_batch_files=20)
    for at in range(25):
        retail.land(s3_lake, f"{at:02}.csv", sales_csv(1, f"2011-03-{at + 1:02}"))
    queue.announce(s3_lake, *(f"{at:02}.csv" for at in range(25)))
    listed: list[str] = []
    listing = type(s3_lake.store).list

    def counting(self: Any, prefix: str, after: str = "") -> Any:
        listed.append(prefix)
        return listing(self, prefix, after)

    monkeypatch.setattr(type(s3_lake.store), "list", counting)

    [request] = daemon.requests("queue_sensor")
    waiting = {name: shown(daemon)[name].value for name in ("objects_waiting", "bytes_waiting")}
    received = [stored for at in range(20) if (stored := s3_lake.store.stat(f"landing/sales/{at:02}.csv"))]
    assert waiting == {"objects_waiting": 20, "bytes_waiting": sum(stored.size for stored in received)}
    assert daemon.launch(request).success
    first = ingested(s3_lake)
    [request] = daemon.requests("queue_sensor")
    assert daemon.launch(request).success
    assert daemon.tick("queue_sensor").skip_message == "no message waits"

    assert (len(first), len(ingested(s3_lake))) == (20, 25)
    assert len(json.dumps(request.run_config)) < 500
    assert not [prefix for prefix in listed if prefix.startswith("landing")]
    assert queue.counts() == (0, 0)


def test_duplicates_and_old_news_are_deleted_without_a_run(
    s3_lake: Lake, queue: TestQueue, daemon_with: Listening
) -> None:
    daemon = daemon_with()
    retail.land(s3_lake, "day.csv", sales_csv(2))
    first = announcement(s3_lake, "day.csv", sequencer="01")
    retail.land(s3_lake, "day.csv", sales_csv(3))
    second = announcement(s3_lake, "day.csv", sequencer="02")
    queue.send(second, second)
    daemon.settle(*SENSORS)
    assert queue.counts() == (0, 0)

    queue.send(first, second, first)
    answer = daemon.tick("queue_sensor")
    assert not answer.run_requests
    assert answer.skip_message == "3 messages received; the ledger lacks nothing that they name"
    assert queue.counts() == (0, 0)
    assert rows(s3_lake) == {retail.DAY: 3}


def test_a_message_that_will_never_be_in_the_ledger_is_deleted_and_told(
    s3_lake: Lake, queue: TestQueue, daemon_with: Listening
) -> None:
    daemon = daemon_with()
    bucket, _, prefix = s3_lake.settings.root.removeprefix("s3://").partition("/")
    queue.send(
        '{"Event": "s3:TestEvent", "Bucket": "lake"}',
        notification(record("another", f"{prefix}/landing/sales/a.csv")),
        notification(record(bucket, "elsewhere/landing/sales/a.csv")),
        notification(record(bucket, f"{prefix}/landing/nonsense/a.csv")),
        notification(record(bucket, f"{prefix}/silver/sales/a.parquet")),
        notification(record(bucket, f"{prefix}/landing/sales/.hidden/a.csv")),
        notification(record(bucket, f"{prefix}/landing/sales/a.csv", "ObjectRemoved:Delete")),
        notification(record(bucket, f"{prefix}/landing/sales/a.csv", "ObjectTagging:Put")),
    )
    answer = daemon.tick("queue_sensor")
    assert not answer.run_requests
    assert queue.counts() == (0, 0)
    told = str(shown(daemon)["named_in_vain"].value)
    for reason in ("test that S3 sends", "another bucket", "outside", "no feed", "reserved", "removed", "as they were"):
        assert reason in told


def test_an_object_that_is_gone_before_it_is_read_is_one_run_and_no_more(
    s3_lake: Lake, queue: TestQueue, daemon_with: Listening
) -> None:
    daemon = daemon_with()
    retail.land(s3_lake, "gone.csv", sales_csv(2))
    queue.announce(s3_lake, "gone.csv")
    s3_lake.store.delete("landing/sales/gone.csv")
    assert len(daemon.settle("queue_sensor")) == 1
    assert queue.counts() == (0, 0)
    assert ingested(s3_lake) == []


def test_a_manifest_that_is_told_of_later_is_looked_at(s3_lake: Lake, queue: TestQueue, daemon_with: Listening) -> None:
    daemon = daemon_with()
    retail.land(s3_lake, "day.csv", sales_csv(2))
    queue.announce(s3_lake, "day.csv")
    daemon.settle("queue_sensor")
    retail.land(s3_lake, "day.csv.manifest.json", b'{"rows": 9}')
    queue.announce(s3_lake, "day.csv.manifest.json")
    daemon.settle("queue_sensor")
    assert ask(s3_lake, "SELECT state FROM ops.ledger ORDER BY version") == [("superseded",), ("held",)]
    assert queue.counts() == (0, 0)


def test_a_message_that_cannot_be_read_ends_in_the_dead_letter_queue_and_fails_the_check(
    s3_lake: Lake, queue: TestQueue, daemon_with: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = daemon_with()
    receipts: list[str] = []
    receive = SqsQueue.receive

    def noted(asked: SqsQueue, hidden_s: int, wait_s: int = 0) -> list[Message]:
        found = receive(asked, hidden_s, wait_s)
        receipts.extend(message.receipt for message in found)
        return found

    monkeypatch.setattr(SqsQueue, "receive", noted)
    retail.land(s3_lake, "day.csv", sales_csv(2))
    queue.send("gibberish")
    queue.announce(s3_lake, "day.csv")
    answer = daemon.tick("queue_sensor")
    assert answer.run_requests
    assert not check(daemon).passed
    assert "it is no JSON" in str(check(daemon).description)
    daemon.settle("queue_sensor")
    assert queue.counts() == (0, 1)

    def is_dead() -> bool:
        queue.show_again(receipts)  # as when they were hidden for long enough
        daemon.tick("queue_sensor")
        return bool(shown(daemon)["dead_letters"].value == 1)

    wait_for("the dead letter", is_dead, 60)
    assert not check(daemon).passed
    assert "messages in the dead-letter queue: 1." in str(check(daemon).description)
    assert ingested(s3_lake) == ["day.csv"]


def test_a_queue_that_cannot_be_asked_is_told_in_one_line_and_landing_is_listed(
    s3_lake: Lake, daemon_with: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = daemon_with()
    retail.land(s3_lake, "1.csv", sales_csv(2, DATES[0]))
    daemon.settle("landing_sensor")
    assert "messages announce what lands" in str(daemon.tick("landing_sensor").skip_message)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:9")
    skipped = str(daemon.tick("queue_sensor").skip_message)
    assert "Messages stay in the queue, and landing is listed instead" in skipped
    assert "\n" not in skipped
    retail.land(s3_lake, "2.csv", sales_csv(2, DATES[1]))
    daemon.settle("landing_sensor", "tables_sensor")
    assert rows(s3_lake) == {DATES[0]: 2, DATES[1]: 2}


def test_messages_of_a_run_that_works_long_stay_hidden(
    s3_lake: Lake, queue: TestQueue, daemon_with: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = daemon_with(queue_hidden_s=10)
    retail.land(s3_lake, "day.csv", sales_csv(2))
    queue.announce(s3_lake, "day.csv")
    [request] = daemon.requests("queue_sensor")
    busy = [True]
    monkeypatch.setattr("lakehouse_assets.orchestration.arrivals.is_busy", lambda *_: busy[0])
    until = time.monotonic() + 11  # they would be seen again
    while time.monotonic() < until:
        assert daemon.tick("queue_sensor").skip_message == "a run of ingest is under way"
        assert queue.counts() == (0, 1)
        time.sleep(0.5)
    busy[0] = False
    daemon.launch(request)
    daemon.settle("queue_sensor")
    assert queue.counts() == (0, 0)
