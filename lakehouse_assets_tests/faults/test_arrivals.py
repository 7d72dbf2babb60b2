"""Messages that come twice, late and in any order, to a daemon that is killed at random steps: each object counts once.

They are of all feeds. The objects lie on a real S3 server, the messages in an emulated SQS. `FAULTS=all`: 2,000
arrivals and 20 kills.
"""

import os
import random
import subprocess
import threading
import time
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.registry import registry_of
from lakehouse_assets.query.verify import verify
from lakehouse_assets.sources.message_batch import PATH
from lakehouse_assets_tests.aws_emulator import AwsEmulator
from lakehouse_assets_tests.faults.conftest import EVERYTHING, TIMEOUT, Tell
from lakehouse_assets_tests.faults.listening import listen
from lakehouse_assets_tests.forked import Forked
from lakehouse_assets_tests.orchestration.queue import TestQueue, announcement
from lakehouse_assets_tests.orchestration.watched import ask
from lakehouse_assets_tests.s3_server import S3Server
from lakehouse_assets_tests.shop import FEEDS, land_all, numbered

pytestmark = [pytest.mark.slow, pytest.mark.timeout(TIMEOUT)]
ARRIVALS, KILLS, DEEPEST = (2_000, 20, 300) if EVERYTHING else (40, 2, 60)
PAUSE_S = 0.15 if EVERYTHING else 0.05
SEED = 20111209
DATES = [f"2011-03-{day:02}" for day in range(1, 21)]
TABLES = "lakehouse_assets_tests.shop_tables"
DATE_OF = {"customers": "updated_at", "products": "updated_at", "sales": "dt", "web_events": "dt"}
_COUNTS = {
    "daily_sales": "SELECT sum(lines) FROM gold.daily_sales",
    "sales_enriched": "SELECT count(*) FROM gold.sales_enriched",
    "funnel_daily": "SELECT sum(views) FROM gold.funnel_daily",
}


class Arrivals:
    """Objects of all feeds, some of them in a second version, and what S3 would say of them, in disorder."""

    def __init__(self, lake: Lake, queue: TestQueue) -> None:
        self._lake, self._queue = lake, queue
        self._chance = random.Random(SEED)  # noqa: S311 - the same disorder every time
        self.expected: dict[tuple[str, str], tuple[str, int]] = {}
        self.sent = 0

    def put_all(self, finished: Path) -> None:
        """Put every object and send its messages: at once, again, or at the end; then say that it is finished."""
        late: list[str] = []
        soon: list[str] = []
        for at in range(ARRIVALS):
            # Every tenth arrival replaces an earlier object.
            number = self._chance.randrange(at) if at % 10 == 9 else at
            feed, date, count = FEEDS[number % len(FEEDS)], DATES[number % len(DATES)], 1 + at % 3
            key = f"{number % 7}/{number:05}"
            land_all(self._lake, {f"{feed}/{key}": numbered(feed, at, date, count)})
            self.expected[feed, key] = date, count
            message = announcement(self._lake, key, feed, sequencer=f"{at:08X}")
            (late if self._chance.random() < 0.1 else soon).append(message)
            soon += [message] * (self._chance.random() < 0.2)
            if len(soon) > 30 or at == ARRIVALS - 1:
                self._send(soon)
                soon = []
            time.sleep(PAUSE_S)
        self._send(late)
        finished.touch()

    def _send(self, messages: list[str]) -> None:
        self._chance.shuffle(messages)
        self._queue.send(*messages)
        self.sent += len(messages)


def test_every_object_counts_once_whatever_is_killed(
    s3_lake: Lake, s3_server: S3Server, aws_emulator: AwsEmulator, tmp_path: Path, tell: Tell
) -> None:
    lake, queue = replace(s3_lake, registry=registry_of(TABLES)), TestQueue(aws_emulator, receives=1_000)
    arrivals, chance = Arrivals(lake, queue), random.Random(SEED + 1)  # noqa: S311 - the same kills every time
    env = os.environ | s3_server.environment | {
        "AWS_ENDPOINT_URL_SQS": aws_emulator.url, "LAKEHOUSE_ROOT": lake.settings.root,
        "LAKEHOUSE_QUEUE_URL": queue.url, "LAKEHOUSE_QUEUE_HIDDEN_S": "10", "LAKEHOUSE_QUEUE_BATCH_FILES": "50",
        "LAKEHOUSE_IDLE_INTERVAL_S": "0", "DAGSTER_HOME": str(tmp_path / "home"),
        "LAKEHOUSE_DEFINITIONS": TABLES,
    }  # fmt: skip

    def daemon(point: int) -> subprocess.CompletedProcess[str]:
        return Forked(env=env, program=partial(listen, point, tmp_path)).finish(TIMEOUT)

    begun = time.monotonic()
    putting = threading.Thread(target=arrivals.put_all, args=[tmp_path / "finished"])
    putting.start()
    ends = [daemon(chance.randrange(1, DEEPEST)).returncode for _ in range(KILLS)]
    last = daemon(0)
    putting.join()

    assert last.returncode == 0, last.stderr[-3000:]
    kills = ends.count(-9)
    points = Counter(" ".join(point.split()[:2]) for point in (tmp_path / "points").read_text().splitlines())
    tell(f"{ARRIVALS} arrivals, {arrivals.sent} messages, {kills} kills, {time.monotonic() - begun:.0f} s; {points}")
    assert kills == KILLS

    expected, by_feed = Counter[tuple[str, str]](), Counter[str]()
    for (feed, _), (date, count) in arrivals.expected.items():
        expected[feed, date] += count
        by_feed[feed] += count
    assert published(lake) == expected
    counted = {name: ask(lake, sql)[0][0] for name, sql in _COUNTS.items()}
    sold = by_feed["sales"]
    assert counted == {"daily_sales": sold, "sales_enriched": sold, "funnel_daily": by_feed["web_events"]}
    ledger = "FROM ops.ledger GROUP BY feed, object_key, object_token HAVING count(DISTINCT version) > 1"
    assert ask(lake, f"SELECT object_key {ledger}") == []
    assert set(ask(lake, "SELECT DISTINCT feed, object_key FROM ops.ledger")) == set(arrivals.expected)
    total = sum(by_feed.values())
    sums = "SELECT sum(landed), sum(valid), sum(quarantined), sum(duplicates), sum(published) FROM ops.accounting"
    assert ask(lake, sums) == [(total, total, 0, 0, total)]
    assert list(verify(lake)) == []
    assert queue.counts() == (0, 0)
    assert lake.store.stat(PATH) is None


def published(lake: Lake) -> dict[tuple[str, str], int]:
    """Return the published records by feed and date."""
    return {
        (feed, date): count
        for feed, column in DATE_OF.items()
        for date, count in ask(lake, f"SELECT {column}::DATE::VARCHAR, count(*) FROM silver.{feed} GROUP BY 1")  # noqa: S608
    }
