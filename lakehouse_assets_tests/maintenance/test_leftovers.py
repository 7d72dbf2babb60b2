"""What no table and no ledger knows is found, and only what is old and certain to be of no use is removed."""

import datetime as dt
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.engines.spark import STAGING
from lakehouse_assets.forgetting.history import forget_temporary
from lakehouse_assets.maintenance.bronze_leftovers import bronze_orphans, remove_bronze
from lakehouse_assets.maintenance.leftovers import staged
from lakehouse_assets.maintenance.maintain import maintain
from lakehouse_assets.maintenance.policy import Policy
from lakehouse_assets.query.verify import verify
from lakehouse_assets.storage.stores import LocalStore
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.maintenance.aging import age, bytes_of, put
from lakehouse_assets_tests.retail import DAY, ingest, land, publish, run, sales, sales_csv, zipped

KEEP, REMOVE = "orphans, too young to remove", "remove orphans"


def done(lake: Lake, table: str, policy: Policy | None = None) -> dict[str, int]:
    """Look after the lake, and return files by action of one table."""
    actions = [a for a in maintain(lake, policy or Policy()) if a.table == table]
    return {action.action: action.files for action in actions if action.action not in {"checkpoint", "vacuum"}}


def unrecorded(lake: Lake, key: str, data: bytes, days_old: float) -> Path:
    """Leave in bronze what an ingest leaves that is killed before its ledger commit; return the file."""
    other = lake_at(f"{lake.store.root}-other")
    land(other, key, data)
    ingest(other)
    [stored] = other.store.list("bronze")
    put(lake, stored.path, days_old, other.store.read(stored.path))
    shutil.rmtree(other.store.root)
    return Path(lake.store.uri(stored.path))


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["silver/sales", "quarantine/sales", "gold/daily_metrics", "ops/ledger"])
def test_a_data_file_that_no_log_names_goes_after_a_week_and_not_before(lake: Lake, folder: str) -> None:
    land(lake, "a.csv", sales_csv())
    run(lake)
    before = bytes_of(lake)
    put(lake, f"{folder}/dt={DAY}/part-of-a-killed-writer.parquet", 6.9)
    put(lake, f"{folder}/part-of-another.parquet", 0)
    name = folder.replace("/", ".")
    assert done(lake, name) == {KEEP: 2}
    put(lake, f"{folder}/dt={DAY}/part-of-a-killed-writer.parquet", 7.1)
    assert done(lake, name) == {REMOVE: 1, KEEP: 1}
    put(lake, f"{folder}/part-of-another.parquet", 8)
    assert done(lake, name) == {REMOVE: 1}
    assert before.keys() <= bytes_of(lake).keys()
    assert list(verify(lake)) == []


@pytest.mark.slow
def test_a_longer_retention_holds_for_orphans_too_and_a_shorter_one_does_not(lake: Lake) -> None:
    land(lake, "a.csv", sales_csv())
    run(lake)
    put(lake, "silver/sales/part-a.parquet", 8)
    assert done(lake, "silver.sales", Policy(dt.timedelta(days=10))) == {KEEP: 1}
    put(lake, "silver/sales/part-a.parquet", 6)
    assert done(lake, "silver.sales", Policy(dt.timedelta(), below_seven_days=True)) == {KEEP: 1}


@pytest.mark.slow
def test_files_that_other_tools_keep_beside_a_table_stay(lake: Lake) -> None:
    land(lake, "a.csv", sales_csv())
    run(lake)
    put(lake, "silver/sales/_symlink_format_manifest/manifest", 40)
    put(lake, "ops/notes.json", 40)
    before = bytes_of(lake)
    assert done(lake, "silver.sales") == {}
    assert {path for path in before if path not in bytes_of(lake)} == set()


@pytest.mark.slow
def test_bronze_that_no_ledger_row_knows_goes_after_a_week_and_not_before(lake: Lake) -> None:
    land(lake, "a.csv", sales_csv())
    run(lake)
    young, old = unrecorded(lake, "b.csv", sales_csv(4), 6.9), unrecorded(lake, "c.csv", sales_csv(5), 7.1)
    assert done(lake, "bronze.sales") == {REMOVE: 1, KEEP: 1}
    assert young.exists()
    assert not old.exists()
    assert list(verify(lake)) == []


