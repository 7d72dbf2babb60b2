"""Objects of every feed of this lake that fit together: customers, products, what they do in the web shop, and sales.

For the suites that try to break a lake of several feeds; a test of sales alone takes its records from `retail`.
`registered`, `offered` and `acted` are one record each, `page` and `stream` the objects that hold them, `numbered` an
object of any feed. Keys begin with the feed: `customers/1.json`.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.registry import Registry, registry_of
from lakehouse_assets_tests.retail import DAY, build, ingest, land, line, publish, sales_csv

FEEDS = ("customers", "products", "sales", "web_events")
MODELS = (
    "customer_insights",
    "daily_customer_sales",
    "daily_sales",
    "funnel_daily",
    "live_sales_hourly",
    "sales_enriched",
)
"""What joins feeds, or is of one beside sales, and what these read."""

Objects = Mapping[str, bytes]
Fields = dict[str, Any]


@cache
def registry() -> Registry:
    """Return the declarations of all feeds and of some models of this lake.

    Without gates: a held date shows what was published before, which does not follow from what is live alone.
    """
    every = registry_of("lakehouse_assets.defs")
    feeds = [replace(feed, gate=0.0) for feed in every.feeds.values()]
    return Registry(feeds, [every.models[name] for name in MODELS])


def shop_in(lake: Lake) -> Lake:
    """Return a lake with these tables in the place of its own."""
    return replace(lake, registry=registry())


def registered(number: str, at: str, **changes: Any) -> Fields:
    """Return a record of a customer, who is so since a time."""
    about = {"name": f"Name of {number}", "email": f"{number}@example.org", "segment": "retail", "country": "EIRE"}
    return {"customer_id": number, "updated_at": at, **about, **changes}


def offered(code: str, at: str, cost: str = "1.25", **changes: Any) -> Fields:
    """Return a record of a product, which is so since a time."""
    return {"stock_code": code, "updated_at": at, "category": "lights", "unit_cost": cost, **changes}


def acted(number: int | str, at: str, kind: str = "view", **changes: Any) -> Fields:
    """Return an event."""
    return {"event_id": f"e{number}", "event_time": at, "session_id": "s1", "type": kind, **changes}


def page(*records: Fields, **about: Any) -> bytes:
    """Return an answer of an API, with more that it says beside the records."""
    return json.dumps({"data": records, "total": len(records), **about}).encode()


def stream(*events: Fields, separator: str = "\n") -> bytes:
    """Return an object of events, one after the other."""
    return separator.join(map(json.dumps, events)).encode()


def numbered(feed: str, at: int, date: str = DAY, count: int = 1, bad: int = 0) -> bytes:
    """Return an object of a feed with records that no other number has, of a date or as they are since then.

    Args:
        count: How many of them are good.
        bad: How many break the contract.
    """
    names, time = [f"{at}-{n}" for n in range(count + bad)], f"{date}T09:00:00Z"
    worse = dict.fromkeys(names[count:])
    match feed:
        case "customers":
            return page(*(registered(name, time, **({"country": None} if name in worse else {})) for name in names))
        case "products":
            return page(*(offered(name, time, "free" if name in worse else "1.25") for name in names))
        case "web_events":
            return stream(*(acted(name, time, "steal" if name in worse else "view") for name in names))
        case _:
            sold = {"InvoiceDate": f"{date} 09:00:00"}
            amounts = ["x" if name in worse else "1" for name in names]
            return sales_csv([line(**sold, InvoiceNo=f"{at * 100 + n:06}", Quantity=q) for n, q in enumerate(amounts)])


def land_all(lake: Lake, objects: Objects) -> None:
    for key, data in objects.items():
        feed, _, name = key.partition("/")
        land(lake, name, data, feed)


def run(lake: Lake, feeds: Iterable[str] = FEEDS) -> None:
    """Ingest, publish and build all that is pending."""
    for feed in feeds:
        ingest(lake, feed=feed)
        publish(lake, feed=feed)
    build(lake)
