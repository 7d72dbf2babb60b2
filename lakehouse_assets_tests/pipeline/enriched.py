"""Sales with what held of their customers and products at their time: declared, landed, built, and computed by hand.

`expected` says it once more in plain Python, from the records alone. Not here: the tests.
"""

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import dataframely as dy
import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Contract, Feed, Model, source
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.pipeline.pending import ModelState
from lakehouse_assets.storage import delta
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.retail import build, ingest, land, publish

START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
SQL = """
SELECT
    s.dt,
    s.sale_id,
    c.segment,
    c.is_deleted AS gone,
    p.category
FROM silver.sales AS s
ASOF LEFT JOIN silver.customers_history AS c ON s.customer_id = c.customer_id AND s.sold_at >= c.valid_from
LEFT JOIN silver.products_history AS p
    ON s.stock_code = p.stock_code
    AND s.sold_at >= p.valid_from
    AND (s.sold_at < p.valid_to OR p.valid_to IS NULL)
"""


class Sales(Contract):
    sale_id = dy.Int64(nullable=False)
    customer_id = dy.String(nullable=True, metadata=source(personal=True))
    stock_code = dy.String(nullable=False)
    sold_at = dy.Datetime(time_zone="UTC", nullable=False)


class Customers(Contract):
    customer_id = dy.String(nullable=False, metadata=source(personal=True))
    segment = dy.String(nullable=True)
    phone = dy.String(nullable=True, metadata=source(personal=True))
    updated_at = dy.Datetime(time_zone="UTC", nullable=False)
    gone = dy.Bool(nullable=True)


class Products(Contract):
    stock_code = dy.String(nullable=False)
    category = dy.String(nullable=True)
    updated_at = dy.Datetime(time_zone="UTC", nullable=False)


class Enriched(dy.Schema):
    dt = dy.Date(nullable=False)
    sale_id = dy.Int64(nullable=False)
    segment = dy.String(nullable=True)
    gone = dy.Bool(nullable=True)
    category = dy.String(nullable=True)


class Sale(NamedTuple):
    """A sale: its number, who bought what, and the hour after `START`."""

    sale_id: int
    customer_id: str | None
    stock_code: str
    hour: int

    def record(self) -> dict[str, Any]:
        named = {"sale_id": self.sale_id, "customer_id": self.customer_id, "stock_code": self.stock_code}
        return named | {"sold_at": _at(self.hour)}


class Version(NamedTuple):
    """What is said of a customer or a product from an hour on."""

    key: str
    value: str | None
    hour: int
    phone: str | None = None
    gone: bool = False

    def customer(self) -> dict[str, Any]:
        said = {"customer_id": self.key, "segment": self.value, "phone": self.phone, "gone": self.gone}
        return said | {"updated_at": _at(self.hour)}

    def product(self) -> dict[str, Any]:
        return {"stock_code": self.key, "category": self.value, "updated_at": _at(self.hour)}


def _at(hour: int) -> str:
    return f"{START + dt.timedelta(hours=hour):%Y-%m-%dT%H:%M:%SZ}"


def feeds(**customers: Any) -> list[Feed]:
    """Return the three feeds, that of the customers with some options of its own."""
    owner = "team:x"
    keyed: dict[str, Any] = {"versioned_by": "updated_at", "owner": owner, "buckets": 3}
    about: dict[str, Any] = {"name": "customers", "contract": Customers, "description": "Customers."}
    return [
        Feed(name="sales", contract=Sales, description="Sales.", owner=owner, business_date="sold_at"),
        Feed(**about | keyed | {"key": ("customer_id",), "deleted_when": pl.col("gone")} | customers),
        Feed(name="products", contract=Products, description="Products.", key=("stock_code",), **keyed),
    ]


def model(folder: Path, sql: str = SQL, **options: Any) -> Model:
    """Return the model `gold.enriched`, with its SQL in a folder."""
    folder.mkdir(exist_ok=True)
    file = folder / "enriched.sql"
    file.write_text(sql)
    declared: dict[str, Any] = {"name": "enriched", "schema": Enriched, "description": "Sales.", "owner": "team:x"}
    return Model(sql=file, **declared | {"date": "dt"} | options)


