"""The history of a table tells its versions as they were committed."""

import datetime as dt
from pathlib import Path

import pytest
from deltalake import DeltaTable

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import ContractError
from lakehouse_assets.maintenance.maintain import maintain
from lakehouse_assets.maintenance.policy import Policy
from lakehouse_assets.query.history import versions
from lakehouse_assets.storage.stores import StorageError
from lakehouse_assets_tests.conftest import copied, lake_at
from lakehouse_assets_tests.maintenance.aging import age
from lakehouse_assets_tests.prepared import Once
from lakehouse_assets_tests.retail import land, run, sales_csv

DAYS = ["2011-03-01", "2011-03-02", "2011-03-04"]


@pytest.fixture(scope="session")
def written(once: Once) -> Lake:
    """A lake of three dates, one of which then gets a late file, and then loses all its records. Read only."""
    return lake_at(once(_written))


def _written(folder: Path) -> str:
    lake = lake_at(str(folder / "lake"))
    for day in DAYS:
        land(lake, f"{day}.csv", sales_csv(5, day))
    run(lake)
    land(lake, "late.csv", sales_csv(7, DAYS[1]))
    run(lake)
    for key in ("late.csv", f"{DAYS[1]}.csv"):
        land(lake, key, sales_csv(0))
    run(lake)
    return lake.settings.root


@pytest.mark.slow
def test_versions_come_newest_first_with_their_partitions_rows_and_bytes(written: Lake) -> None:
    found = versions(written, "silver.sales", 20)
    sizes = [size for _, size in sorted(_sizes(written, "silver/sales").items())]
    assert [(v.number, v.operation, v.summary, v.rows) for v in found] == [
        (3, "WRITE", DAYS[1], 0),
        (2, "WRITE", DAYS[1], 7),
        (1, "WRITE", f"3: {DAYS[0]} .. {DAYS[2]}", 15),
        (0, "CREATE TABLE", "", None),
    ]
    assert [v.bytes for v in found] == [0, sizes[2], sizes[1], 0]
    landed = min(file.stat().st_mtime for file in Path(written.settings.root, "landing").rglob("*.csv"))
    times = [v.at for v in found]
    assert times == sorted(times, reverse=True)
    assert dt.datetime.fromtimestamp(landed, dt.UTC) < times[-1] <= times[0] <= dt.datetime.now(dt.UTC)


def _sizes(lake: Lake, path: str) -> dict[int, int]:
    """Return the bytes that each version wrote, by what delta-rs itself says of the versions' files."""
    known: set[str] = set()
    found = {}
    for version in range(DeltaTable(lake.store.uri(path)).version() + 1):
        actions = DeltaTable(lake.store.uri(path), version=version).get_add_actions(flatten=True)
        sizes = dict(zip(*(actions.column(name).to_pylist() for name in ("path", "size_bytes")), strict=True))
        found[version] = sum(size for name, size in sizes.items() if name not in known)
        known |= set(sizes)
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("table", "newest"),
    [
        ("gold.daily_metrics", DAYS[1]),  # by year, month and day
        ("gold.product_performance", "whole"),
        ("quarantine.sales", DAYS[1]),
        ("ops.accounting", DAYS[1]),
        ("ops.ledger", ""),
    ],
)
def test_every_layout_names_its_partitions(written: Lake, table: str, newest: str) -> None:
    assert versions(written, table, 1)[0].summary == newest


@pytest.mark.slow
def test_the_limit_takes_the_newest(written: Lake) -> None:
    assert [v.number for v in versions(written, "silver.sales", 2)] == [3, 2]


@pytest.mark.slow
def test_what_was_trimmed_is_no_longer_told(written: Lake, tmp_path: Path) -> None:
    lake = copied(written, tmp_path / "lake")
    DeltaTable(lake.store.uri("silver/sales")).create_checkpoint()
    age(lake, 40, "silver/sales")
    list(maintain(lake, Policy()))
    found = versions(lake, "silver.sales", 20)
    assert [v.number for v in found] == [3]
    assert dt.datetime.now(dt.UTC) - found[0].at > dt.timedelta(days=40)


def test_a_table_that_is_not_there_is_told_in_one_line(lake: Lake) -> None:
    with pytest.raises(ContractError, match=r"^there is no table 'silver.sale'; declared are: .*ops\.ledger"):
        versions(lake, "silver.sale", 1)
    with pytest.raises(ContractError, match=r"^bronze\.sales has no versions: its objects are never overwritten\."):
        versions(lake, "bronze.sales", 1)
    with pytest.raises(ContractError, match=r"^ops\.decisions has no versions"):
        versions(lake, "ops.decisions", 1)
    with pytest.raises(
        StorageError, match=r"^silver\.sales is not yet written, so it has no versions; `lakehouse run`"
    ):
        versions(lake, "silver.sales", 1)


@pytest.mark.slow
def test_on_s3_the_history_is_the_same(s3_lake: Lake) -> None:
    land(s3_lake, "a.csv", sales_csv(5, DAYS[0]))
    run(s3_lake)
    found = versions(s3_lake, "silver.sales", 20)
    assert [(v.number, v.operation, v.summary, v.rows) for v in found] == [
        (1, "WRITE", DAYS[0], 5),
        (0, "CREATE TABLE", "", None),
    ]
