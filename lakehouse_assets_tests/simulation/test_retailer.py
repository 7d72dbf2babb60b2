"""What the simulated retailer sells, shows and drops fits together, and comes again from the same seed."""

import csv
import datetime as dt
import gzip
import io
import json
import random
from pathlib import Path
from typing import Any

import pytest
import requests

from lakehouse_assets.cli.demo import _extracted
from lakehouse_assets.context import Lake
from lakehouse_assets.extraction.extract import extract
from lakehouse_assets.simulation import events, sales
from lakehouse_assets.simulation.register import PRODUCTS, Register
from lakehouse_assets.simulation.retailer import API_KEY, RetailerApi, Shop, is_its_lake
from lakehouse_assets_tests.conftest import Lakehouse, lake_at
from lakehouse_assets_tests.retail import land, sales_csv

TODAY = dt.date(2026, 11, 22)
NOW = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.UTC)


def register(**more: Any) -> Register:
    return Register(NOW, **more)


def sent(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(data).splitlines()]


@pytest.mark.slow
def test_the_same_day_gives_the_same_bytes() -> None:
    for drops in (sales.drops, events.drops):
        first, again = (dict(drops(count, TODAY, register())) for count in (5, 8))
        assert first.items() <= again.items()
        assert len(first) == 5


def test_customers_of_sales_live_where_the_register_says_they_lived_then() -> None:
    known = register()
    versions = {(record["customer_id"], record["updated_at"]): record for record in known.versions["customers"]}
    assert len(versions) == len(known.versions["customers"])
    checked = 0
    for day in sales.open_days(5, TODAY):
        for invoice in sales.invoices(day, known):
            if invoice.customer is not None:
                at = invoice.moment.replace(tzinfo=sales.ZONE).astimezone(dt.UTC)
                before = [one for one in versions.values() if one["customer_id"] == str(invoice.customer)]
                then = max((one for one in before if one["updated_at"] <= f"{at:%Y-%m-%dT%H:%M:%SZ}"), key=_updated_at)
                assert invoice.country == then["country"]
                checked += 1
            assert {code for code, *_ in invoice.lines} <= {code for code, *_ in PRODUCTS}
    assert checked > 50


def _updated_at(record: dict[str, Any]) -> str:
    return str(record["updated_at"])


def test_visits_lead_to_the_sales_and_come_twice_late_and_in_no_order() -> None:
    known, days = register(), sales.open_days(8, TODAY)
    found = [sent(data) for _, data in events.drops(8, TODAY, known)]
    records = [event for batch in found for event in batch]
    distinct = {event["event_id"]: event for event in records}
    assert 0.002 < len(records) / len(distinct) - 1 < 0.02
    late = [e for day, batch in zip(days, found, strict=True) for e in batch if e["event_time"] < f"{day}"]
    assert 0.005 < len(late) / len(records) < 0.04
    assert found[0] != sorted(found[0], key=lambda event: event["event_time"])
    sold = {
        (
            str(invoice.customer or ""),
            code,
            invoice.moment.astimezone(dt.UTC) if invoice.moment.tzinfo else invoice.moment,
        )
        for day in days
        for invoice in sales.invoices(day, known)
        for code, *_ in invoice.lines
        if not invoice.is_cancelled
    }
    bought = [event for event in distinct.values() if event["type"] == "purchase"]
    assert len(bought) > 500
    for event in bought:
        wall = dt.datetime.fromisoformat(event["event_time"]).astimezone(sales.ZONE).replace(tzinfo=None)
        if wall.date() >= days[0]:
            assert (event["customer_id"] or "", event["stock_code"], wall) in sold


