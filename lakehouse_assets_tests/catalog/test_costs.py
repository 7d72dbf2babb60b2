"""What each asset costs, by day: counted in steps of runs where something has a price, and nothing elsewhere."""

import datetime as dt
from typing import Any

import pytest

from lakehouse_assets.catalog import costs, query_costs
from lakehouse_assets.catalog.costs import StepCost
from lakehouse_assets.context import Lake
from lakehouse_assets.orchestration.instance import opened
from lakehouse_assets.query import sql as answers
from lakehouse_assets.settings import Settings
from lakehouse_assets.storage import s3_usage
from lakehouse_assets.storage.s3_usage import Usage
from lakehouse_assets.storage.stores import StorageError
from lakehouse_assets_tests.conftest import Cli
from lakehouse_assets_tests.retail import land, sales_csv

DAYS = (dt.date(2026, 1, 1), dt.date(2026, 1, 2))


def asked(lake: Lake, sql: str) -> list[dict[str, Any]]:
    found = answers.run(lake, sql)
    return [dict(zip(found.columns, row, strict=True)) for row in found.rows]


def observed(lake: Lake) -> dict[str, dict[str, Any]]:
    """Return what the UI shows of the cost of each asset's newest step."""
    with opened(lake.settings) as instance:
        keys = instance.all_asset_keys()
        records = [r for key in keys for r in instance.fetch_observations(key, limit=1).records]
    seen = [record.event_log_entry.asset_observation for record in records]
    return {".".join(s.asset_key.path): {n: v.value for n, v in s.metadata.items()} for s in seen if s is not None}


def test_time_and_requests_are_priced_by_the_settings() -> None:
    chosen = Settings(task_vcpus=2, task_gb=8, usd_per_1000_s3_puts=0.01)
    cost = StepCost.of(chosen, 1_800, Usage(gets=10_000, puts=500, bytes_read=7, bytes_written=8), {})
    assert cost == StepCost(1_800, 10_000, 500, 7, 8, task_usd=0.05826, s3_usd=0.009)
    assert cost.usd == pytest.approx(0.06726)
    larger = StepCost.of(chosen, 1_800, Usage(), {"ecs/cpu": "4096", "ecs/memory": "16384"})
    assert larger.task_usd == 2 * cost.task_usd
    assert StepCost.of(Settings(), 1_800, Usage(), {"ecs/cpu": "4096"}).task_usd == 0


def test_costs_are_added_up_by_asset_and_day_with_those_of_athena(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(lake, "FROM ops.costs") == []
    step = StepCost(1.5, 3, 2, 100, 50, task_usd=1e-7, s3_usd=2e-6)
    for day in DAYS:
        monkeypatch.setattr("lakehouse_assets.catalog.day_records.dt", Frozen(day))
        for run in ("one", "two"):
            costs.record(lake, "silver.sales", run, step)
        costs.record(lake, "gold.daily_sales", "one", step)
        query_costs.record(lake, "athena", f"query-{day}", 10**9, 0.005)
    rows = asked(lake, "FROM ops.costs ORDER BY dt, asset")
    assert [(row["dt"], row["asset"]) for row in rows[:3]] == [
        (DAYS[0], asset) for asset in ("catalog.athena", "gold.daily_sales", "silver.sales")
    ]
    assert rows[2] == {
        "dt": DAYS[0], "asset": "silver.sales", "steps": 2, "seconds": 3.0, "s3_gets": 6, "s3_puts": 4,
        "s3_bytes_read": 200, "s3_bytes_written": 100, "bytes_scanned": 0, "task_usd": pytest.approx(2e-7),
        "s3_usd": pytest.approx(4e-6), "athena_usd": 0.0, "usd": pytest.approx(4.2e-6),
    }  # fmt: skip
    assert {name: rows[0][name] for name in ("steps", "bytes_scanned", "athena_usd", "usd")} == {
        "steps": 0, "bytes_scanned": 10**9, "athena_usd": 0.005, "usd": 0.005,
    }  # fmt: skip
    listed: list[str] = []
    listing = type(lake.store).list

    def watched(store: Any, prefix: str, after: str = "") -> Any:
        listed.append(prefix)
        return listing(store, prefix, after)

    monkeypatch.setattr(type(lake.store), "list", watched)
    assert len(asked(lake, f"FROM ops.costs WHERE dt = DATE '{DAYS[1]}'")) == 3
    assert [folder for folder in listed if "costs" in folder] == [f"ops/costs/{DAYS[1]}", f"query_costs/{DAYS[1]}"]


class Frozen:
    """The module `datetime` on one day."""

    UTC = dt.UTC

    def __init__(self, day: dt.date) -> None:
        self.datetime = self
        self._day = day

    def now(self, zone: dt.tzinfo) -> dt.datetime:
        return dt.datetime.combine(self._day, dt.time(12), zone)


@pytest.mark.slow
def test_requests_of_the_store_are_counted_as_s3_charges_them(s3_lake: Lake) -> None:
    store, before = s3_lake.store, s3_usage.total()

    def used() -> Usage:
        return s3_usage.total().since(before)

    store.create("a/one", b"12345")
    assert used() == Usage(puts=1, bytes_written=5)
    assert store.read("a/one") == b"12345"
    assert used() == Usage(gets=1, puts=1, bytes_read=5, bytes_written=5)
    store.stat("a/none")
    assert [stored.path for stored in store.list("a")] == ["a/one"]
    store.delete("a/one")  # looks first
    assert used() == Usage(gets=3, puts=2, bytes_read=5, bytes_written=5)


@pytest.mark.slow
def test_a_run_on_s3_says_what_each_asset_cost_and_a_second_one_with_nothing_to_do_costs_nothing(
    s3_lake: Lake, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKEHOUSE_TASK_VCPUS", "1")
    land(s3_lake, "march.csv", content := sales_csv(3))
    assert cli(s3_lake, "run").returncode == 0
    rows = {row["asset"]: row for row in asked(s3_lake, "FROM ops.costs")}
    assert {"landing.sales", "silver.sales", "gold.daily_sales"} <= rows.keys()
    landed = rows["landing.sales"]
    assert landed["s3_bytes_read"] >= len(content)
    assert landed["s3_puts"] > 0
    assert landed["usd"] == pytest.approx(landed["task_usd"] + landed["s3_usd"])
    assert landed["task_usd"] == pytest.approx(landed["seconds"] / 3_600 * 0.04048, abs=1e-8)
    assert cli(s3_lake, "run").returncode == 0
    assert {row["asset"]: row for row in asked(s3_lake, "FROM ops.costs")} == rows


@pytest.mark.slow
def test_a_local_lake_without_a_price_records_nothing_and_one_with_a_price_shows_it(
    lake: Lake, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(lake, "march.csv", sales_csv(3))
    assert cli(lake, "run").returncode == 0
    assert asked(lake, "FROM ops.costs") == []
    assert observed(lake) == {}
    monkeypatch.setenv("LAKEHOUSE_TASK_GB", "4")
    assert cli(lake, "run", "silver.sales").returncode == 0
    [row] = asked(lake, "FROM ops.costs WHERE asset = 'silver.sales'")
    shown = observed(lake)["silver.sales"]
    assert shown == {"usd": row["usd"], "run seconds": row["seconds"], "S3 requests": 0, "S3 bytes": 0}
    assert row["usd"] > 0

    def refuse(*_: object) -> None:
        raise StorageError("the bucket is full")

    monkeypatch.setattr(costs, "record", refuse)
    assert cli(lake, "run", "silver.sales").returncode == 0
