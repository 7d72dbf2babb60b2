"""A Kinesis stream (moto's, in this process) is read into landing: each record is in silver once, whatever happens."""

import gzip
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import boto3
import dagster as dg
import pytest
from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import ContractError, Json, KinesisStream
from lakehouse_assets.extraction.paging import ExtractionError
from lakehouse_assets.extraction.stream import StreamRead, read_stream
from lakehouse_assets.orchestration.extraction_asset import extractions
from lakehouse_assets.storage.stores import LocalStore
from lakehouse_assets_tests.conftest import Lakehouse
from lakehouse_assets_tests.pipeline.declared import lake_of, put, stored
from lakehouse_assets_tests.posted_tables import FEED

STREAM = KinesisStream("clicks", cron="* * * * *")
CLICKS = replace(FEED, extract=STREAM, posted=False)


@dataclass
class Kinesis:
    """The stream, and the codes with which the next calls of a name are refused instead of answered."""

    refused: dict[str, list[str]] = field(default_factory=dict)
    put: int = 0

    @property
    def client(self) -> Any:
        return boto3.client("kinesis")

    def add(self, count: int) -> None:
        for number in range(self.put, self.put + count):
            data = json.dumps({"click_id": f"c{number:04}", "at": f"2026-03-0{1 + number % 3}T10:00:00Z"})
            self.client.put_record(StreamName="clicks", Data=data.encode(), PartitionKey=str(number))
        self.put += count

    def shards(self) -> list[str]:
        return [shard["ShardId"] for shard in self.client.list_shards(StreamName="clicks")["Shards"]]


@pytest.fixture
def kinesis(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kinesis]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing-secret")
    monkeypatch.setattr("lakehouse_assets.extraction.stream._PAUSE_S", 0)
    answer, stream = BotocoreStubber.process_request, Kinesis()

    def watched(stubber: BotocoreStubber, request: Any) -> Any:
        call = str(request.headers.get("X-Amz-Target", b"")).rpartition(".")[2].strip("'")
        if codes := stream.refused.get(call):
            return 400, {}, json.dumps({"__type": codes.pop(0), "message": "as the test wants it"})
        return answer(stubber, request)

    monkeypatch.setattr(BotocoreStubber, "process_request", watched)
    with mock_aws():
        stream.client.create_stream(StreamName="clicks", ShardCount=2)
        yield stream


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return lake_of(tmp_path / "lake", CLICKS)


def read(lake: Lake, stream: KinesisStream = STREAM, *, full: bool = False) -> StreamRead:
    return read_stream(lake, CLICKS, stream, full=full)


def silver(lake: Lake) -> list[str]:
    put(lake, {}, "clicks")
    assert stored(lake, "quarantine", "_line", feed="clicks") == []
    return sorted(name for (name,) in stored(lake, "silver", "click_id", feed="clicks"))


def all_of(kinesis: Kinesis) -> list[str]:
    return [f"c{number:04}" for number in range(kinesis.put)]


@pytest.mark.slow
def test_each_reading_lands_what_is_new(kinesis: Kinesis, lake: Lake) -> None:
    assert (read(lake).records, list(lake.store.list("landing"))) == (0, [])
    for count in (30, 0, 5):
        kinesis.add(count)
        assert read(lake).records == count
    found = [stored.path for stored in lake.store.list("landing/clicks")]
    assert all(path.startswith("landing/clicks/kinesis/clicks/shardId-00000000000") for path in found)
    first = gzip.decompress(lake.store.read(found[0]))
    assert first.startswith(b'{"click_id": "c0')
    assert silver(lake) == all_of(kinesis)
    assert read(lake, full=True).records == 35
    assert silver(lake) == all_of(kinesis)