@pytest.mark.slow
def test_bronze_of_what_is_superseded_or_held_back_is_known_and_stays(lake: Lake) -> None:
    versions = [sales_csv(number) for number in (3, 4)]
    for data in versions:
        land(lake, "a.csv", data)
        run(lake)
    age(lake, 40)
    assert done(lake, "bronze.sales") == {}
    land(lake, "a.csv", versions[0])
    run(lake)
    assert list(verify(lake)) == []
    assert publish(lake) == {}


@pytest.mark.slow
def test_bronze_orphans_stay_while_landing_holds_what_may_be_of_their_content(lake: Lake) -> None:
    data = sales_csv(4)
    orphan = unrecorded(lake, "late.csv", data, 30)
    land(lake, "late.csv", data)
    assert done(lake, "bronze.sales") == {"orphans, kept until landing is ingested": 1}
    run(lake)
    assert orphan.exists()
    assert done(lake, "bronze.sales") == {}
    assert list(verify(lake)) == []


class Meanwhile(LocalStore):
    """A lake in which, just before an object is removed, somebody else does something."""

    def __init__(self, lake: Lake, *, ingested: bool) -> None:
        super().__init__(lake.store.root)
        self.lake, self.ingested = lake, ingested

    def delete(self, path: str, token: str | None = None) -> bool:
        land(self.lake, "late.csv", sales_csv(4))
        if self.ingested:
            ingest(self.lake)
        return super().delete(path, token)


@pytest.mark.slow
@pytest.mark.parametrize("ingested", [True, False], ids=["ingested", "landed"])
def test_bronze_that_becomes_needed_while_it_is_removed_is_put_back(lake: Lake, *, ingested: bool) -> None:
    orphan = unrecorded(lake, "late.csv", sales_csv(4), 30)
    before = orphan.read_bytes()
    feed, store = sales(lake), Meanwhile(lake, ingested=ingested)
    busy = Lake(store, lake.settings, lake.registry)
    [found] = bronze_orphans(busy, feed)
    assert remove_bronze(busy, feed, [found]) == []
    assert orphan.read_bytes() == before
    run(lake)
    assert publish(lake) == {}
    assert list(verify(lake)) == []


@pytest.mark.slow
def test_temporary_files_are_told_of_after_a_day_and_removed_after_a_week(lake: Lake) -> None:
    land(lake, "a.csv", sales_csv())
    run(lake)
    before = bytes_of(lake)
    names = ["landing/sales/2011/.a1.tmp", f"bronze/sales/dt={DAY}/.b2.tmp", ".c3.tmp",
             "silver/sales/_delta_log/_commit_1.json.tmp", f"silver/sales/dt={DAY}/part-1.parquet#2"]  # fmt: skip
    for days, told in ((0.9, {}), (1.1, {KEEP: 5}), (6.9, {KEEP: 5}), (7.1, {REMOVE: 5})):
        for name in names:
            put(lake, name, days)
        put(lake, ".dagster/.d4.tmp", 30)
        assert done(lake, "temporary files") == told
    assert not any(Path(lake.store.uri(name)).exists() for name in names)
    assert set(before) | {".dagster/.d4.tmp"} <= set(bytes_of(lake))


