"""Handling messages, step by step: bounded, and cut off between any two steps, nothing is lost and nothing is twice."""

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.pipeline.ingest import ingest
from lakehouse_assets.sources import message_batch
from lakehouse_assets.sources.announced import NothingToReadError, lacking, path_of, pending_at, waits
from lakehouse_assets.sources.handling import Handling
from lakehouse_assets.sources.message_batch import PATH, Batch, Handled, batch_of
from lakehouse_assets.sources.queue import Depth
from lakehouse_assets.sources.s3_events import ObjectEvent
from lakehouse_assets.storage.stores import LocalStore, Stored
from lakehouse_assets_tests import retail
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.retail import sales_csv
from lakehouse_assets_tests.shop import FEEDS, land_all, numbered, registry
from lakehouse_assets_tests.sources.memory_queue import CutOffError, MemoryQueue
from lakehouse_assets_tests.sources.messages import message

ROOT = "s3://lake/shop"
MOST_RUNS = 3


@pytest.fixture
def shop(tmp_path: Path) -> Lake:
    """A lake whose objects lie in a folder and whose root is in a bucket, as the messages have it."""
    lake = lake_at(ROOT, queue_batch_files=20)
    return replace(lake, store=LocalStore(str(tmp_path / "shop")))


def told(key: str, size: int = 1, token: str = "") -> str:
    """Return the message of an object by its key, which begins with its feed."""
    return message("notification", "lake", f"shop/landing/{key}", size=size, eTag=token)


def look(lake: Lake, queue: MemoryQueue) -> Handling:
    """Do what a tick of the sensor does, and then the run that it requests."""
    handling = Handling(lake, queue)
    left, missing = handling.settle(message_batch.load(lake.store), MOST_RUNS)
    batch, more = handling.receive(left)
    queue.step()
    message_batch.save(lake.store, batch)
    queue.step()
    for feed in lake.registry.feeds.values() if missing or more else ():
        found = pending_at(lake, feed, lake.ledger_of(feed), message_batch.load(lake.store).paths)
        for _ in ingest(lake, feed, list(found), "test"):
            queue.step()
    return handling


def recorded(lake: Lake) -> list[str]:
    feeds = lake.registry.feeds.values()
    return sorted(f"{feed.name}/{key}" for feed in feeds for key in lake.ledger_of(feed).entries["object_key"])


@pytest.mark.parametrize(
    ("bucket", "key", "why"),
    [
        ("other", "shop/landing/sales/a.csv", "another bucket"),
        ("lake", "landing/sales/a.csv", "outside"),
        ("lake", "shopping/landing/sales/a.csv", "outside"),
        ("lake", "shop/landing/a.csv", "no feed"),
        ("lake", "shop/landing/sales", "no feed"),
        ("lake", "shop/landing/salesy/a.csv", "no feed"),
        ("lake", "shop/bronze/sales/a.csv", "no feed"),
        ("lake", "shop/landing/sales/", "reserved"),
        ("lake", "shop/landing/sales/x/.a.csv", "reserved"),
    ],
)
def test_what_no_feed_will_ever_read_is_named(shop: Lake, bucket: str, key: str, why: str) -> None:
    with pytest.raises(NothingToReadError, match=why):
        path_of(shop, ObjectEvent(bucket, key, "created"))


def test_a_root_that_is_a_whole_bucket_has_no_prefix(shop: Lake) -> None:
    whole = replace(shop, settings=shop.settings.model_copy(update={"root": "s3://lake"}))
    assert path_of(whole, ObjectEvent("lake", "landing/sales/../a.csv", "created")) == "landing/sales/../a.csv"


@pytest.mark.parametrize(("files", "size", "taken"), [(20, 1, 20), (25, 1, 30), (1_000, 1, 45), (1_000, 2**31, 10)])
def test_a_batch_is_bounded_in_messages_and_bytes(shop: Lake, files: int, size: int, taken: int) -> None:
    shop = replace(shop, settings=shop.settings.model_copy(update={"queue_batch_files": files}))
    queue = MemoryQueue()
    queue.send(*(told(f"sales/{at}.csv", size) for at in range(45)))
    batch, missing = Handling(shop, queue).receive(Batch())
    assert len(batch.messages) == len(missing) == taken
    assert queue.depth() == Depth(45 - taken, taken, 0, None)


