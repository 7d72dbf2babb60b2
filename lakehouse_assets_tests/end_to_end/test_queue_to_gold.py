"""An object put into S3, its event in SQS, the real daemon: the record is in gold, and the message is gone."""

import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.query.verify import verify
from lakehouse_assets_tests.aws_emulator import AwsEmulator
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.orchestration.dev_server import DevServer, wait_for
from lakehouse_assets_tests.orchestration.queue import TestQueue
from lakehouse_assets_tests.orchestration.watched import ask
from lakehouse_assets_tests.retail import sales_csv

pytestmark = pytest.mark.slow
DAY = "2011-03-01"
OBJECTS = """
query { assetNodeOrError(assetKey: {path: ["arrivals", "queue"]}) { ... on AssetNode {
    groupName assetObservations(limit: 1) { metadataEntries { label ... on IntMetadataEntry { intValue } } } } } }"""


@pytest.fixture
def bucket(aws_emulator: AwsEmulator, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bucket of the emulator, at which every AWS client of this process looks."""
    for name, value in aws_emulator.environment.items():
        monkeypatch.setenv(name, value)
    name = f"lake-{uuid.uuid4().hex[:8]}"
    aws_emulator.client("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture
def connected(aws_emulator: AwsEmulator, bucket: str) -> TestQueue:
    """A queue that the bucket tells of each object that is put below landing."""
    queue = TestQueue(aws_emulator)
    rule = {"Key": {"FilterRules": [{"Name": "prefix", "Value": "shop/landing/"}]}}
    wanted = {"QueueArn": queue.arn, "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"], "Filter": rule}
    aws_emulator.client("s3").put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [wanted]}
    )
    return queue


@pytest.fixture
def served(
    aws_emulator: AwsEmulator, bucket: str, connected: TestQueue, tmp_path: Path
) -> Iterator[tuple[DevServer, Lake]]:
    """`lakehouse dev` on a lake in the bucket, which hears of it by the queue."""
    root = f"s3://{bucket}/shop"
    cloud = aws_emulator.environment | {"DAGSTER_HOME": str(tmp_path / "home")}
    with DevServer(root, tmp_path / "dev.log", cloud, queue_url=connected.url) as server:
        yield server, lake_at(root)


def gold(lake: Lake) -> dict[str, int]:
    return dict(ask(lake, "SELECT dt::VARCHAR, sum(lines)::BIGINT FROM gold.daily_sales GROUP BY dt"))


def test_an_object_put_into_s3_shows_in_gold_and_its_message_is_gone(
    aws_emulator: AwsEmulator,
    bucket: str,
    connected: TestQueue,
    served: tuple[DevServer, Lake],
    capsys: pytest.CaptureFixture[str],
) -> None:
    server, lake = served
    s3, key = aws_emulator.client("s3"), f"shop/landing/sales/{DAY} +ü.csv"
    wait_for("the test message to be deleted", lambda: connected.counts() == (0, 0), 120)
    begun = time.monotonic()
    s3.put_object(Bucket=bucket, Key=key, Body=sales_csv(3, DAY))
    wait_for(f"gold.daily_sales of {DAY}", lambda: gold(lake) == {DAY: 3}, 240)
    seconds = time.monotonic() - begun
    s3.delete_object(Bucket=bucket, Key=key)

    wait_for("an empty queue", lambda: connected.counts() == (0, 0), 120)
    assert gold(lake) == {DAY: 3}
    assert list(verify(lake)) == []
    node = server.graphql(OBJECTS)["assetNodeOrError"]
    shown = {entry["label"]: entry.get("intValue") for entry in node["assetObservations"][0]["metadataEntries"]}
    assert node["groupName"] == "landing"
    assert shown["backlog"] is not None
    with capsys.disabled():
        print(f"\nfrom S3 to gold.daily_sales by event, under `lakehouse dev`: {seconds:.1f} s")  # noqa: T201 - a measurement
