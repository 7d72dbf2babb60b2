"""A forecast comes into the lake as a delivery does: landed once, published whole, verified; its model is kept."""

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.contracts.registry import registry_of
from lakehouse_assets.defs.automation.forecast import daily_forecast, forecast_asset
from lakehouse_assets.forecast import delivery, models, train
from lakehouse_assets.forecast.delivery import deliver
from lakehouse_assets.forecast.predict import MODEL_FILE
from lakehouse_assets.orchestration.resources import LakeResource
from lakehouse_assets.query.sql import run as query
from lakehouse_assets.query.verify import verify
from lakehouse_assets.settings import Settings
from lakehouse_assets.storage.stores import StorageError, store_for
from lakehouse_assets_tests.conftest import Cli, copied
from lakehouse_assets_tests.forecast.days import FIRST, dates
from lakehouse_assets_tests.forecast.sagemaker_in_memory import sagemaker_in_memory
from lakehouse_assets_tests.retail import Record, build, ingest, land, line, publish, sales_csv

pytestmark = [pytest.mark.usefixtures("every_table"), pytest.mark.slow]
DAY = dt.timedelta(days=1)
MODELS = ("daily_sales", "sales_enriched", "daily_group_sales")


def _lines(days: int) -> list[Record]:
    """Return a few lines of each open day, whose amounts follow the weekday."""
    found: list[Record] = []
    for date in dates(days):
        at = {"InvoiceDate": f"{date} 09:00:00"}
        found += [
            line(**at, Quantity=str(100 + 10 * date.weekday() + date.day % 7)),
            line(**at, Quantity=str(20 + date.day % 5), Country="France"),
            line(**at, StockCode="POST", Country="France", Quantity=str(1 + date.day % 3)),
        ]
    return found


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake with 62 days of sales, a category for the one product, and the tables that the forecast reads."""
    root = str(tmp_path_factory.mktemp("sold") / "lake")
    lake = Lake(store_for(root), Settings(root=root), registry_of("lakehouse_assets.defs"))
    land(lake, "x.csv", sales_csv(_lines(62)))
    product = {"stock_code": "85123A", "updated_at": "2025-01-20T00:00:00Z", "category": "LIGHT", "unit_cost": "1"}
    land(lake, "p.json", json.dumps({"data": [product]}).encode(), "products")
    for feed in ("sales", "products"):
        ingest(lake, feed=feed)
        publish(lake, feed=feed)
    build(lake, [lake.registry.models[name] for name in MODELS])
    return lake


@pytest.fixture
def sold(prepared: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A copy of that lake. Smoothing, which takes most of the time, is tested elsewhere."""
    monkeypatch.setattr(models, "_smoothed", lambda weeks: weeks[-4:].mean(axis=0))
    return copied(prepared, tmp_path / "lake")


def _publish(lake: Lake) -> list[tuple[object, ...]]:
    ingest(lake, feed="sales_forecasts")
    publish(lake, feed="sales_forecasts")
    build(lake, [lake.registry.models["sales_forecast"]])
    return list(
        query(lake, "SELECT count(*), min(date), max(date), max(trained_through) FROM gold.sales_forecast").rows
    )


def test_groups_are_few_and_their_sum_is_that_of_the_day(sold: Lake) -> None:
    groups = "SELECT country_group, product_group, count(*) FROM gold.daily_group_sales GROUP BY ALL ORDER BY ALL"
    assert query(sold, groups).rows == [
        ("United Kingdom", "LIGHT", 41), ("United Kingdom", "merchandise", 12),
        ("other countries", "LIGHT", 41), ("other countries", "merchandise", 12),
        ("other countries", "services and adjustments", 53),
    ]  # fmt: skip
    by_day = "SELECT dt, sum(net) AS net FROM gold.{} GROUP BY dt"
    differing = f"{by_day.format('daily_sales')} EXCEPT {by_day.format('daily_group_sales')}"
    assert query(sold, differing).rows == []


def test_a_forecast_is_landed_once_published_whole_and_verified(sold: Lake) -> None:
    done = deliver(sold)
    last = FIRST + 60 * DAY  # the day after is a Saturday
    assert done.landed
    assert done.card["data"]["table"] == "gold.daily_group_sales"
    assert done.card["data"]["table_version"] >= 0
    kept = json.loads(sold.store.read(f"{done.folder}/{MODEL_FILE}"))
    assert kept == done.card
    [(count, first, furthest, through)] = _publish(sold)
    assert (count, first, furthest, through) == (5 * 24, last + 2 * DAY, last + 28 * DAY, last)
    assert list(verify(sold)) == []
    again = deliver(sold)
    assert again.landed is None
    assert "Nothing landed" in again.message
    assert again.card == done.card