def test_a_change_is_kept_beside_the_lake_and_seen_by_later_sales(tmp_path: Path) -> None:
    kept = tmp_path / "changes.jsonl"
    known, dice = register(kept=kept), random.Random(1)  # noqa: S311
    for number in range(40):
        known.change(dice, NOW + dt.timedelta(minutes=number))
    again = register(kept=kept)
    assert again.versions == known.versions
    moved = [record for record in again.versions["customers"] if record["updated_at"] >= "2026-11-22T12"]
    assert len(moved) == 40
    for record in moved[-5:]:
        assert again.country(int(record["customer_id"]), NOW + dt.timedelta(hours=1)) == record["country"]


@pytest.mark.slow
@pytest.mark.usefixtures("every_table")
def test_the_api_gives_every_version_and_faults_by_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKE_RETAILER_KEY", API_KEY)
    known = register()
    with RetailerApi(register=known) as api:
        lake = lake_at(str(tmp_path / "lake"), api_url=api.address)
        for name in ("429", "shifted"):
            said = requests.post(f"{api.address}/faults/{name}", timeout=5)
            assert said.text == f"{name} in the next 1 answers.\n"
            done = extract(lake, lake.registry.feed("customers"), full=True)
            assert done.records == len(known.versions["customers"])
            done = extract(lake, lake.registry.feed("products"), full=True)
            assert done.records >= len(known.versions["products"])
        assert requests.post(f"{api.address}/faults/nonsense", timeout=5).status_code == 404
        for count in ("x", "-1", "0", "1001", "²", "9" * 5_000):
            said = requests.post(f"{api.address}/faults/500?count={count}", timeout=5)
            assert (said.status_code, said.text) == (400, "count is a number from 1 to 1,000; no fault was set.\n")


@pytest.mark.slow
@pytest.mark.usefixtures("every_table")
def test_the_demo_asks_with_the_key_of_its_retailer_whatever_key_is_set(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKE_RETAILER_KEY", "of another API")
    known = register()
    assert dict(_extracted(lake, known))["customers"] == len(known.versions["customers"])


@pytest.mark.usefixtures("every_table")
def test_the_shop_lands_what_it_sells(lake: Lake) -> None:
    known = register()
    shop = Shop(lake, known, speed=1)
    for number in range(4):
        for step, name in enumerate(("web_events", "web_events", "changes", "sales", "web_events")):
            shop.step(name, NOW + dt.timedelta(seconds=number, milliseconds=step))
    files = [lake.store.read(stored.path) for stored in lake.store.list("landing/sales")]
    batches = [sent(lake.store.read(stored.path)) for stored in lake.store.list("landing/web_events")]
    assert (len(files), len(batches)) == (4, 12)
    events = [event for batch in batches for event in batch]
    assert len({event["event_id"] for event in events}) == len({json.dumps(event) for event in events})
    drops = [list(csv.DictReader(io.StringIO(file.decode()))) for file in files]
    sold = [invoice for drop in drops for invoice in {row["InvoiceNo"] for row in drop}]
    assert len(sold) == len(set(sold)) > len(files)
    rows = [row for drop in drops for row in drop]
    codes = {row["StockCode"] for row in rows}
    assert {event["stock_code"] for batch in batches for event in batch if event["type"] == "purchase"} <= codes
    assert len(known.versions["customers"]) == len(register().versions["customers"]) + 4


def test_it_sells_to_no_lake_in_which_something_else_landed(lake: Lake, lakehouse: Lakehouse) -> None:
    land(lake, "real.csv", sales_csv())
    assert not is_its_lake(lake)
    said = lakehouse("demo", "--days", "1")
    assert (said.code, said.out) == (1, "")
    assert "Nothing was landed; name another lake: LAKEHOUSE_ROOT=.demo lakehouse demo." in said.err
    assert [stored.path for stored in lake.store.list("landing/")] == ["landing/sales/real.csv"]


def test_what_lands_beside_what_it_sold_does_not_end_its_work(lake: Lake) -> None:
    assert is_its_lake(lake)
    land(lake, "mine.csv", sales_csv())
    assert is_its_lake(lake)
