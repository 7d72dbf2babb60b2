"""An API, and a lake whose customers come from it."""

import datetime as dt
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Cursor, Feed, Json, NextUrl, Offset, Pages, RestApi, UpdatedSince
from lakehouse_assets.extraction import client
from lakehouse_assets.extraction import extract as extraction
from lakehouse_assets.extraction.extract import Extracted
from lakehouse_assets.simulation.api_server import Api
from lakehouse_assets.storage import delta
from lakehouse_assets_tests import customers
from lakehouse_assets_tests.retail import ingest, publish

KINDS: dict[str, tuple[str, Pages | Offset | Cursor | NextUrl]] = {
    "pages": ("/pages", Pages(records=3)),
    "offset": ("/offset", Offset(records=3)),
    "cursor": ("/cursor", Cursor(at="next")),
    "link": ("/link", NextUrl()),
    "next": ("/next", NextUrl(at="links.next")),
}

Declare = Callable[..., Lake]


def customer(number: int, minute: int, name: str = "Anna") -> dict[str, Any]:
    """Return a record: a customer who changed some minutes after the beginning of 2026."""
    at = dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(minutes=minute)
    return {"id": number, "shop": "A", "name": name, "city": "Bern", "at": f"{at:%Y-%m-%dT%H:%M:%SZ}", "op": "U"}


@pytest.fixture
def api() -> Iterator[Api]:
    with Api([customer(number, minute=number) for number in range(10)]) as server:
        yield server


@pytest.fixture
def declare(api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Declare:
    """Return a lake whose customers come from the API: `declare("offset", per_second=5)`.

    What failed is tried again almost at once; how long it really waits is for test_client.py.
    """
    monkeypatch.setattr(client, "_FIRST_WAIT_S", 0.01)

    def lake_with(kind: str, root: str | None = None, **options: Any) -> Lake:
        path, pages = KINDS[kind]
        quick: dict[str, Any] = {"per_second": 1_000, "since": UpdatedSince(), "timeout_s": 5, "patience_s": 20}
        extract = RestApi(api.address + path, pages, **quick | options)
        return customers.lake_of(root or str(tmp_path / "lake"), feed_with(extract))

    return lake_with


def feed_with(extract: RestApi) -> Feed:
    return customers.feed(extract=extract, format=Json(records="data"))


def silver(lake: Lake) -> list[tuple[int, str]]:
    """Take on what landed, and return number and name of each customer of silver."""
    feed = lake.registry.feed("customers")
    ingest(lake, feed="customers")
    publish(lake, feed="customers")
    columns = feed.silver.types
    rows = delta.scan(lake.store, feed.silver.path, columns).select("customer_id", "name").collect()
    return sorted(rows.rows()) if isinstance(rows, pl.DataFrame) else []


def there(api: Api) -> list[tuple[int, str]]:
    """Return number and name of each customer of the API."""
    return sorted((record["id"], record["name"]) for record in api.records)


def extract(lake: Lake, *, full: bool = False) -> Extracted:
    return extraction.extract(lake, lake.registry.feed("customers"), full=full)


def landed(lake: Lake) -> list[list[dict[str, Any]]]:
    """Return the records of each page that landed."""
    return [json.loads(lake.store.read(stored.path))["data"] for stored in lake.store.list("landing/customers")]


def customers_in(lake: Lake) -> list[tuple[int, str]]:
    return sorted({(record["id"], record["name"]) for page in landed(lake) for record in page})
