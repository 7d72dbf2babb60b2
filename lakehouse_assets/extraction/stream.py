"""One reading of a Kinesis stream: what is new in each shard lands, and the key of an object says how far that is.

`landing/web_events/kinesis/web-events/shardId-000000000000/2026-11/22/4959...-4960...json.gz` has the records of a
shard from one sequence number to another. Nothing else is kept, so what was read and what landed cannot disagree: a
killed reading is repeated from the newest object on. Not here: what the feed declares.
"""

import datetime as dt
import gzip
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from lakehouse_assets import aws
from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.contracts.kinesis import KinesisStream
from lakehouse_assets.extraction.paging import ExtractionError

_Shape = dict[str, Any]
_OBJECT = re.compile(r"/\d+-(\d+)\.json\.gz$")
_AT_ONCE = 10_000
_PAUSE_S = 0.2  # a shard answers five times a second


@dataclass
class StreamRead:
    """What a reading did.

    Attributes:
        begun_anew: Shards whose newest record that landed is gone from the stream: later ones may be, too.
        behind_s: How old the oldest record is that was left for the next reading, about.
    """

    shards: int = 0
    records: int = 0
    objects: int = 0
    bytes: int = 0
    begun_anew: list[str] = field(default_factory=list)
    behind_s: float = 0

    @property
    def message(self) -> str:
        """The outcome in words."""
        gone = (
            f" The newest record that had landed is gone from {', '.join(self.begun_anew)}: read from the oldest on. "
            "What expired before is lost; read more often, or keep records longer in the stream."
        )
        left = f" What is left for the next extraction is up to {self.behind_s:,.0f} s old." if self.behind_s else ""
        read = f"shards read: {self.shards:,}, records: {self.records:,}, objects landed: {self.objects:,}."
        return read + left + gone * bool(self.begun_anew)

    @property
    def shown(self) -> dict[str, str | int | float]:
        """The same, by name."""
        return {
            "shards": self.shards, "records": self.records, "objects": self.objects, "bytes": self.bytes,
            "seconds behind": self.behind_s, "shards begun anew": ", ".join(self.begun_anew),
        }  # fmt: skip


def read_stream(lake: Lake, feed: Feed, stream: KinesisStream, *, full: bool = False) -> StreamRead:
    """Land what is new in a stream, for a bounded time.

    Args:
        full: Everything that the stream still has.

    Raises:
        ExtractionError: The stream cannot be read. What came before has landed.
    """
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    client = aws.client("kinesis", aws.STEADY)
    done, until, behind = StreamRead(), time.monotonic() + stream.for_s, set[str]()
    try:
        pages = client.get_paginator("list_shards").paginate(StreamName=stream.name)
        shards = list(_parents_first([shard for page in pages for shard in page["Shards"]]))
        for number, shard in enumerate(shards):
            name = shard["ShardId"]
            share = (until - time.monotonic()) / (len(shards) - number)
            reading = _Reading(lake, feed, stream, client, done, name)
            # The records of a shard come before those of the ones that it was split into.
            if not behind.isdisjoint(_parents(shard)) or not reading.to_end(share, full=full):
                behind.add(name)
    except (BotoCoreError, ClientError) as error:
        msg = (
            f"the stream {stream.name} cannot be read ({error}). What came before has landed, and the next extraction "
            "goes on from there; check its name, the region and the role."
        )
        raise ExtractionError(msg) from None
    return done


def _parents(shard: _Shape) -> set[str]:
    return {shard.get("ParentShardId", ""), shard.get("AdjacentParentShardId", "")} - {""}


def _parents_first(shards: Sequence[_Shape]) -> Iterator[_Shape]:
    left = {shard["ShardId"]: shard for shard in shards}
    while left:
        ready = [name for name, shard in left.items() if _parents(shard).isdisjoint(left)]
        yield from (left.pop(name) for name in ready)


@dataclass(frozen=True)
class _Reading:
    """Reads one shard, and counts."""

    lake: Lake
    feed: Feed
    stream: KinesisStream
    client: Any
    done: StreamRead
    shard: str

    @property
    def _folder(self) -> str:
        return f"{self.feed.landing}/kinesis/{self.stream.name}/{self.shard}"

    def to_end(self, for_s: float, *, full: bool) -> bool:
        """Land what is new, for some seconds; return whether that was all."""
        end, last = time.monotonic() + for_s, None if full else self._landed_until()
        iterator: str | None = self._after(last)
        records, size, behind_ms = list[_Shape](), 0, 0
        self.done.shards += 1
        try:
            while iterator:
                try:
                    answer = self.client.get_records(ShardIterator=iterator, Limit=_AT_ONCE)
                except self.client.exceptions.ExpiredIteratorException:  # one lives for five minutes
                    iterator = self._after(last)
                    continue
                for record in answer["Records"]:
                    records.append(record)
                    size, last = size + len(record["Data"]), record["SequenceNumber"]
                if size >= self.stream.object_bytes:
                    self._land(records)
                    records, size = [], 0
                iterator, behind_ms = answer.get("NextShardIterator"), answer.get("MillisBehindLatest", 0)
                if not behind_ms or time.monotonic() >= end:
                    break
                time.sleep(_PAUSE_S)
        finally:
            self._land(records)
        self.done.behind_s = max(self.done.behind_s, behind_ms / 1_000)
        return not iterator or not behind_ms

    def _after(self, last: str | None) -> str:
        """Return where to read on, behind a record that landed."""
        if last is not None:
            try:
                return self._iterator(ShardIteratorType="AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=last)
            except self.client.exceptions.InvalidArgumentException:  # expired, or of another stream of that name
                self.done.begun_anew.append(self.shard)
        return self._iterator(ShardIteratorType="TRIM_HORIZON")

    def _iterator(self, **place: str) -> str:
        found = self.client.get_shard_iterator(StreamName=self.stream.name, ShardId=self.shard, **place)
        return str(found["ShardIterator"])

    def _landed_until(self) -> str | None:
        """Return the sequence number of the newest record that landed; looks at the newest day only."""
        store = self.lake.store
        for month in sorted(store.folders(self._folder), reverse=True):
            for day in sorted(store.folders(month), reverse=True):
                found = [parts[1] for stored in store.list(day) if (parts := _OBJECT.search(stored.path))]
                if found:
                    return max(found, key=int)
        return None

    def _land(self, records: Sequence[_Shape]) -> None:
        if not records:
            return
        body = b"".join(record["Data"].rstrip(b"\r\n") + b"\n" for record in records)
        name = f"{records[0]['SequenceNumber']}-{records[-1]['SequenceNumber']}.json.gz"
        path = f"{self._folder}/{dt.datetime.now(dt.UTC):%Y-%m/%d}/{name}"
        self.lake.store.create(path, gzip.compress(body, mtime=0))  # if it is there, it is the same one
        self.done.objects += 1
        self.done.records += len(records)
        self.done.bytes += len(body)
