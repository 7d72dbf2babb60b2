"""`on_missing_reference="quarantine"`: a record waits for what it references, and is published when it comes."""

import datetime as dt
from pathlib import Path
from typing import Any

import dataframely as dy
import polars as pl
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.agreement import UnusableError
from lakehouse_assets.contracts.broken import Broken
from lakehouse_assets.contracts.declare import ContractError
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.decisions import kinds
from lakehouse_assets.decisions.recorded import record
from lakehouse_assets.maintenance.expiry import old_rows, remove
from lakehouse_assets.operations.decision_commands import correct, release, retract, revoke, waive
from lakehouse_assets.pipeline.accounting import scan_accounting
from lakehouse_assets.pipeline.pending import FeedState
from lakehouse_assets.query import sql
from lakehouse_assets.query.overview import sizes, status
from lakehouse_assets.query.verify import verify
from lakehouse_assets_tests.faults.conftest import IN_FULL
from lakehouse_assets_tests.pipeline.declared import feed_of, lake_of, put, stored
from lakehouse_assets_tests.pipeline.shop import DAYS, RULE, known, pending, products, published, sales, sold
from lakehouse_assets_tests.retail import publish


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize(
    "where",
    ["folder", pytest.param("s3", marks=[pytest.mark.slow, IN_FULL])],
)
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


@pytest.mark.slow(covered=True)
def test_sales_that_come_before_any_product_are_not_held(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, sales(), products())
    outcome = put(lake, {"s.json": sold("a", "b")}, "sales")[DAYS[0]]
    assert (outcome.verdict, outcome.valid, outcome.waiting) == ("published", 0, 2)
    put(lake, {"p.json": known("a", "b")}, "products")
    publish(lake, feed="sales")
    assert len(published(lake)) == 2
    assert FeedState.of(lake, lake.registry.feed("sales")).held == []


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_stored_lake_follows_the_declaration_to_a_warning_and_back(tmp_path: Path) -> None:
    def lake_with(mode: str) -> Lake:
        lake = lake_of(tmp_path, sales(on_missing_reference=mode), products())
        for feed in ("products", "sales"):
            put(lake, {}, feed)
        assert pending(lake) == []
        assert list(verify(lake)) == []
        return lake

    lake = lake_with("quarantine")
    put(lake, {"p.json": known("a")}, "products")
    put(lake, {"s.json": sold("a", "b")}, "sales")
    lake = lake_with("warn")
    assert [row[1] for row in published(lake)] == ["a", "b"]
    assert status(lake).waiting == []
    put(lake, {"t.json": sold("b", "c", on=DAYS[1])}, "sales")
    record(lake.store, correct(lake, lake.registry.feed("sales"), "t.json", 2, {"product_id": "d"}, "a typo"))
    lake = lake_with("quarantine")
    assert [row[1] for row in published(lake)] == ["a"]
    put(lake, {"q.json": known("b", "d")}, "products")
    lake = lake_with("quarantine")
    assert [row[1] for row in published(lake)] == ["a", "b", "b", "d"]
    record(lake.store, retract(lake, lake.registry.feed("products"), "q.json", "not ours"))
    lake = lake_with("quarantine")
    assert [row[1] for row in published(lake)] == ["a"]
    assert len(stored(lake, "quarantine", "rules", feed="sales")) == 3


@pytest.mark.slow
def test_the_newest_delivery_does_not_empty_its_table_while_all_of_it_waits(tmp_path: Path) -> None:
    feed = sales(business_date=None, snapshot="latest", delivered_at="s%Y%m%d")
    lake = lake_of(tmp_path, feed, products())
    put(lake, {"p.json": known("a")}, "products")
    put(lake, {"s20260301.json": sold("a")}, "sales")
    outcome = put(lake, {"s20260302.json": sold("b", "c")}, "sales")["whole"]
    assert outcome.verdict == "held"
    assert "the newest delivery (2 records) waits for what it references" in outcome.message
    assert [row[1] for row in published(lake)] == ["a"]
    put(lake, {"q.json": known("b", "c")}, "products")
    publish(lake, feed="sales")
    assert [row[1] for row in published(lake)] == ["b", "c"]
    assert list(verify(lake)) == []


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_record_whose_row_has_expired_is_published_all_the_same(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, feed := sales(), products())
    put(lake, {"p.json": known("a")}, "products")
    put(lake, {"s.json": sold("a", "b")}, "sales")
    record(lake.store, kinds.new(kinds.Expire, "sales", "old", None, before="2026-03-02"))
    old = old_rows(lake, feed, None)
    assert old is not None
    remove(lake, feed, old)
    assert stored(lake, "quarantine", "rules", feed="sales") == []
    put(lake, {"q.json": known("b")}, "products")
    assert pending(lake) == [DAYS[0]]
    publish(lake, feed="sales")
    assert [row[1] for row in published(lake)] == ["a", "b"]
    assert list(verify(lake)) == []


@pytest.mark.slow
def test_a_pinned_date_stays_and_follows_again_once_the_pin_is_revoked(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, feed := sales(), products())
    put(lake, {"p.json": known("a", "b")}, "products")
    put(lake, {"s.json": sold("a", "b")}, "sales")
    inputs = FeedState.of(lake, feed).silver[DAYS[0]]
    about: dict[str, Any] = {"table": "silver.sales", "version": 1, "pins": {DAYS[0]: inputs}}
    pin = kinds.new(kinds.Pin, "sales", "x", "me", **about)
    record(lake.store, pin)
    put(lake, {"p.json": known("a")}, "products")
    publish(lake, feed="sales")
    assert [row[1] for row in published(lake)] == ["a", "b"]
    assert pending(lake) == []
    record(lake.store, revoke(lake, "sales", pin.id, "over"))
    assert pending(lake) == [DAYS[0]]
    publish(lake, feed="sales")
    assert [row[1] for row in published(lake)] == ["a"]
    assert list(verify(lake)) == []


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


@pytest.mark.slow(covered=True)
def test_a_held_date_counts_once_in_what_is_missing(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, sales(), products())
    put(lake, {"p.json": known("a", "b")}, "products")
    put(lake, {"s.json": sold("a", "a", "a", "a", "a", "a", "a", "a", "a", "b")}, "sales")
    put(lake, {"t.json": [{"product_id": "b", "sold_on": DAYS[0], "units": -1}]}, "sales")
    put(lake, {"p.json": known("b")}, "products")
    [outcome] = publish(lake, feed="sales").values()
    assert outcome.verdict == "held"
    assert "9 more wait for what they reference" in outcome.message
    assert sql.run(lake, "SELECT value, records FROM silver.missing_references").rows == [("a", 9)]
