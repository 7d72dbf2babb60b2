"""Real ticks: what lands is ingested, exactly once per change, however the files lie."""

import os
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.orchestration.run_requests import ATTEMPTS
from lakehouse_assets.storage import local as local_store
from lakehouse_assets.storage.stores import Stored
from lakehouse_assets_tests import retail
from lakehouse_assets_tests.faults.conftest import IN_FULL
from lakehouse_assets_tests.orchestration.daemon import Daemon
from lakehouse_assets_tests.orchestration.watched import DATES, ask, rows, sweep
from lakehouse_assets_tests.retail import line, sales_csv

pytestmark = pytest.mark.slow


@pytest.fixture(params=["folder", pytest.param("s3", marks=IN_FULL)])
def any_lake(request: pytest.FixtureRequest) -> Lake:
    """A fresh lake: in a folder, then on the S3 server."""
    found: Lake = request.getfixturevalue("lake" if request.param == "folder" else "s3_lake")
    return found


def test_files_that_share_a_timestamp_are_all_ingested_once(daemon: Daemon) -> None:
    def drop(key: str, date: str) -> None:
        retail.land(daemon.lake, key, sales_csv(2, date))
        os.utime(Path(daemon.lake.settings.root) / "landing/sales" / key, (1_300_000_000, 1_300_000_000))

    for at in range(5):
        drop(f"drop-{at}.csv", f"2011-03-0{at + 1}")
    assert len(daemon.settle("landing_sensor")) == 1
    [record] = daemon.instance.fetch_observations(dg.AssetKey(["landing", "sales"]), limit=2).records
    assert record.asset_observation is not None
    found = {name: value.value for name, value in record.asset_observation.metadata.items()}
    assert found == {"objects_waiting": 5, "bytes_waiting": 5 * len(sales_csv(2, "2011-03-01"))}
    drop("a-later-one.csv", "2011-03-06")
    assert len(daemon.settle("landing_sensor")) == 1

    daemon.settle()
    assert rows(daemon.lake) == {f"2011-03-0{at}": 2 for at in range(1, 7)}
    assert ask(daemon.lake, "SELECT count(*), max(version) FROM ops.ledger") == [(6, 6)]


def test_a_page_smaller_than_the_number_of_files_reaches_them_all(
    any_lake: Lake, daemon_of: Callable[..., Daemon]
) -> None:
    daemon = daemon_of(any_lake, listing_page=3)
    keys = [f"{at:02}/drop {at}.csv" for at in range(8)]
    for at, key in enumerate(keys):
        retail.land(any_lake, key, sales_csv(2, f"2011-03-{at + 1:02}"))

    ingested = []
    for _ in range(3):
        [request] = daemon.requests("landing_sensor")
        daemon.launch(request)
        ingested.append([key for (key,) in ask(any_lake, "SELECT object_key FROM ops.ledger ORDER BY 1")])

    assert ingested == [keys[:3], keys[:6], keys]
    # The next tick begins again, so what lands before the last key seen is found too.
    retail.land(any_lake, "00/late.csv", sales_csv(2, "2011-03-09"))
    daemon.settle()
    assert rows(any_lake) == {f"2011-03-{at + 1:02}": 2 for at in range(9)}


def test_a_tick_looks_at_a_page_of_files_however_many_there_are(
    lake: Lake, daemon_of: Callable[..., Daemon], monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = daemon_of(lake, listing_page=10)
    for at in range(300):
        retail.land(lake, f"{at:03}.csv", sales_csv([line(InvoiceNo=f"{at:06}")]))
    looked_at: list[str] = []
    original = local_store._stored

    def counting(path: str, stat: os.stat_result) -> Stored:
        if path.startswith("landing/"):
            looked_at.append(path)
        return original(path, stat)

    monkeypatch.setattr(local_store, "_stored", counting)
    work = []
    for _ in range(3):
        before = len(looked_at)
        [request] = daemon.requests("landing_sensor")
        work.append(len(looked_at) - before)
        daemon.launch(request)

    assert work == [10, 10, 10]
    # Nor does the run that a tick asks for look much further than its page.
    assert ask(lake, "SELECT count(*) FROM ops.ledger") == [(30,)]
    assert len(looked_at) < 100


def test_a_file_that_cannot_be_stored_is_tried_again_and_never_forgotten(
    lake: Lake, daemon_of: Callable[..., Daemon]
) -> None:
    daemon = daemon_of(lake, listing_page=1)
    for key, date in zip(("1.csv", "2.csv", "3.csv"), DATES, strict=True):
        retail.land(lake, key, sales_csv(2, date))
    # A file where the folder of the second date should be: its bronze cannot be written.
    obstacle = Path(lake.settings.root) / f"bronze/sales/dt={DATES[1]}"
    obstacle.parent.mkdir(parents=True)
    obstacle.touch()

    results = daemon.settle(patience=4)

    assert [result.success for result in results].count(False) == ATTEMPTS
    assert rows(lake) == {DATES[0]: 2, DATES[2]: 2}
    assert any("failed" in (daemon.tick("landing_sensor").skip_message or "") for _ in range(4))

    obstacle.unlink()
    for request in sweep(daemon, "2026-01-01"):
        assert daemon.launch(request).success
    daemon.settle()
    assert rows(lake) == dict.fromkeys(DATES, 2)


def test_a_file_that_cannot_be_read_does_not_hold_up_the_others(daemon: Daemon) -> None:
    for date in DATES:
        retail.land(daemon.lake, f"{date}.csv", sales_csv(2, date))
    # Reading it is an input/output error, also for root.
    broken = Path(daemon.lake.settings.root) / "landing/sales/2011-01-01.csv"
    broken.symlink_to("/proc/self/mem")

    daemon.settle()
    assert rows(daemon.lake) == dict.fromkeys(DATES, 2)

    broken.unlink()
    retail.land(daemon.lake, "2011-01-01.csv", sales_csv(2, "2011-01-01"))
    daemon.settle()
    assert rows(daemon.lake) == dict.fromkeys(DATES, 2) | {"2011-01-01": 2}
