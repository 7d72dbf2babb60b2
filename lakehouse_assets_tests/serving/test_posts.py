"""What is posted to a feed is landed once, whatever ends the process, and refused where it could not be kept."""

import resource
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from lakehouse_assets import aws
from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.serving.post_log import PostLog, segments
from lakehouse_assets.serving.posts import Posts, posts_of
from lakehouse_assets.storage.stores import StorageError
from lakehouse_assets_tests.conftest import Cli
from lakehouse_assets_tests.pipeline.declared import lake_of, put, stored
from lakehouse_assets_tests.posted_tables import FEED
from lakehouse_assets_tests.serving.posted import CLICK, landed, server, shop_at


@pytest.fixture
def shop(tmp_path: Path) -> Lake:
    return shop_at(tmp_path)


def test_a_batch_lands_when_it_is_old_or_large_enough(shop: Lake) -> None:
    chosen = shop.settings.model_copy(update={"posts_batch_s": 0.0})
    with posts_of(replace(shop, settings=chosen)) as posts:
        posts.accept(FEED, b"{}\n")
        end = time.monotonic() + 30
        while not landed(shop):
            assert time.monotonic() < end
            time.sleep(0.05)
    with closing(PostLog(Path(shop.settings.posts_log) / "x", "x", 100)) as log:
        for _ in range(10):
            log.append(b"x" * 40)
        assert len(log.ended(3_600)) == 3  # of three frames of 48 bytes each; another one is open
        log.append(b"x")
        assert len(log.ended(0)) == 4


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize("where", ["folder", "s3"])
def test_landing_again_what_had_landed_changes_nothing(
    where: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    root = request.getfixturevalue("s3_lake").settings.root if where == "s3" else tmp_path / "lake"
    lake = lake_of(root, FEED, posts_log=str(tmp_path / "log"))
    (tmp_path / "log").mkdir()
    with closing(Posts(lake, tmp_path / "log")) as posts:
        posts.accept(FEED, CLICK.encode() + b"\n")
    (segment,) = segments(tmp_path / "log" / "clicks")
    kept = segment.read_bytes()
    for _ in range(2):
        Posts(lake, tmp_path / "log").land(3_600)
        assert list(landed(lake).values()) == [CLICK.encode() + b"\n"]
        assert segments(tmp_path / "log" / "clicks") == []
        segment.write_bytes(kept)  # killed before it was removed


def test_forgetting_says_what_waits_to_land_and_what_never_will(
    lake: Lake, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "log" / "sales"
    monkeypatch.setenv("LAKEHOUSE_POSTS_LOG", str(folder.parent))
    with closing(PostLog(folder, "sales", 2**20)) as log:
        log.append(b"{}\n")
    (segment,) = segments(folder)
    done = cli(lake, "forget", "sales", "customer_id=12345")
    assert (done.returncode, f"{folder} has posts that have not landed" in done.stdout) == (0, True), done.stderr
    kept = segment.rename(folder / f"{segment.name}.damaged")
    done = cli(lake, "forget", "sales", "customer_id=12345")
    assert (done.returncode, f"not searched: {kept}: posts that the disk damaged; remove it." in done.stdout) == (
        1,
        True,
    )
    assert "have not landed" not in done.stdout
    kept.unlink()
    assert cli(lake, "forget", "sales", "customer_id=12345").returncode == 0


def test_what_a_feed_that_is_gone_had_taken_lands(shop: Lake, tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    with closing(Posts(shop, tmp_path / "log")) as posts:
        posts.accept(FEED, b"{}\n")
    Posts(replace(shop, registry=Registry([], [])), tmp_path / "log").land(0)
    assert list(landed(shop).values()) == [b"{}\n"]


@pytest.mark.slow(covered=True)
def test_a_full_disk_refuses_and_loses_nothing(shop: Lake) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with server(shop) as post:
        assert post(CLICK.encode())[0] == 200
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))  # room for one more in a file, and half of another
        try:
            for _ in range(2):
                status, said, wait = post(CLICK.encode() * 2)
                assert (status, said["error"], wait) == (503, "the disk of the log takes no more", "10")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert post(CLICK.replace('"a"', '"b"').encode())[0] == 200
    put(shop, {}, "clicks")
    assert sorted(stored(shop, "silver", "click_id", feed="clicks")) == [("a",), ("b",)]


def test_where_nothing_can_land_posts_are_kept_and_then_refused(shop: Lake, tmp_path: Path) -> None:
    landing = Path(shop.settings.root) / "landing"
    landing.parent.mkdir(parents=True)
    landing.write_text("in the way")
    lake = replace(shop, settings=shop.settings.model_copy(update={"posts_log_bytes": 200, "posts_batch_s": 0.0}))
    with server(lake) as post:
        answers = [post(CLICK.encode())[0] for _ in range(4)]
        assert answers == [200, 200, 200, 503]
        assert "wait to land" in post(CLICK.encode())[1]["error"]
    landing.unlink()
    assert len(segments(tmp_path / "log" / "clicks")) > 0
    with posts_of(lake) as posts:
        posts.land(0)
        posts.accept(FEED, b"{}\n")
    assert b"".join(landed(shop).values()).count(CLICK.encode()) == 3


def test_without_s3_posts_are_kept_until_it_is_back(
    s3_lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = lake_of(s3_lake.settings.root, FEED, posts_log=str(tmp_path / "log"))
    (tmp_path / "log").mkdir()
    monkeypatch.setattr(aws, "STORAGE", aws.HASTY)
    with monkeypatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        with closing(Posts(lake, tmp_path / "log")) as posts:
            posts.accept(FEED, CLICK.encode() + b"\n")
            with pytest.raises(StorageError):
                posts.land(0)
            posts.accept(FEED, CLICK.encode() + b"\n")
    again = lake_of(s3_lake.settings.root, FEED, posts_log=str(tmp_path / "log"))
    Posts(again, tmp_path / "log").land(0)
    assert b"".join(landed(again).values()) == 2 * (CLICK.encode() + b"\n")
