"""`on_missing_reference="quarantine"`: records wait for what they reference, and are published when it comes."""

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
from lakehouse_assets.contracts.broken import Broken
from lakehouse_assets.contracts.declare import ContractError, Feed, source
from lakehouse_assets.contracts.registry import Registry, UnusableError
from lakehouse_assets.decisions.recorded import record
from lakehouse_assets.operations.decision_commands import release, waive
from lakehouse_assets.orchestration.pending_runs import table_work
from lakehouse_assets.orchestration.runner import Report
from lakehouse_assets.pipeline import reference_index
from lakehouse_assets.pipeline.accounting import scan_accounting
from lakehouse_assets.pipeline.pending import FeedState
from lakehouse_assets.query import sql
from lakehouse_assets.query.overview import sizes, status
from lakehouse_assets.query.plan import plan
from lakehouse_assets.query.verify import verify
from lakehouse_assets.storage import delta
from lakehouse_assets.storage.stores import Store
from lakehouse_assets_tests.pipeline.declared import feed_of, lake_of, put, stored
from lakehouse_assets_tests.retail import land, publish

RULE = "product_id_in_products"
DAYS = ("2026-03-01", "2026-03-02", "2026-03-03")


def products(**options: Any) -> Feed:
    return feed_of({"product_id": dy.String(nullable=False)}, **{"name": "products"} | options)


def sales(*, personal: bool = False, **options: Any) -> Feed:
    columns = {
        "product_id": dy.String(nullable=True, metadata=source(personal=personal)),
        "sold_on": dy.Date(nullable=False),
        "units": dy.Int64(nullable=False, min=0),
    }
    declared = {"name": "sales", "business_date": "sold_on", "references": (("product_id", "products.product_id"),)}
    return feed_of(columns, **declared | {"on_missing_reference": "quarantine"} | options)


def sold(*ids: str | None, on: str = DAYS[0], units: int = 1) -> list[dict[str, Any]]:
    return [{"product_id": name, "sold_on": on, "units": units + at} for at, name in enumerate(ids)]


def known(*ids: str) -> list[dict[str, Any]]:
    return [{"product_id": name} for name in ids]


def pending(lake: Lake, feed: str = "sales") -> list[str]:
    return FeedState.of(lake, lake.registry.feed(feed)).pending


def published(lake: Lake) -> list[tuple[Any, ...]]:
    return sorted(stored(lake, "silver", "sold_on", "product_id", "units", feed="sales"), key=str)