def test_a_batch_that_cannot_be_read_is_an_empty_one(shop: Lake) -> None:
    batch = batch_of([Handled("m", "r", ("landing/sales/a",))], [Stored("landing/sales/a", 1, "t")], 5, is_stored=False)
    message_batch.save(shop.store, batch)
    assert message_batch.load(shop.store) == batch
    for broken in (b"", b"{}", b'{"messages": [1], "told": [], "hidden_until": 0}'):
        shop.store.replace(PATH, broken)
        assert message_batch.load(shop.store) == Batch()


def test_an_object_of_which_the_ledger_has_another_version_is_looked_at(shop: Lake) -> None:
    retail.land(shop, "a.csv", sales_csv(2))
    retail.ingest(shop)
    old, new = Stored("landing/sales/a.csv", 1, "old"), Stored("landing/sales/b.csv", 1, "x")
    assert set(lacking(shop, [old, new], look=False)) == {"landing/sales/b.csv"}
    assert lacking(shop, [old, new], look=True) == {}, "b.csv is not there"
    retail.land(shop, "a.csv", sales_csv(3))
    assert set(lacking(shop, [old], look=False)) == {"landing/sales/a.csv"}


def test_a_manifest_waits_for_the_objects_that_it_may_speak_of() -> None:
    manifests = ["landing/sales/a.csv.manifest.json", "landing/sales/a.manifest.json", "landing/sales/b.manifest.json"]
    assert waits(manifests, ["landing/sales/a.csv"]) == set(manifests[:2])


def test_a_key_that_no_run_can_ingest_goes_back_to_the_queue(shop: Lake) -> None:
    retail.land(shop, "a.csv", sales_csv(2))
    queue, handling = MemoryQueue(), None
    queue.send(told("sales/a.csv"))
    batch, _ = Handling(shop, queue).receive(Batch())
    batch = replace(batch, messages=tuple(replace(m, runs=MOST_RUNS) for m in batch.messages))
    handling = Handling(shop, queue)
    left, missing = handling.settle(batch, MOST_RUNS)
    assert (left.messages, missing) == ((), {})
    assert handling.returned == ["landing/sales/a.csv"]
    assert queue.depth() == Depth(0, 1, 0, None)


@pytest.mark.slow(covered=True)
def test_cut_off_between_any_two_steps_nothing_is_lost_and_nothing_is_twice(shop: Lake) -> None:
    shop, keys = replace(shop, registry=registry()), list[str]()

    def land_another(feed: str) -> None:
        keys.append(f"{feed}/{len(keys):02}")
        land_all(shop, {keys[-1]: numbered(feed, len(keys), f"2011-03-{len(keys) % 28 + 1:02}")})

    for feed in FEEDS:
        land_another(feed)
    queue = MemoryQueue()
    for cut in itertools.count(1):
        # Everything is announced anew, twice and in another order; what was recorded before is old news.
        queue.send(*(told(key) for key in (*keys, *reversed(keys))))
        queue.steps_left = cut
        try:
            while look(shop, queue).received:
                pass
        except CutOffError:
            queue.steps_left = -1
            queue.time_is_over()
            while queue.depth().backlog or shop.store.stat(PATH):
                look(shop, queue)
            assert recorded(shop) == sorted(keys)
        else:
            break
        if cut % 5 == 0:
            # One more object that nobody has seen.
            land_another(FEEDS[cut // 5 % len(FEEDS)])
    assert cut > 20
    assert recorded(shop) == sorted(keys)
    assert {key.partition("/")[0] for key in keys[len(FEEDS) :]} == set(FEEDS)
    assert queue.depth() == Depth(0, 0, 0, None)