@pytest.mark.slow
def test_a_reading_is_bounded_and_objects_are_cut(
    kinesis: Kinesis, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lakehouse_assets.extraction.stream._AT_ONCE", 4)
    kinesis.add(40)
    done = [read(lake, replace(STREAM, for_s=1e-9)).records]
    while sum(done) < 40:
        done.append(read(lake, replace(STREAM, for_s=1e-9)).records)
        assert 0 < done[-1] <= 8  # four of each shard
    again = lake_of(Path(lake.settings.root).parent / "again", CLICKS)
    assert read(again, replace(STREAM, object_bytes=1)).objects >= 10
    assert silver(lake) == silver(again) == all_of(kinesis)


class Killed(BaseException):
    """The process is gone."""


@pytest.mark.slow
@pytest.mark.parametrize("is_written", [False, True])
def test_a_killed_reading_is_gone_on_with(kinesis: Kinesis, lake: Lake, *, is_written: bool) -> None:
    class Killing(LocalStore):
        def create(self, path: str, data: bytes | Path) -> bool:
            if is_written:
                super().create(path, data)
            raise Killed

    kinesis.add(20)
    for _ in range(3):
        with suppress(Killed):
            read(replace(lake, store=Killing(lake.settings.root)))
    read(lake)
    assert silver(lake) == all_of(kinesis)


@pytest.mark.slow
def test_a_stream_that_is_split_and_merged_loses_nothing(kinesis: Kinesis, lake: Lake) -> None:
    kinesis.add(20)
    read(lake)
    kinesis.client.split_shard(StreamName="clicks", ShardToSplit=kinesis.shards()[0], NewStartingHashKey=str(2**125))
    kinesis.add(20)
    read(lake)
    kinesis.client.merge_shards(
        StreamName="clicks", ShardToMerge=kinesis.shards()[2], AdjacentShardToMerge=kinesis.shards()[3]
    )
    kinesis.add(20)
    assert read(lake).shards == len(kinesis.shards()) == 5
    assert silver(lake) == all_of(kinesis)


@pytest.mark.slow
def test_records_of_a_shard_come_before_those_of_its_parts(
    kinesis: Kinesis, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lakehouse_assets.extraction.stream._AT_ONCE", 1)
    kinesis.add(20)
    kinesis.client.split_shard(StreamName="clicks", ShardToSplit=kinesis.shards()[0], NewStartingHashKey=str(2**125))
    kinesis.add(20)
    assert read(lake, replace(STREAM, for_s=1e-9)).shards == 2  # the parts wait for the shard that was split


@pytest.mark.slow
def test_what_passes_is_tried_again(kinesis: Kinesis, lake: Lake) -> None:
    kinesis.add(10)
    kinesis.refused = {"GetRecords": ["ProvisionedThroughputExceededException", "ExpiredIteratorException"]}
    assert read(lake).records == 10
    assert silver(lake) == all_of(kinesis)


@pytest.mark.slow
def test_a_sequence_number_that_is_gone_is_told(kinesis: Kinesis, lake: Lake) -> None:
    kinesis.add(10)
    read(lake)
    kinesis.add(10)
    kinesis.refused = {"GetShardIterator": ["InvalidArgumentException"]}
    done = read(lake)
    assert done.begun_anew == [kinesis.shards()[0]]
    assert "what expired before is lost" in done.message.lower()
    assert silver(lake) == all_of(kinesis)


@pytest.mark.usefixtures("kinesis")
def test_how_far_behind_a_reading_is_left_is_said() -> None:
    said = StreamRead(shards=2, records=5, objects=1, behind_s=90).message
    assert said.endswith(" What is left for the next extraction is up to 90 s old.")
    assert "left" not in StreamRead(shards=2).message


@pytest.mark.slow
def test_a_stream_that_is_not_there_is_one_clear_message(
    lake: Lake, lakehouse: Lakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ExtractionError, match=r"the stream other cannot be read .*What came before has landed"):
        read(lake, KinesisStream("other"))
    for options, why in (({"format": Json(records="a")}, "one after the other"), ({"duplicates": "keep"}, "more than")):
        with pytest.raises(ContractError, match=why):
            replace(CLICKS, **options)
    for wrong in ("", "a b"):
        with pytest.raises(ContractError, match="1 to 128 letters"):
            KinesisStream(wrong)
    monkeypatch.setenv("LAKEHOUSE_DEFINITIONS", "lakehouse_assets_tests.posted_tables")
    said = lakehouse("extract", "clicks")
    assert (said.code, "has no API" in said.err) == (1, True)


def test_its_asset_reads_it_by_its_schedule(lake: Lake) -> None:
    found = extractions(lake)
    assert [schedule.name for schedule in found.schedules or ()] == ["extract_clicks"]
    assert [asset.key for asset in found.assets or () if isinstance(asset, dg.AssetsDefinition)] == [
        dg.AssetKey(["extraction", "clicks"])
    ]
