"""The log of posts gives back what was appended, whatever a kill or the disk did to its end or its middle."""

import os
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.serving.post_log import PostLog, read, segments
from lakehouse_assets.serving.posts import Posts, posts_of
from lakehouse_assets.storage.stores import StorageError
from lakehouse_assets_tests.posted_tables import FEED
from lakehouse_assets_tests.serving.posted import landed, shop_at


@pytest.fixture
def shop(tmp_path: Path) -> Lake:
    return shop_at(tmp_path)


def test_one_fsync_is_for_all_that_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def slow(_: int) -> None:
        calls.append(1)
        time.sleep(0.05)

    monkeypatch.setattr(os, "fsync", slow)
    log = PostLog(tmp_path / "log" / "clicks", "clicks", 2**20)
    threads = [threading.Thread(target=log.append, args=(b"%d\n" % number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) < 12
    log.close()
    (segment,) = segments(tmp_path / "log" / "clicks")
    assert sorted(read(segment)[0].split()) == sorted(b"%d" % number for number in range(40))


def test_half_a_frame_is_as_if_it_were_not_there(tmp_path: Path) -> None:
    log = PostLog(tmp_path, "clicks", 2**20)
    for payload in (b"one\n", b"two\n"):
        log.append(payload)
    (segment,) = log.ended(0)
    whole = segment.read_bytes()
    for size in range(len(whole)):
        segment.write_bytes(whole[:size] + b"\0" * (size % 3))
        assert read(segment)[0] == (b"" if size < len(whole) // 2 else b"one\n")
        segment.write_bytes(whole[:size])
        assert read(segment)[1] == 0


DAMAGES = {
    "in its bytes": (12 + 9, b"x", "ac", 12),
    "in its length, too large": (12, b"\xff", "ac", 12),
    "in its length, too small": (12 + 3, b"\1", "ac", 12),
    "in its CRC": (12 + 5, b"\xff\xff", "ac", 12),
    "in two of them": (9, b"x" * 8, "c", 24),
    "in the last one": (24 + 9, b"x", "ab", 12),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_frame_that_was_changed_on_the_disk_hides_no_other_and_is_kept(
    damage: str, shop: Lake, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    at, changed, left, lost = DAMAGES[damage]
    (tmp_path / "log").mkdir()
    with closing(Posts(shop, tmp_path / "log")) as posts:
        for name in "abc":
            posts.accept(FEED, f'"{name}"'.encode() + b"\n")
    (segment,) = segments(tmp_path / "log" / "clicks")
    whole = segment.read_bytes()
    assert len(whole) == 36
    segment.write_bytes(whole[:at] + changed + whole[at + len(changed) :])
    Posts(shop, tmp_path / "log").land(0)
    assert list(landed(shop).values()) == ["".join(f'"{name}"\n' for name in left).encode()]
    (kept,) = (tmp_path / "log" / "clicks").iterdir()
    assert kept.name == f"{segment.name}.damaged"
    (said,) = caplog.messages
    assert said.startswith(f"{kept}: {lost} bytes of accepted posts were changed on the disk")
    Posts(shop, tmp_path / "log").land(0)
    assert len(caplog.messages) == len(landed(shop)) == 1


def test_half_a_frame_is_no_damage(shop: Lake, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "log").mkdir()
    with closing(Posts(shop, tmp_path / "log")) as posts:
        posts.accept(FEED, b"{}\n" * 2)
        posts.accept(FEED, b"{}\n" * 3)
    (segment,) = segments(tmp_path / "log" / "clicks")
    segment.write_bytes(segment.read_bytes()[:-1])
    Posts(shop, tmp_path / "log").land(0)
    assert list(landed(shop).values()) == [b"{}\n" * 2]
    assert list((tmp_path / "log" / "clicks").iterdir()) == []
    assert caplog.messages == []


def test_files_of_others_in_the_folder_of_the_log_stay_as_they_are(shop: Lake, tmp_path: Path) -> None:
    others = [tmp_path / "log" / folder / "access.log" for folder in ("nginx", "clicks")]
    for other in others:
        other.parent.mkdir(parents=True)
        other.write_text("GET / 200")
    with closing(Posts(shop, tmp_path / "log")) as posts:
        posts.accept(FEED, b"{}\n")
        posts.land(0)
    assert list(landed(shop).values()) == [b"{}\n"]
    assert [other.read_text() for other in others] == ["GET / 200"] * 2


def test_a_log_has_one_process(shop: Lake) -> None:
    with posts_of(shop), pytest.raises(StorageError, match="another process takes posts"), posts_of(shop):
        pass
