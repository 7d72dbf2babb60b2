"""A person who stands in every feed of this lake is in no byte of it once each feed has forgotten them.

In landing, packs, histories, events that come again, and what joins them as of a time.
"""

from functools import partial
from hashlib import sha256

import polars as pl
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.forgetting import service
from lakehouse_assets.forgetting.request import ask
from lakehouse_assets.maintenance.policy import Policy
from lakehouse_assets.query.tables import frames
from lakehouse_assets.query.verify import verify
from lakehouse_assets_tests import shop
from lakehouse_assets_tests.erasure.everywhere import PERSON
from lakehouse_assets_tests.erasure.traces import traces
from lakehouse_assets_tests.faults.conftest import IN_FULL
from lakehouse_assets_tests.faults.reading import Tables, differences, tables_of
from lakehouse_assets_tests.maintenance.aging import done
from lakehouse_assets_tests.retail import DAY, gzipped, line, sales_csv
from lakehouse_assets_tests.shop import Fields, Objects, acted, offered, page, registered, stream

pytestmark = pytest.mark.slow
ABOUT = {"name": "Zoë Quill-Ashby", "email": "Zoe.Quill@example.org", "phone": "+44 20 7946 0999"}
THEIRS = (PERSON, *ABOUT.values())
NAMED = (
    ("customers", f"customer_id={PERSON}.0"),
    ("customers", f"email={ABOUT['email']}"),  # of a record that lacks the number
    ("web_events", f"customer_id={PERSON}"),
    ("sales", f"customer_id={PERSON}"),
)
OTHERS = [registered(f"1785{at}", f"2011-01-0{at + 1}T00:00:00Z") for at in range(4)]


def person(at: str, **changes: str | None) -> Fields:
    return registered(f"{PERSON}.0", f"2011-{at}Z", **ABOUT | changes)


def acts(at: int, separator: str) -> bytes:
    """Return what others did, the person, and the person in an event that breaks the contract."""
    rest = [acted(f"{at}{n}", f"{DAY}T10:0{n}:00Z", "purchase", customer_id=f"1785{n}") for n in range(4)]
    mine = acted(f"{at}p", f"{DAY}T11:00:00Z", "cart", customer_id=f"{PERSON}.0", session_id="theirs")
    return stream(*rest, mine, {**mine, "type": "steal"}, separator=separator)


def sold(*theirs: Fields) -> bytes:
    rest = [line(InvoiceDate=f"{DAY} 12:00:00", CustomerID=f"1785{at % 4}", Quantity=str(at)) for at in range(1, 41)]
    return sales_csv([*rest, *theirs])


FIRST: Objects = {
    "customers/1.json": page(*OTHERS, person("01-01T00:00:00"), next=PERSON),
    "customers/2.json": page(person("03-01T10:00:00", segment="vip"), registered("", "2011-03-01T00:00:00Z", **ABOUT)),
    "customers/0.json": page(OTHERS[0], links={"next": f"https://api/c?after={PERSON}&limit=1"}, last=int(PERSON)),
    "products/1.json": page(offered("85123A", "2011-01-01T00:00:00Z"), offered("22423", "2011-03-02T00:00:00Z", "2.5")),
    "sales/1.csv": sold(line(CustomerID=PERSON), line(CustomerID=PERSON, Quantity="x")),
    **{f"web_events/{at}.gz": gzipped(acts(at, "" if at % 2 else "\n")) for at in range(4)},
}
SECOND: Objects = {
    "customers/3.json": page(person("02-01T00:00:00", segment=None), person("03-02T00:00:00", email="z@example.org")),
    "products/2.json": page(offered("85123A", f"{DAY}T09:00:00Z", "3")),
    "sales/2.csv": sold(line(CustomerID=f" {PERSON} ", InvoiceDate="2011-03-02 09:00:00")),
    "web_events/again": acts(1, ""),
    "web_events/late": stream(acted("l", "2011-02-27T23:59:59Z", "purchase", customer_id=PERSON), separator=""),
}


def forget(lake: Lake) -> None:
    for feed, named in NAMED:
        found = service.forget(
            ask(lake, lake.registry.feed(feed), named, "asked"), partial(shop.run, lake), lambda _: None
        )
        assert (found.problems, found.unsearched) == ([], [])
        assert found.counts


def left(lake: Lake) -> list[str]:
    return [f"{value} in {path}" for value in THEIRS for path in traces(lake, value)]


def count(lake: Lake, table: str) -> int:
    return int(frames(lake)[table].select(pl.len()).collect().item())


def of_others(lake: Lake) -> Tables:
    """Return what is published, without what an erasure may change."""
    return {
        name: rows
        for name, rows in tables_of(lake, without=frozenset({"_source_hash"})).items()
        if not name.startswith(("ops.", "bronze."))
    }


_ON_S3 = pytest.param("s3_lake", marks=IN_FULL)


@pytest.mark.parametrize("kind", ["lake", _ON_S3])
def test_after_each_feed_forgot_them_they_are_nowhere(kind: str, request: pytest.FixtureRequest) -> None:
    lake = shop.shop_in(request.getfixturevalue(kind))
    shop.land_all(lake, FIRST)
    shop.run(lake)
    done(lake, Policy(small_files=1))  # packs
    shop.land_all(lake, SECOND)
    shop.run(lake)
    assert all(traces(lake, value) for value in THEIRS)
    assert (count(lake, "silver.customers"), count(lake, "silver.sales")) == (5, 42)

    forget(lake)

    assert left(lake) == []
    assert (count(lake, "silver.customers"), count(lake, "silver.sales")) == (4, 40)
    before = of_others(lake)
    shop.land_all(lake, {**FIRST, **SECOND})
    shop.run(lake)
    assert left(lake) == []
    assert differences(of_others(lake), before) == []
    assert list(verify(lake, deep=True)) == []


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_page_that_names_them_beside_its_records_alone_becomes_another_content(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, *, is_killed: bool
) -> None:
    lake = shop.shop_in(lake)
    feed, run = lake.registry.feed("customers"), partial(shop.run, lake, ["customers"])
    shop.land_all(lake, {"customers/1": page(*OTHERS, next=PERSON)})
    run()
    if is_killed:
        with monkeypatch.context() as patch:
            patch.setattr("lakehouse_assets.forgetting.bronze.replace", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                service.forget(ask(lake, feed, NAMED[0][1], "asked"), run, lambda _: None)

    found = service.forget(ask(lake, feed, NAMED[0][1], "asked"), run, lambda _: None)

    assert (found.problems, found.unsearched, traces(lake, PERSON)) == ([], [], [])
    live = lake.ledger_of(feed).live["source_hash"].unique().to_list()
    assert live == [sha256(lake.store.read("landing/customers/1")).hexdigest()]
    assert count(lake, "silver.customers") == len(OTHERS)
    assert list(verify(lake, deep=True)) == []