def lake_of(root: Path, sql: str = SQL, declared: list[Feed] | None = None, **options: Any) -> Lake:
    """Return a lake in a folder with these tables."""
    lake = lake_at(str(root / "lake"), **options.pop("settings", {}))
    return Lake(lake.store, lake.settings, Registry(declared or feeds(), [model(root, sql, **options)]))


def put(
    lake: Lake,
    name: str,
    customers: Iterable[Version] = (),
    products: Iterable[Version] = (),
    sales: Iterable[Sale] = (),
) -> None:
    """Land an object of each feed under a name, and publish all; gold is not built."""
    records = {
        "customers": [one.customer() for one in customers],
        "products": [one.product() for one in products],
        "sales": [one.record() for one in sales],
    }
    for feed, rows in records.items():
        if rows:
            land(lake, f"{name}.json", json.dumps(rows).encode(), feed)
            ingest(lake, feed=feed)
            publish(lake, feed=feed)


def pending(lake: Lake) -> list[str]:
    """Return the dates that have to be built."""
    return ModelState.read(lake, lake.registry.models["enriched"]).pending


def built(lake: Lake) -> list[str]:
    """Build what is pending; return the dates that were built."""
    return sorted(date for batch in build(lake)["enriched"] for date in batch.rows)


def rows(lake: Lake) -> list[tuple[Any, ...]]:
    """Return the built rows: number, segment, whether the customer is gone, category."""
    table = lake.registry.models["enriched"].table
    found = delta.scan(lake.store, table.path, table.types).collect()
    return found.select("sale_id", "segment", "gone", "category").sort("sale_id").rows()


def expected(customers: Iterable[Version], products: Iterable[Version], sales: Iterable[Sale]) -> list[tuple[Any, ...]]:
    """Return the rows that follow from all records, whatever their order."""
    people, things = _by_key(customers), _by_key(products)
    return sorted(
        (
            sale.sale_id,
            *_held(people, sale.customer_id, sale.hour),
            _held(things, sale.stock_code, sale.hour)[0],
        )
        for sale in sales
    )


def dates_of(rows: list[tuple[Any, ...]], sales: Iterable[Sale]) -> set[str]:
    """Return the dates of the sales in some rows."""
    dates = {sale.sale_id: str((START + dt.timedelta(hours=sale.hour)).date()) for sale in sales}
    return {dates[row[0]] for row in rows}


def _by_key(versions: Iterable[Version]) -> dict[str, dict[int, Version]]:
    found: dict[str, dict[int, Version]] = {}
    for one in versions:
        there = found.setdefault(one.key, {})
        there[one.hour] = max(there.get(one.hour, one), one, key=_rank)
    return found


def _rank(one: Version) -> tuple[Any, ...]:
    # As the keyed feed orders records of one version: one that deletes counts, else the larger values.
    return (one.gone, *((value is not None, value or "") for value in (one.value, one.phone)))


def _held(known: Mapping[str, dict[int, Version]], key: str | None, hour: int) -> tuple[str | None, bool | None]:
    versions = known.get(key or "", {})
    then = max((at for at in versions if at <= hour), default=None)
    return (None, None) if then is None else (versions[then].value, versions[then].gone)


SALES = [
    Sale(1, "anna", "a", 1),
    Sale(2, "anna", "b", 9),
    Sale(3, "bob", "a", 30),
    Sale(4, "anna", "a", 31),
    Sale(5, None, "a", 50),
    Sale(6, "nobody", "c", 51),
    Sale(7, "anna", "a", 75),
]
CUSTOMERS = [Version("anna", "new", 0), Version("anna", "gold", 40), Version("bob", "new", 30)]
PRODUCTS = [Version("a", "toys", 0), Version("b", "books", 9), Version("a", "games", 31)]
DAYS = [f"2026-03-0{day}" for day in (1, 2, 3, 4)]
