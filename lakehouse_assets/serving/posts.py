"""What is posted to the feeds of a lake: durable before it is accepted, landed in batches by time and bytes.

Not here: the file format of the log (`post_log`), the requests (`posting`).
"""

import fcntl
import gzip
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Lock, Thread

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.serving.post_log import PostLog, object_name, read, segments
from lakehouse_assets.storage.stores import StorageError, settle

_LOOK_S, _REST_S = 0.25, 5.0
_AT_STOP_S = 10


class NotAcceptedError(Exception):
    """What was posted is not kept; the message says why. The client posts it again later."""


def posted_feeds(lake: Lake) -> list[Feed]:
    """Return the feeds whose records are taken over HTTP."""
    return [feed for feed in lake.registry.feeds.values() if feed.posted]


class Posts:
    """The logs of a lake's feeds on this machine. Made by `posts_of`."""

    def __init__(self, lake: Lake, folder: Path) -> None:
        self._lake, self._folder = lake, folder
        feeds = {
            *(feed.name for feed in posted_feeds(lake)),
            *(each.name for each in folder.iterdir() if each.is_dir()),
        }
        size = lake.settings.posts_batch_bytes
        self._logs = {name: PostLog(folder / name, name, size) for name in sorted(feeds)}
        self._waiting, self._counting = sum(_size(log) for name in feeds for log in segments(folder / name)), Lock()
        self.is_stopped = Event()

    def accept(self, feed: Feed, payload: bytes) -> None:
        """Return when records are on disk: they will land. Raises `NotAcceptedError`: they may not."""
        if self._waiting + len(payload) > self._lake.settings.posts_log_bytes:
            msg = f"{self._waiting:,} bytes wait to land, and no more are taken until they have"
            raise NotAcceptedError(msg)
        try:
            self._logs[feed.name].append(payload)
        except OSError as error:
            logging.getLogger(__name__).warning(
                "%s: %s. Posts are refused until there is room; free some, or set LAKEHOUSE_POSTS_LOG.",
                self._folder, error.strerror,
            )  # fmt: skip
            msg = "the disk of the log takes no more"
            raise NotAcceptedError(msg) from None
        self._count(len(payload))

    def land(self, age_s: float) -> None:
        """Land all segments that are ended, and those older than some seconds. Raises `StorageError`, `OSError`."""
        for name, log in self._logs.items():
            for segment in log.ended(age_s):
                size = _size(segment)
                body, lost = read(segment)
                if body:
                    path = f"landing/{name}/{object_name(segment)}"
                    self._lake.store.create(path, gzip.compress(body, mtime=0))  # if it is there, it is the same one
                    settle(self._lake.store, path)
                if lost:
                    _set_aside(segment, lost)
                else:
                    segment.unlink()
                self._count(-size)

    def keep_landing(self) -> None:
        """Land what is due, until it is stopped; then what is left, if the lake takes it."""
        while not self.is_stopped.wait(_LOOK_S):
            try:
                self.land(self._lake.settings.posts_batch_s)
            except (StorageError, OSError) as error:
                logging.getLogger(__name__).warning("Posts wait in %s: %s", self._folder, error)
                self.is_stopped.wait(_REST_S)
        try:
            self.land(0)
        except (StorageError, OSError) as error:
            logging.getLogger(__name__).warning("Posts stay in %s for the next start: %s", self._folder, error)

    def close(self) -> None:
        """Append nothing more to what is there."""
        for log in self._logs.values():
            log.close()

    def _count(self, size: int) -> None:
        with self._counting:
            self._waiting = max(self._waiting + size, 0)


def not_landed(lake: Lake, feed: str) -> tuple[list[Path], list[Path]]:
    """Return the files of this machine's log with posts of a feed: those that land later, and damaged ones."""
    folder = _folder_of(lake) / feed
    return segments(folder), sorted(folder.glob("*.damaged"))


def _folder_of(lake: Lake) -> Path:
    return Path(lake.settings.posts_log or lake.settings.dagster_home / "posts")


@contextmanager
def posts_of(lake: Lake) -> Iterator[Posts]:
    """Give the posts of a lake, which land in the background; those that an ended process left, too.

    Raises:
        StorageError: The log cannot be written, or belongs to another process.
    """
    folder = _folder_of(lake)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        held = os.open(folder / ".lock", os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        msg = (
            f"{folder}: {error.strerror}. Nothing was started; set LAKEHOUSE_POSTS_LOG to a folder that can be written."
        )
        raise StorageError(msg) from None
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(held)
        msg = f"{folder}: another process takes posts. Nothing was started; end it, or set another LAKEHOUSE_POSTS_LOG."
        raise StorageError(msg) from None
    posts = Posts(lake, folder)
    landing = Thread(target=posts.keep_landing, name="posts", daemon=True)
    landing.start()
    try:
        yield posts
    finally:
        posts.is_stopped.set()
        landing.join(_AT_STOP_S)
        posts.close()
        os.close(held)


def _set_aside(segment: Path, lost: int) -> None:
    kept = segment.rename(segment.with_name(f"{segment.name}.damaged"))
    logging.getLogger(__name__).warning(
        "%s: %s bytes of accepted posts were changed on the disk and cannot be read. Their records did not land, the "
        "others of the file did. The file is kept: post again what it shows of them, remove it, and check the disk.",
        kept, f"{lost:,}",
    )  # fmt: skip


def _size(segment: Path) -> int:
    return segment.stat().st_size
