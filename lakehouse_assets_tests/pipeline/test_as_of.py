"""A model that joins what held at the time of its rows: its rows, and exactly which dates a change makes pending."""

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import dataframely as dy
import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.maintenance.retired import drop, named
from lakehouse_assets.pipeline import as_of_index, gold
from lakehouse_assets.pipeline.as_of_versions import rows_for
from lakehouse_assets.pipeline.gold import ModelError, compile_sql
from lakehouse_assets.pipeline.reading import read
from lakehouse_assets.query.overview import status
from lakehouse_assets.query.plan import plan
from lakehouse_assets.query.verify import verify
from lakehouse_assets.storage import delta
from lakehouse_assets.storage.stores import Store
from lakehouse_assets_tests.pipeline.declared import feed_of
from lakehouse_assets_tests.pipeline.declared import put as in_days
from lakehouse_assets_tests.pipeline.enriched import (
    CUSTOMERS,
    DAYS,
    PRODUCTS,
    SALES,
    SQL,
    Sale,
    Version,
    built,
    dates_of,
    expected,
    feeds,
    lake_of,
    pending,
    put,
    rows,
)

OTHER = [Version("other", "x", 0)]
CHANGES: list[tuple[dict[str, Any], list[str]]] = [
    ({"customers": [Version("anna", "vip", 5)]}, [DAYS[0], DAYS[1]]),  # in the middle
    ({"customers": [Version("anna", "vip", 5), Version("anna", "vip", 80)]}, []),  # after all sales
    ({"customers": [Version("anna", "gold", 32)]}, [DAYS[0], DAYS[1]]),  # taken back; no sale in between
    ({"customers": [Version("anna", "new", 0, "123")]}, []),  # nothing that is read
    ({"customers": [Version("nobody", "found", 20)]}, [DAYS[2]]),  # the first one of a key
    ({"customers": [Version("bob", "x", 30), Version("nobody", "found", 20)]}, [DAYS[1]]),  # a tie: the larger one
    ({"customers": [Version("bob", "a", 30), Version("anna", None, 70, gone=True)]}, DAYS[1:]),  # the smaller; a delete
    ({"products": [Version("a", "games", 60)]}, []),
    ({"customers": OTHER, "products": [Version("a", "x", 45)]}, [DAYS[2], DAYS[3]]),
]


@pytest.fixture
def lake(prepared: Path, tmp_path: Path) -> Lake:
    """A lake in which everything is built."""
    shutil.copytree(prepared / "lake", tmp_path / "lake")
    return lake_of(tmp_path)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prepared")
    lake = lake_of(folder)
    put(lake, "first", CUSTOMERS, PRODUCTS, SALES)
    assert (pending(lake), built(lake)) == (DAYS, DAYS)
    return folder


@pytest.mark.slow
def test_rows_have_what_held_at_their_time_and_nulls_where_nothing_did(lake: Lake) -> None:
    assert (
        rows(lake)
        == expected(CUSTOMERS, PRODUCTS, SALES)
        == [
            (1, "new", False, "toys"),
            (2, "new", False, "books"),
            (3, "new", False, "toys"),
            (4, "new", False, "games"),
            (5, None, None, "games"),
            (6, None, None, None),
            (7, "gold", False, "games"),
        ]
    )
    assert pending(lake) == []
    assert list(verify(lake)) == []


@pytest.mark.slow
def test_a_late_version_reopens_exactly_the_dates_whose_rows_change(lake: Lake) -> None:
    said = {"customers": list[Version](), "products": list[Version]()}
    for change, dates in CHANGES:
        put(lake, "late", **change)
        assert (pending(lake), built(lake)) == (dates, dates), change
        said |= change
        assert rows(lake) == expected(CUSTOMERS + said["customers"], PRODUCTS + said["products"], SALES), change
    assert list(verify(lake)) == []


def test_the_query_gets_the_versions_that_hold_at_the_times_of_its_rows(lake: Lake) -> None:
    model = lake.registry.models["enriched"]
    [join] = [one for one in lake.registry.as_of(model) if "customers" in one.history]
    sales = read(lake, lake.registry.table(join.facts))
    versions = [
        rows_for(lake, [join], {join.facts: sales.filter(pl.col("sale_id") == sale)}).collect() for sale in (1, 7)
    ]
    assert [list(one["segment"]) for one in versions] == [["new"], ["gold"]]


