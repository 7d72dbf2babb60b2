"""Which dates a change of the referenced table makes pending: exactly those that have its values, in any order."""

import datetime as dt
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dataframely as dy
import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.orchestration.pending_runs import table_work
from lakehouse_assets.orchestration.runner import Report
from lakehouse_assets.pipeline import reference_index
from lakehouse_assets.pipeline.pending import FeedState
from lakehouse_assets.query.overview import status
from lakehouse_assets.query.plan import plan
from lakehouse_assets.query.verify import verify
from lakehouse_assets.storage import delta
from lakehouse_assets.storage.stores import Store
from lakehouse_assets_tests.pipeline.declared import copy_at, feed_of, lake_of, put, stored
from lakehouse_assets_tests.pipeline.shop import (
    DAYS,
    RULE,
    known,
    land_json,
    pending,
    products,
    published,
    sales,
    sold,
)
from lakehouse_assets_tests.prepared import Once
from lakehouse_assets_tests.retail import publish


@pytest.mark.slow(covered=True)
def test_plan_says_what_would_wait_and_what_may_follow(tmp_path: Path) -> None:
    before = lake_of(tmp_path, sales(on_missing_reference="warn"), products())
    put(before, {"p.json": known("a")}, "products")
    put(before, {"s.json": sold("a", "b")}, "sales")
    lake = lake_of(tmp_path, sales(), products())
    [step] = plan(lake)
    assert (step.table, step.notes) == ("silver.sales", ["1 record would wait in quarantine for what they reference"])
    publish(lake, feed="sales")
    land_json(lake, "q.json", known("b"), "products")
    [step] = plan(lake)
    assert step.table == "silver.products"
    assert step.notes == ["records of 1 date of silver.sales wait for its values, and follow if these come"]


@pytest.mark.slow
def test_a_change_makes_exactly_the_dates_pending_that_have_its_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = lake_of(tmp_path, sales(), products())
    put(lake, {"p1.json": known("a", "b"), "p2.json": known("c", "d")}, "products")
    for day, ids in zip(DAYS, (("a", "x", "y"), ("b", "c", "x"), ("a", "c", "z")), strict=True):
        put(lake, {f"{day}.json": sold(*ids, on=day)}, "sales")
    read: list[str] = []
    scan = delta.scan

    def noted(store: Store, path: str, *rest: Any) -> pl.LazyFrame:
        read.append(path)
        return scan(store, path, *rest)

    monkeypatch.setattr(delta, "scan", noted)
    put(lake, {"p3.json": known("q", "x")}, "products")
    read.clear()
    assert pending(lake) == [DAYS[0], DAYS[1]]
    # A product that comes concerns what waits: nothing is read of what is published.
    assert "silver/sales" not in read
    assert sorted(publish(lake, feed="sales")) == [DAYS[0], DAYS[1]]
    put(lake, {"p1.json": known("a")}, "products")
    read.clear()
    assert pending(lake) == [DAYS[1]]
    assert "silver/sales" in read
    publish(lake, feed="sales")
    read.clear()
    # What is gone is gone: from now on nobody looks for it again.
    reference_index.standing(lake, sales(), FeedState.of(lake, sales()).bases, {DAYS[0]: 1})
    assert "silver/sales" not in read
    put(lake, {"p2.json": known("e")}, "products")
    assert pending(lake) == [DAYS[1], DAYS[2]]
    publish(lake, feed="sales")
    assert [row[1] for row in published(lake)] == ["a", "x", "x", "a"]
    assert list(verify(lake)) == []


@pytest.mark.slow
def test_a_product_that_comes_back_brings_its_sales_back(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, sales(), products())
    put(lake, {"p.json": known("a", "b")}, "products")
    put(lake, {"s.json": sold("a", "b"), "t.json": sold("b", on=DAYS[1])}, "sales")
    first = published(lake)
    put(lake, {"p.json": known("a")}, "products")
    outcomes = publish(lake, feed="sales")
    # That a product is gone explains it: it is no change of the contract that took the records away.
    assert {day: (o.valid, o.waiting, o.vanished) for day, o in outcomes.items()} == {
        DAYS[0]: (1, 1, 0),
        DAYS[1]: (0, 1, 0),
    }
    assert status(lake).vanished == []
    put(lake, {"p.json": known("b", "a")}, "products")
    assert pending(lake) == list(DAYS[:2])
    publish(lake, feed="sales")
    assert published(lake) == first
    assert list(verify(lake)) == []


