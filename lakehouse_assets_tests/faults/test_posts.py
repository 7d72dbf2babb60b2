"""Posts at a rate, and a gateway that is killed meanwhile: what was answered with 200 is in silver exactly once.

`FAULTS=all`: 200 posts a second for a minute with three kills, instead of 100 for six seconds with one.
"""

import http.client
import itertools
import json
import logging
import os
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets_tests.forked import Forked
from lakehouse_assets_tests.local_server import free_port
from lakehouse_assets_tests.pipeline.declared import lake_of, put, stored
from lakehouse_assets_tests.posted_tables import FEED

pytestmark = pytest.mark.slow

RATE, SECONDS, KILLS = (200, 60, 3) if os.environ.get("FAULTS") == "all" else (100, 6, 1)
CLIENTS = 8


def _gateway(lake: Lake, port: int, log: Path) -> Forked:
    own = {
        "LAKEHOUSE_ROOT": lake.settings.root,
        "LAKEHOUSE_DEFINITIONS": "lakehouse_assets_tests.posted_tables",
        "LAKEHOUSE_POSTS_LOG": str(log),
        "LAKEHOUSE_POSTS_BATCH_S": "2",
    }
    return Forked("serve", "--port", str(port), env=os.environ | own)


class Client:
    """Posts an event at each of its times, and again until it is answered with 200."""

    def __init__(self, port: int, begin: float, numbers: range) -> None:
        self.accepted, self.again = list[str](), 0
        self._port, self._begin, self._numbers = port, begin, numbers
        self.thread = threading.Thread(target=self._post_all)
        self.thread.start()

    def _post_all(self) -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)) as connection:
            for number in self._numbers:
                self._post(connection, number)

    def _post(self, connection: http.client.HTTPConnection, number: int) -> None:
        time.sleep(max(self._begin + number / RATE - time.monotonic(), 0))
        name = f"c{number:06}"
        body = json.dumps({"click_id": name, "at": f"2026-03-0{1 + number % 3}T10:00:00Z", "price": number})
        while not _is_accepted(connection, body):
            self.again += 1
            time.sleep(0.05)
        self.accepted.append(name)


def _is_accepted(connection: http.client.HTTPConnection, body: str) -> bool:
    try:
        connection.request("POST", "/clicks", body)
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException):
        connection.close()
        return False
    return answer.status == 200


def test_what_a_killed_gateway_had_accepted_is_in_silver_once(tmp_path: Path) -> None:
    lake, port, log = lake_of(tmp_path / "lake", FEED), free_port(), tmp_path / "log"
    gateway = _gateway(lake, port, log)
    begin = time.monotonic() + 2
    clients = [Client(port, begin, range(at, RATE * SECONDS, CLIENTS)) for at in range(CLIENTS)]
    for kill in range(1, KILLS + 1):
        time.sleep(max(begin + SECONDS * kill / (KILLS + 1) - time.monotonic(), 0))
        gateway.kill()
        gateway = _gateway(lake, port, log)
    for client in clients:
        client.thread.join()
    took = time.monotonic() - begin
    gateway.kill()
    before = len(list(lake.store.list("landing/clicks")))
    gateway = _gateway(lake, port, log)
    while list(log.glob("clicks/*.log")):
        assert time.monotonic() - begin < took + 60
        time.sleep(0.1)
    gateway.kill()
    put(lake, {}, "clicks")
    accepted = sorted(itertools.chain.from_iterable(client.accepted for client in clients))
    objects = len(list(lake.store.list("landing/clicks")))
    logging.getLogger(__name__).info(
        "%s posts accepted in %.1f s, %s kills, %s attempts that failed; %s objects, %s of them after the last start",
        len(accepted), took, KILLS, sum(client.again for client in clients), objects, objects - before,
    )  # fmt: skip
    assert len(accepted) == RATE * SECONDS
    assert sorted(name for (name,) in stored(lake, "silver", "click_id", feed="clicks")) == accepted
    assert stored(lake, "quarantine", "_line", feed="clicks") == []