@pytest.mark.slow
def test_a_change_that_is_taken_back_before_it_is_built_leaves_nothing_pending(lake: Lake) -> None:
    put(lake, "late", [Version("anna", "vip", 5)])
    assert status(lake).pending == {"gold.enriched": DAYS[:2]}
    assert plan(lake)[-1].partitions == DAYS[:2]
    put(lake, "late", OTHER)
    assert pending(lake) == []


@pytest.mark.slow
def test_finding_the_dates_of_a_change_reads_neither_sales_nor_the_other_buckets(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(lake, "late", [Version("anna", "vip", 60)])
    read: list[str] = []
    scan = delta.scan

    def noted(store: Store, path: str, *rest: Any) -> Any:
        read.append(path)
        return scan(store, path, *rest)

    monkeypatch.setattr(delta, "scan", noted)
    assert pending(lake) == [DAYS[3]]
    assert set(read) == {"silver/customers_history"}
    assert len(as_of_index.Index(lake, lake.registry.models["enriched"]).changed()) == 1
    read.clear()
    assert pending(lake) == [DAYS[3]]
    assert read == [], "what was found is remembered as long as nothing changes"


@pytest.mark.slow
def test_late_sales_and_late_versions_come_together(lake: Lake) -> None:
    more = [Sale(8, "bob", "b", 5), Sale(9, "anna", "a", 200)]
    put(lake, "more", [Version("bob", "early", 2)], [Version("b", "maps", 3)], more)
    dates = [DAYS[0], "2026-03-09"]
    assert (pending(lake), built(lake)) == (dates, dates)
    customers, products = [*CUSTOMERS, Version("bob", "early", 2)], [*PRODUCTS, Version("b", "maps", 3)]
    assert rows(lake) == expected(customers, products, [*SALES, *more])
    assert list(verify(lake)) == []


@pytest.mark.slow
def test_a_lost_index_is_read_again_and_nothing_is_built(lake: Lake) -> None:
    version = delta.opened(lake.store, "gold/enriched").version()
    for item in list(lake.store.list("ops/enriched_as_of")):
        lake.store.delete(item.path)
    assert pending(lake) == DAYS
    assert built(lake) == []
    assert pending(lake) == []
    assert delta.opened(lake.store, "gold/enriched").version() == version


@pytest.mark.slow
@pytest.mark.usefixtures("lake")
def test_another_query_begins_the_index_anew(tmp_path: Path) -> None:
    other = lake_of(tmp_path, SQL.replace("c.is_deleted AS gone", "c.is_current AS gone"))
    assert (pending(other), built(other)) == (DAYS, DAYS)
    assert [row[2] for row in rows(other)] == [False, False, True, False, None, None, True]
    again = lake_of(tmp_path)
    put(again, "late", [Version("anna", "vip", 5)])
    assert (pending(again), built(again)) == (DAYS, DAYS)
    assert rows(again) == expected([*CUSTOMERS, Version("anna", "vip", 5)], PRODUCTS, SALES)
    assert list(verify(again)) == []


@pytest.mark.slow
def test_a_build_whose_history_changes_meanwhile_is_followed_by_another(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute, late = gold.compute, [Version("anna", "vip", 5)]

    def overtaken(*arguments: Any) -> Any:
        monkeypatch.setattr(gold, "compute", compute)
        put(lake, "late", late)
        assert built(lake) == DAYS[:2], "the other writer is first"
        return compute(*arguments)

    put(lake, "more", [Version("anna", "silver", 4)])
    monkeypatch.setattr(gold, "compute", overtaken)
    built(lake)
    assert pending(lake) == []
    assert rows(lake) == expected([*CUSTOMERS, Version("anna", "silver", 4), *late], PRODUCTS, SALES)
    assert list(verify(lake)) == []


@pytest.mark.slow
def test_a_wrong_index_is_found_and_mended(lake: Lake) -> None:
    model = lake.registry.models["enriched"]
    table = delta.opened(lake.store, "ops/enriched_as_of")
    stored = delta.fingerprints(lake.store, "ops/enriched_as_of")[f"{as_of_index.SUM}{DAYS[0]}"]
    nothing = delta.rows(lake.store, table).limit(0).collect()
    delta.replace(lake.store, table, nothing, "part = 'none'", {f"{as_of_index.SUM}{DAYS[0]}": stored + 1})
    assert pending(lake) == [DAYS[0]]
    assert built(lake) == [DAYS[0]]
    [finding] = verify(lake)
    assert (finding.table, finding.partition) == ("ops.enriched_as_of", DAYS[0])
    assert "`lakehouse run gold.enriched --from 2026-03-01 --to 2026-03-01`" in finding.what
    assert [list(b.rows) for b in gold.build(lake, model, [DAYS[0]], force=True)] == [[DAYS[0]]]
    assert (pending(lake), list(verify(lake))) == ([], [])


@pytest.mark.slow
def test_days_may_be_the_time(tmp_path: Path) -> None:
    text, day = dy.String(nullable=False), dy.Date(nullable=False)
    sales = feed_of({"code": text, "day": day}, name="sales", business_date="day")
    costs = feed_of({"code": text, "since": day, "cost": text}, name="costs", key=("code",), versioned_by="since")
    on = "s.code = c.code AND s.day >= c.valid_from"
    sql = f"SELECT s.dt, c.cost FROM silver.sales AS s ASOF LEFT JOIN silver.costs_history AS c ON {on}"  # noqa: S608
    schema = type("Costs", (dy.Schema,), {"dt": day, "cost": dy.String(nullable=True)})
    lake = lake_of(tmp_path, sql, [sales, costs], schema=schema)
    in_days(lake, {"a.json": [{"code": "a", "since": "2026-03-02", "cost": "1"}]}, "costs")
    in_days(lake, {"a.json": [{"code": "a", "day": day} for day in DAYS]}, "sales")
    assert built(lake) == DAYS
    in_days(lake, {"b.json": [{"code": "a", "since": "2026-03-03", "cost": "2"}]}, "costs")
    assert built(lake) == DAYS[2:]
    assert list(verify(lake)) == []


def test_the_index_of_a_retired_model_goes_with_it(lake: Lake) -> None:
    left = replace(lake, registry=Registry(feeds(), []))
    assert list(lake.store.list("ops/enriched_as_of"))
    places = [removal.place for removal in drop(left, named(left, "gold.enriched"), landing=False, dry_run=False)]
    assert places == ["gold/enriched", "ops/enriched_as_of"]
    assert not list(lake.store.list("ops/enriched_as_of"))


def test_a_column_that_was_overlooked_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakehouse_assets.contracts.as_of._reads", lambda *_: ())
    lake = lake_of(tmp_path)
    with pytest.raises(ModelError, match="segment"):
        compile_sql(lake, lake.registry.models["enriched"])


hours = st.integers(0, 90)
said = st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), hours).map(lambda one: Version(*one))
gone = st.tuples(st.sampled_from("ab"), hours).map(lambda one: Version(one[0], None, one[1], gone=True))
versions = st.lists(said | gone, max_size=4)
things = st.lists(
    st.tuples(st.sampled_from("pq"), st.sampled_from("xyz"), hours).map(lambda one: Version(*one)), max_size=4
)
asking = st.lists(st.tuples(st.none() | st.sampled_from("abc"), st.sampled_from("pqr"), hours), min_size=3, max_size=9)