@pytest.mark.slow(covered=True)
def test_a_record_that_waits_waits_for_a_second_value_that_goes_meanwhile(tmp_path: Path) -> None:
    columns = {
        "product_id": dy.String(nullable=True),
        "store_id": dy.String(nullable=True),
        "sold_on": dy.Date(nullable=False),
    }
    both = feed_of(
        columns,
        name="sales",
        business_date="sold_on",
        references=(("product_id", "products.product_id"), ("store_id", "stores.store_id")),
        on_missing_reference="quarantine",
    )
    stores = feed_of({"store_id": dy.String(nullable=False)}, name="stores")
    lake = lake_of(tmp_path, both, products(), stores)
    put(lake, {"p.json": known("a")}, "products")
    put(lake, {"t.json": [{"store_id": "3"}]}, "stores")
    put(lake, {"s.json": [{"product_id": "x", "store_id": "3", "sold_on": DAYS[0]}]}, "sales")
    put(lake, {"t.json": [{"store_id": "4"}]}, "stores")
    assert pending(lake) == [DAYS[0]]
    publish(lake, feed="sales")
    assert stored(lake, "quarantine", "rules", feed="sales") == [([RULE, "store_id_in_stores"],)]
    assert list(verify(lake)) == []


@pytest.mark.slow(covered=True)
def test_of_personal_values_only_hashes_are_stored(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, sales(personal=True), products())
    put(lake, {"p.json": known("anna-1", "bob-2")}, "products")
    put(lake, {"s.json": sold("anna-1", "carl-3"), "t.json": sold("bob-2", on=DAYS[1])}, "sales")
    [folder] = [folder for folder in lake.store.folders("ops") if folder.endswith("_references")]
    values = delta.scan(lake.store, folder, {}).collect()["value"].to_list()
    assert len(values) == 3
    assert not {"anna-1", "bob-2", "carl-3"} & set(values)
    put(lake, {"p.json": known("anna-1", "carl-3")}, "products")
    assert pending(lake) == list(DAYS[:2])
    publish(lake, feed="sales")
    assert [row[1] for row in published(lake)] == ["anna-1", "carl-3"]
    assert pending(lake) == []


KEYED = {"product_id": dy.String(nullable=False), "at": dy.Int64(nullable=False), "op": dy.String(nullable=False)}
TARGETS: dict[str, Feed] = {
    "union": products(),
    "latest": products(snapshot="latest", delivered_at="p%Y%m%d"),
    "keyed": feed_of(
        KEYED, name="products", key=("product_id",), versioned_by="at", deleted_when=pl.col("op") == "D", buckets=2
    ),
}
ids = st.sampled_from("abcd")
landings = st.lists(
    st.tuples(st.just("sales"), st.integers(0, 2), st.lists(ids, min_size=1, max_size=3))
    | st.tuples(st.just("products"), st.integers(1, 3), st.lists(ids, min_size=1, max_size=3)),
    min_size=2,
    max_size=7,
).filter(lambda told: any(feed == "sales" for feed, *_ in told))
CHEAP = settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)


def _there(kind: str, live: dict[int, tuple[int, list[str]]]) -> set[str]:
    """Return the products that there are, from the live deliveries by number: when each came, and its products."""
    if kind == "union":
        return {name for _, names in live.values() for name in names}
    if kind == "latest":
        return set(live[max(live)][1]) if live else set()
    # Keyed: delivery n says of each of its products, as of n, that it is there; an even one that it is gone.
    last = {name: number for number in sorted(live) for name in live[number][1]}
    return {name for name, number in last.items() if number % 2}