def test_the_newest_forecast_is_the_one_that_counts_also_when_it_came_before(
    sold: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(dt.datetime(2026, 1, 1, at, tzinfo=dt.UTC) for at in range(1, 20))
    monkeypatch.setattr(delivery, "_now", lambda: next(clock))
    for through in (FIRST + 60 * DAY, FIRST + 57 * DAY, FIRST + 60 * DAY):
        assert deliver(sold, through).landed
        assert _publish(sold)[0][3] == through


def test_by_jobs_of_sagemaker_the_same_lands(prepared: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = (copied(prepared, tmp_path / name) for name in ("here", "there"))
    chosen = {
        "forecast_on": "sagemaker",
        "forecast_role": "arn:aws:iam::123456789012:role/jobs",
        "forecast_image": "a/b:1",
    }
    there = replace(there, settings=there.settings.model_copy(update=chosen))
    with sagemaker_in_memory(monkeypatch, there, tmp_path / "jobs") as service:
        by_jobs = deliver(there)
        assert deliver(there).landed is None
        assert len(service.asked("CreateTrainingJob")) == len(service.asked("CreateTransformJob")) == 1
    in_process = deliver(here)
    assert by_jobs.landed
    assert in_process.landed
    assert there.store.read(by_jobs.landed) == here.store.read(in_process.landed)
    for file in (MODEL_FILE, train.EVALUATION_FILE):
        assert there.store.read(f"{by_jobs.folder}/{file}") == here.store.read(f"{in_process.folder}/{file}")


def test_too_little_data_lands_nothing_and_says_so(sold: Lake) -> None:
    done = deliver(sold, FIRST + 30 * DAY)
    assert done.landed is None
    assert done.message == (
        "No forecast: it needs 56 days (8 weeks) of sales on regular weekdays. There are 31 days of sales. "
        "Nothing landed; what landed before stands."
    )
    assert done.is_champion


def test_killed_before_the_model_is_whole_it_is_trained_again(sold: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(delivery, "_land", refuse)
        with pytest.raises(KeyboardInterrupt):
            deliver(sold)
    assert next(iter(sold.store.list("landing/sales_forecasts")), None) is None
    with monkeypatch.context() as patch:
        patch.setattr(train, "train", refuse)  # the model was kept
        assert deliver(sold).landed


def test_today_is_not_learnt_before_it_has_ended(sold: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def today(_: Lake, __: Feed) -> dt.date:
        return FIRST + 59 * DAY

    monkeypatch.setattr(Lake, "today", today)
    assert deliver(sold).card["trained_through"] == str(FIRST + 58 * DAY)


def test_without_the_library_it_says_what_to_install(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "find_spec", lambda _: None)
    assert not delivery.can_be_made()
    with pytest.raises(StorageError, match=r"pip install 'lakehouse-assets\[forecast\]'"):
        deliver(lake)


def test_the_asset_shows_the_card_and_its_check_the_backtest(sold: Lake) -> None:
    ran = dg.materialize([forecast_asset()], resources={"lakehouse": LakeResource(root=sold.settings.root)})
    [event] = ran.asset_materializations_for_node("forecast__sales")
    assert event.metadata["trained_through"].value == str(FIRST + 60 * DAY)
    assert "| seasonal naive" in str(event.metadata["backtest"].value)
    assert "features" in str(event.metadata["card"].value)
    [check] = ran.get_asset_check_evaluations()
    assert check.description == json.loads(sold.store.read(f"{_folder(sold)}/{MODEL_FILE}"))["reason"]
    assert daily_forecast.cron_schedule == "45 3 * * *"


def _folder(lake: Lake) -> str:
    [path] = [stored.path for stored in lake.store.list("forecast") if stored.path.endswith(MODEL_FILE)]
    return path.rsplit("/", 1)[0]


def test_the_command_on_an_empty_lake_says_what_it_needs(lake: Lake, cli: Cli) -> None:
    said = cli(lake, "forecast")
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.startswith("No forecast: it needs 56 days")
    assert next(iter(lake.store.list("landing")), None) is None