def test_what_a_killed_writer_leaves_behind_is_known_for_what_it_is(lake: Lake) -> None:
    """A real writer, killed while it writes: its file is temporary, and nothing of it is ever listed as an object."""
    program = (
        "import sys\nfrom lakehouse_assets.storage.stores import LocalStore\n"
        "store = LocalStore(sys.argv[1])\nprint('ready', flush=True)\n"
        "while True: store.replace('landing/sales/big.csv', b'x' * 2**28)"
    )
    root = Path(lake.store.root)
    deadline = time.monotonic() + 60
    while not (left := list(root.rglob(".*.tmp"))):
        assert time.monotonic() < deadline
        with subprocess.Popen([sys.executable, "-c", program, str(root)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            while not list(root.rglob(".*.tmp")):
                time.sleep(0.001)
            os.kill(writer.pid, signal.SIGKILL)
    for file in left:
        os.utime(file, (time.time() - 8 * 86_400,) * 2)
    Path(lake.store.uri("landing/sales/big.csv")).unlink(missing_ok=True)
    assert done(lake, "temporary files") == {REMOVE: len(left)}
    assert not list(root.rglob("*.tmp"))


@pytest.mark.slow
def test_originals_of_rejected_objects_stay_for_good_unless_the_policy_says_otherwise(lake: Lake) -> None:
    good, bad = sales_csv(), b"PK\x03\x04 no zip"
    land(lake, "good.csv", good)
    land(lake, "bad.zip", bad)
    land(lake, "half.zip", zipped({"a.csv": sales_csv(4), "b.csv": b"\x00\x01\x02"}))
    land(lake, "once.csv", sales_csv(5))
    run(lake)
    land(lake, "once.csv", bad)
    run(lake)
    refused = lake.ledger_of(sales(lake)).refused["source_key"].to_list()
    assert refused == ["bad.zip", "half.zip!b.csv", "once.csv"]
    before = bytes_of(lake)
    assert done(lake, "landing.sales") == {}
    assert done(lake, "landing.sales", Policy(rejected=dt.timedelta(days=1))) == {}
    published = lake.ledger_of(sales(lake)).live
    assert done(lake, "landing.sales", Policy(rejected=dt.timedelta())) == {"expire rejected": 2}
    gone = {path for path in before if path.startswith("landing") and path not in bytes_of(lake)}
    assert gone == {"landing/sales/bad.zip", "landing/sales/once.csv"}
    assert lake.ledger_of(sales(lake)).live.equals(published)
    assert run(lake) == {}
    assert list(verify(lake)) == []


@pytest.mark.slow(covered=True)
def test_a_resend_of_a_rejected_object_does_not_expire(lake: Lake) -> None:
    land(lake, "a.csv", b"PK\x03\x04 no zip")
    run(lake)
    land(lake, "a.csv", sales_csv())
    assert done(lake, "landing.sales", Policy(rejected=dt.timedelta())) == {}
    assert [outcome.valid for outcome in run(lake).values()] == [3]


@pytest.mark.slow
def test_on_s3_too_young_orphans_are_told_of_and_stay(s3_lake: Lake) -> None:
    land(s3_lake, "a.csv", sales_csv())
    run(s3_lake)
    s3_lake.store.replace("silver/sales/part-of-a-killed-writer.parquet", b"left behind")
    s3_lake.store.replace(f"bronze/sales/dt={DAY}/{'0' * 64}.parquet", b"left behind")
    land(s3_lake, "bad.zip", b"PK\x03\x04 no zip")
    run(s3_lake)
    policy = Policy(dt.timedelta(), below_seven_days=True, rejected=dt.timedelta())
    assert done(s3_lake, "silver.sales", policy) == {KEEP: 1}
    assert done(s3_lake, "bronze.sales", policy) == {KEEP: 1}
    assert remove_bronze(s3_lake, sales(s3_lake), bronze_orphans(s3_lake, sales(s3_lake)))
    assert s3_lake.store.stat("landing/sales/bad.zip") is None
    assert list(verify(s3_lake)) == []


def test_what_a_killed_job_of_spark_left_goes_after_a_week_and_at_once_when_a_person_is_forgotten(lake: Lake) -> None:
    put(lake, f"{STAGING}/gold.totals/1/rows/part.parquet", 6.9)
    put(lake, f"{STAGING}/gold.totals/1/rows/.part.parquet.crc", 7.1)
    put(lake, f"{STAGING}/gold.totals/2/job.json", 7.1)
    assert done(lake, "staging") == {REMOVE: 2, KEEP: 1}
    assert [item.path for item in staged(lake)] == [f"{STAGING}/gold.totals/1/rows/part.parquet"]
    forget_temporary(lake)
    assert staged(lake) == []