@pytest.mark.slow
@settings(max_examples=2, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.sampled_from("12"), versions, things), min_size=2, max_size=3), asking)
def test_whatever_comes_in_whatever_order_exactly_the_dates_that_differ_are_built(
    deliveries: list[tuple[str, list[Version], list[Version]]], asked: list[tuple[str | None, str, int]]
) -> None:
    sales = [Sale(at, *one) for at, one in enumerate(asked)]
    with tempfile.TemporaryDirectory() as folder:
        lake = lake_of(Path(folder))
        put(lake, "sales", sales=sales)
        built(lake)
        there: dict[str, tuple[list[Version], list[Version]]] = {}
        before, has_index = rows(lake), False
        for name, customers, goods in deliveries:
            # An object that is landed again under its key takes what it said with it.
            there[name] = customers or there.get(name, ([], []))[0], goods or there.get(name, ([], []))[1]
            put(lake, name, customers, goods)
            people, products = ([v for one in there.values() for v in one[at]] for at in (0, 1))
            after = expected(people, products, sales)
            differ = sorted(dates_of([row for row in after if row not in before], sales))
            is_first = not has_index and bool(customers or goods)  # versions: every date is looked at
            assert pending(lake) == (sorted(dates_of(after, sales)) if is_first else differ)
            assert built(lake) == differ
            assert rows(lake) == after
            before, has_index = after, has_index or is_first
        assert list(verify(lake)) == []