@pytest.mark.parametrize("where", ["folder", "s3"])
def test_a_record_waits_for_its_product_and_is_published_when_it_comes(
    where: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    root = tmp_path if where == "folder" else request.getfixturevalue("s3_lake").settings.root
    lake = lake_of(root, sales(), products())
    put(lake, {"p.json": known("a")}, "products")
    outcome = put(lake, {"s.json": sold("a", "b", "b", None)}, "sales")[DAYS[0]]
    assert (outcome.verdict, outcome.score, outcome.valid, outcome.waiting) == ("published", 1.0, 2, 2)
    assert outcome.broken == {RULE: 2}
    assert stored(lake, "quarantine", "product_id", "rules", feed="sales") == [("b", [RULE])] * 2
    counts = scan_accounting(lake.store).filter(pl.col("feed") == "sales")
    assert counts.select("landed", "valid", "quarantined", "waiting").collect().rows() == [(4, 2, 2, 2)]
    listed = "SELECT dt, value, records FROM silver.missing_references"
    assert sql.run(lake, listed).rows == [(dt.date(2026, 3, 1), "b", 2)]
    assert [line.partition(":")[0] for line in status(lake).waiting] == ["silver.sales"]
    assert next(size for size in sizes(lake) if size.name == "silver.sales").score == 1.0
    assert pending(lake) == []
    assert list(verify(lake)) == []
    put(lake, {"q.json": known("b")}, "products")
    assert pending(lake) == [DAYS[0]]
    assert publish(lake, feed="sales")[DAYS[0]].valid == 4
    assert stored(lake, "quarantine", "rules", feed="sales") == []
    assert sql.run(lake, listed).rows == []
    assert status(lake).waiting == []
    assert list(verify(lake)) == []


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


def test_sales_that_come_before_any_product_are_not_held(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, sales(), products())
    outcome = put(lake, {"s.json": sold("a", "b")}, "sales")[DAYS[0]]
    assert (outcome.verdict, outcome.valid, outcome.waiting) == ("published", 0, 2)
    put(lake, {"p.json": known("a", "b")}, "products")
    publish(lake, feed="sales")
    assert len(published(lake)) == 2
    assert FeedState.of(lake, lake.registry.feed("sales")).held == []


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


def test_a_held_date_knows_what_it_references_and_a_release_publishes_only_what_has_it(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, feed := sales(), products())
    put(lake, {"p.json": known("a", "b")}, "products")
    held = [*sold("a", "b"), *sold("a", "b", units=-5)]
    assert put(lake, {"s.json": held}, "sales")[DAYS[0]].verdict == "held"
    put(lake, {"p.json": known("a")}, "products")
    assert pending(lake) == [DAYS[0]]
    assert publish(lake, feed="sales")[DAYS[0]].verdict == "held"
    assert (DAYS[0],) in [(p,) for p in FeedState.of(lake, feed).held]
    assert pending(lake) == []
    record(lake.store, release(lake, feed, DAYS[0], "it is fine"))
    assert publish(lake, feed="sales")[DAYS[0]].verdict == "published"
    assert [row[1] for row in published(lake)] == ["a"]
    assert pending(lake) == []
    assert list(verify(lake)) == []


def test_a_waived_record_is_published_and_stays(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, feed := sales(), products())
    put(lake, {"p.json": known("b")}, "products")
    put(lake, {"s.json": sold("a", "b"), "t.json": sold("a", on=DAYS[1])}, "sales")
    record(lake.store, waive(lake, feed, "s.json", 1, (RULE,), "a real sale"))
    publish(lake, feed="sales")
    assert [row[1] for row in published(lake)] == ["a", "b"]
    assert pending(lake) == []
    put(lake, {"p.json": known("a", "b")}, "products")
    publish(lake, feed="sales")
    put(lake, {"p.json": known("b")}, "products")
    assert sorted(publish(lake, feed="sales")) == list(DAYS[:2])
    assert [row[1] for row in published(lake)] == ["a", "b"]
    assert pending(lake) == []
    assert list(verify(lake)) == []


def test_the_newest_delivery_does_not_empty_its_table_while_all_of_it_waits(tmp_path: Path) -> None:
    feed = sales(business_date=None, snapshot="latest", delivered_at="s%Y%m%d")
    lake = lake_of(tmp_path, feed, products())
    put(lake, {"p.json": known("a")}, "products")
    put(lake, {"s20260301.json": sold("a")}, "sales")
    outcome = put(lake, {"s20260302.json": sold("b", "c")}, "sales")["whole"]
    assert outcome.verdict == "held"
    assert "all 2 records of the newest delivery wait for what they reference" in outcome.message
    assert [row[1] for row in published(lake)] == ["a"]
    put(lake, {"q.json": known("b", "c")}, "products")
    publish(lake, feed="sales")
    assert [row[1] for row in published(lake)] == ["b", "c"]
    assert list(verify(lake)) == []


def test_of_records_with_one_id_the_preferred_one_counts_also_while_it_waits(tmp_path: Path) -> None:
    feed = sales(duplicates=("sold_on",), prefer="units", gate=0.0)
    lake = lake_of(tmp_path, feed, products())
    put(lake, {"p.json": known("a")}, "products")
    put(lake, {"s.json": sold("a", "b")}, "sales")
    assert published(lake) == []
    assert stored(lake, "quarantine", "_line", "rules", feed="sales") == [(1, ["sold_on_once"]), (2, [RULE])]
    put(lake, {"q.json": known("b")}, "products")
    publish(lake, feed="sales")
    assert [row[1] for row in published(lake)] == ["b"]


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


def test_a_keyed_feed_waits_and_follows_in_all_its_versions(tmp_path: Path) -> None:
    columns = {"id": dy.String(nullable=False), "product_id": dy.String(nullable=False), "at": dy.Int64(nullable=False)}
    options = {"key": ("id",), "versioned_by": "at", "deleted_when": pl.col("product_id") == "gone", "buckets": 1}
    references = {"references": (("product_id", "products.product_id"),), "on_missing_reference": "quarantine"}
    lake = lake_of(tmp_path, feed_of(columns, name="sales", **options, **references), products())
    put(lake, {"p.json": known("a", "b")}, "products")
    rows = [("1", "a", 1), ("1", "b", 2), ("1", "c", 3), ("2", "gone", 1)]
    put(lake, {"s.json": [dict(zip(("id", "product_id", "at"), row, strict=True)) for row in rows]}, "sales")
    assert stored(lake, "silver", "id", "product_id", feed="sales") == [("1", "b")]
    # "a" stands in an earlier version only.
    put(lake, {"p.json": known("b", "c")}, "products")
    assert pending(lake) == ["bucket=00"]
    publish(lake, feed="sales")
    assert stored(lake, "history", "id", "product_id", "is_current", feed="sales") == [
        ("1", "b", False), ("1", "c", True), ("2", "gone", False),
    ]  # fmt: skip
    assert pending(lake) == []
    assert list(verify(lake)) == []


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


def land_json(lake: Lake, key: str, rows: list[dict[str, Any]], feed: str) -> None:
    land(lake, key, pl.DataFrame(rows).write_ndjson().encode(), feed)


@pytest.mark.parametrize("written", range(6))
def test_killed_between_any_two_commits_the_next_run_ends_with_the_same_tables(
    written: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = lake_of(tmp_path, sales(), products())
    put(lake, {"p.json": known("a", "b")}, "products")
    put(lake, {"s.json": sold("a", "b", "c")}, "sales")
    # The process dies after the products were published (0), and after each commit of the sales that follows.
    put(lake, {"p.json": known("b", "c")}, "products")
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
    with pytest.raises(Exception, match=r"silver\.sales is not computed: its records wait for values of"):
        publish(other, feed="sales")
    assert [row[1] for row in published(lake)] == ["a"]


def test_a_feed_that_waits_for_one_that_cannot_be_loaded_stays_as_it_is() -> None:
    with pytest.raises(UnusableError, match=r"keeps records in quarantine until products\.product_id") as error:
        Registry([sales()], [], [Broken("products.py, line 3", "SyntaxError", ("defs.products",))])
    assert error.value.follows
    assert [table.name for table in error.value.tables] == ["sales"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"on_missing_reference": "drop"}, 'it is "warn" or "quarantine"'),
        ({"references": ()}, "none is declared"),
        ({"references": (("product_id", "sales.product_id"),)}, "references the feed itself"),
    ],
)
def test_a_senseless_declaration_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ContractError, match="feed 'sales': ") as error:
        sales(**options)
    assert said in str(error.value)


def test_only_where_records_wait_the_references_are_part_of_the_version() -> None:
    warned, without = sales(on_missing_reference="warn"), sales(on_missing_reference="warn", references=())
    assert warned.version == without.version
    assert sales().version != warned.version
    assert sales().reading_version == warned.reading_version
    assert RULE in sales().rules
    assert RULE not in warned.rules


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
