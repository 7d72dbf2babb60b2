"""A lake that takes posts, served over HTTP: for the tests of posting, of the log and of what lands."""

import gzip
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from lakehouse_assets.cli.serve import _listener
from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.serving.http import application
from lakehouse_assets.serving.lake_source import LakeSource
from lakehouse_assets.serving.posts import posts_of
from lakehouse_assets_tests.pipeline.declared import lake_of
from lakehouse_assets_tests.posted_tables import FEED

CLICK = '{"click_id": "a", "at": "2026-03-01T10:00:00Z", "price": 1.50}'
OTHER = CLICK.replace('"a"', '"b"')


def shop_at(folder: Path, feed: Feed = FEED) -> Lake:
    """Return a lake that takes posts of one feed, and lands them when it is told to."""
    return lake_of(folder / "lake", feed, posts_log=str(folder / "log"), posts_batch_s=3_600)


def landed(lake: Lake) -> dict[str, bytes]:
    """Return the bytes of what landed, by path."""
    return {each.path: gzip.decompress(lake.store.read(each.path)) for each in lake.store.list("landing/clicks")}


@contextmanager
def server(lake: Lake) -> Iterator[Any]:
    """Serve a lake, and yield a function that posts: it gives the status, the body, and after how long to try again."""
    listener = _listener("127.0.0.1", 0)
    with posts_of(lake) as posts:
        config = uvicorn.Config(application(lake, LakeSource(lake), posts), log_level="error")
        running = uvicorn.Server(config)
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
        thread.start()

        def post(
            body: bytes, path: str = "/clicks", method: str = "POST", **headers: str
        ) -> tuple[int, Any, str | None]:
            address = f"http://127.0.0.1:{listener.getsockname()[1]}{path}"
            request = urllib.request.Request(address, body, headers, method=method)
            try:
                with urllib.request.urlopen(request, timeout=30) as found:  # noqa: S310
                    return found.status, json.loads(found.read()), None
            except urllib.error.HTTPError as error:
                return error.code, json.loads(error.read()), error.headers["Retry-After"]

        try:
            while not running.started:
                time.sleep(0.01)
            yield post
        finally:
            running.should_exit = True
            thread.join()