@pytest.mark.slow
@pytest.mark.parametrize("kind", TARGETS)
@CHEAP
@given(told=landings, runs=st.lists(st.sampled_from(["", "sales", "products"]), min_size=7, max_size=7))
def test_any_order_of_landing_gives_the_tables_of_plain_python(
    kind: str, told: list[tuple[str, int, list[str]]], runs: list[str]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lake = lake_of(folder, sales(), TARGETS[kind])
        live: dict[str, dict[int, tuple[int, list[str]]]] = {"sales": {}, "products": {}}
        for at, ((feed, number, names), run) in enumerate(zip(told, runs, strict=False)):
            live[feed][number] = at, names
            if feed == "sales":
                land_json(lake, f"{number}.json", sold(*names, on=DAYS[number]), feed)
            else:
                op = "U" if number % 2 else "D"
                rows = [{"product_id": name, "at": number, "op": op} for name in names]
                land_json(lake, f"p2026030{number}.json", rows if kind == "keyed" else known(*names), feed)
            if run:
                put(lake, {}, run)
        put(lake, {}, "products")
        put(lake, {}, "sales")
        assert [pending(lake, feed) for feed in live] == [[], []]
        there = _there(kind, live["products"])
        expected = [
            (dt.date.fromisoformat(DAYS[day]), row["product_id"], row["units"])
            for day, (_, names) in live["sales"].items()
            for row in sold(*names, on=DAYS[day])
        ]
        waiting = stored(lake, "quarantine", "sold_on", "product_id", "rules", feed="sales")
        assert published(lake) == sorted((row for row in expected if row[1] in there), key=str)
        assert sorted(waiting) == sorted((str(row[0]), row[1], [RULE]) for row in expected if row[1] not in there)
        assert list(verify(lake)) == []


def _products_changed(folder: Path) -> Path:
    lake = lake_of(folder, sales(), products())
    put(lake, {"p.json": known("a", "b")}, "products")
    put(lake, {"s.json": sold("a", "b", "c")}, "sales")
    put(lake, {"p.json": known("b", "c")}, "products")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("written", range(6))
def test_killed_between_any_two_commits_the_next_run_ends_with_the_same_tables(
    written: int, once: Once, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = copy_at(tmp_path / "lake", lake_of(once(_products_changed), sales(), products()))
    # The process dies after the products were published (0), and after each commit of the sales that follows.
    done: list[Any] = []
    replace = delta.replace

    def dying(*args: Any) -> None:
        if len(done) == written:
            raise KeyboardInterrupt
        done.append(args)
        replace(*args)

    with monkeypatch.context() as patched:
        patched.setattr(delta, "replace", dying)
        try:
            publish(lake, feed="sales")
        except KeyboardInterrupt:
            assert pending(lake) == ([DAYS[0]] if written < 5 else [])
    publish(lake, feed="sales")
    assert [row[1] for row in published(lake)] == ["b", "c"]
    assert pending(lake) == []
    assert list(verify(lake)) == []


@pytest.mark.slow(covered=True)
def test_while_the_other_table_is_not_stored_as_declared_nothing_is_computed(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, sales(), products())
    put(lake, {"p.json": known("a")}, "products")
    put(lake, {"s.json": sold("a", "b")}, "sales")
    renamed = feed_of({"product_id": dy.String(nullable=False), "code": dy.String(nullable=False)}, name="products")
    other = Lake(
        lake.store, lake.settings, Registry([sales(references=(("product_id", "products.code"),)), renamed], [])
    )
    land_json(other, "t.json", sold("a", on=DAYS[1]), "sales")
    assert all("silver/sales" not in work.tables for work in table_work(other))
    assert any("which is not stored as it is declared" in line for line in status(other).waiting)
    notes = {step.table: step.notes for step in plan(other)}
    assert any("which is not stored as it is declared" in note for note in notes["silver.sales"])
    with pytest.raises(Exception, match=r"silver\.sales is not computed: its records wait for values of"):
        publish(other, feed="sales")
    assert [row[1] for row in published(lake)] == ["a"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::dagster.BetaWarning")
def test_a_run_computes_the_referenced_feed_first_and_releases_later_what_waited(
    tmp_path: Path, run_of: Callable[[Lake], Report]
) -> None:
    # By name the referencing feed would come first.
    lake = lake_of(tmp_path, sales(references=(("product_id", "zz.product_id"),)), products(name="zz"))
    land_json(lake, "p.json", known("a"), "zz")
    land_json(lake, "s.json", sold("a", "b"), "sales")
    report = run_of(lake)
    assert report.failures == []
    assert [row[1] for row in published(lake)] == ["a"]
    land_json(lake, "q.json", known("b"), "zz")
    assert run_of(lake).failures == []
    assert [row[1] for row in published(lake)] == ["a", "b"]
    assert pending(lake) == []
