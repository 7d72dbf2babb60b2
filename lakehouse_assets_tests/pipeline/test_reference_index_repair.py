"""The index of references when something happens to it: other writers, loss, damage, a feed that is dropped."""

from pathlib import Path
from typing import Any

import dataframely as dy
import polars as pl
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.forgetting import service
from lakehouse_assets.forgetting.request import ask
from lakehouse_assets.maintenance import leftovers, retired
from lakehouse_assets.maintenance.maintain import maintain
from lakehouse_assets.maintenance.policy import Policy
from lakehouse_assets.pipeline import reference_index, silver
from lakehouse_assets.pipeline.pending import FeedState
from lakehouse_assets.query.verify import verify
from lakehouse_assets.storage import delta
from lakehouse_assets_tests.erasure.traces import traces
from lakehouse_assets_tests.pipeline.declared import copy_at, feed_of, lake_of, put, stored
from lakehouse_assets_tests.pipeline.shop import DAYS, known, land_json, pending, products, published, sales, sold
from lakehouse_assets_tests.prepared import Once
from lakehouse_assets_tests.retail import ingest, publish


@pytest.fixture
def lake(once: Once, tmp_path: Path) -> Lake:
    """Two dates of sales: one has all its products, one waits."""
    return copy_at(tmp_path / "lake", lake_of(once(_two_dates), sales(), products()))


def _two_dates(folder: Path) -> Path:
    lake = lake_of(folder, sales(), products())
    put(lake, {"p.json": known("a", "b")}, "products")
    put(lake, {"s.json": sold("a", "b"), "t.json": sold("a", "c", on=DAYS[1])}, "sales")
    return folder


@pytest.mark.slow(covered=True)
def test_of_two_writers_the_one_that_opened_the_index_earlier_loses(lake: Lake) -> None:
    feed = lake.registry.feed("sales")
    tables = [reference_index.opened(lake, feed) for _ in range(2)]
    nothing = pl.DataFrame(schema={"_part": pl.String, "rule": pl.String, "value": pl.String, "is_there": pl.Boolean})
    reference_index.write(lake, feed, tables[0], {DAYS[0]: 1}, frozenset(), nothing)
    with pytest.raises(delta.Conflict):  # also where it writes other dates
        reference_index.write(lake, feed, tables[1], {DAYS[1]: 1}, frozenset(), nothing)


@pytest.mark.slow
@pytest.mark.parametrize("commits", range(5))
def test_a_product_that_goes_while_another_writer_is_under_way_is_not_forgotten(
    commits: int, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(lake, {"p.json": known("a", "b", "d")}, "products")
    put(lake, {"d.json": sold("d", on=DAYS[1])}, "sales")
    land_json(lake, "e.json", sold("d", on=DAYS[2]), "sales")
    ingest(lake, feed="sales")
    replace, done = delta.replace, list[int]()

    def beaten(*args: Any) -> None:
        done.append(len(done))
        if len(done) == commits + 1:
            # Meanwhile the product goes, and another run computes the date that has it so far.
            put(lake, {"p.json": known("a", "b")}, "products")
            for _ in silver.publish(lake, lake.registry.feed("sales"), [DAYS[1]], "other"):
                pass
        replace(*args)

    with monkeypatch.context() as patched:
        patched.setattr(delta, "replace", beaten)
        for _ in silver.publish(lake, lake.registry.feed("sales"), [DAYS[2]], "first"):
            pass
    publish(lake, feed="sales")
    assert [row[1] for row in published(lake)] == ["a", "b", "a"]
    assert pending(lake) == []
    assert list(verify(lake)) == []


@pytest.mark.slow
def test_an_index_that_is_lost_is_made_anew(lake: Lake) -> None:
    before = published(lake)
    for item in list(lake.store.list("ops/sales_references")):
        lake.store.delete(item.path)
    assert pending(lake) == list(DAYS[:2])
    publish(lake, feed="sales")
    assert published(lake) == before
    put(lake, {"p.json": known("b", "c")}, "products")
    publish(lake, feed="sales")
    assert [row[1] for row in published(lake)] == ["b", "c"]
    assert list(verify(lake)) == []


@pytest.mark.slow
def test_verify_finds_an_index_that_says_too_little(lake: Lake) -> None:
    feed = lake.registry.feed("sales")
    table = reference_index.opened(lake, feed)
    rows = delta.rows(lake.store, table).collect()
    assert sorted(rows["kind"]) == ["missing", "seen", "seen", "there"]
    delta.replace(lake.store, table, rows.filter(pl.col("kind") == "missing"), None, {})
    put(lake, {"p.json": known("b")}, "products")
    assert pending(lake) == []
    found = [finding for finding in verify(lake) if finding.table == "ops.sales_references"]
    assert [finding.partition for finding in found] == list(DAYS[:2])
    assert f"`lakehouse run silver.sales --from {DAYS[0]} --to {DAYS[0]}`" in found[0].what
    publish(lake, feed="sales", force=True)
    assert [row[1] for row in published(lake)] == ["b"]
    assert list(verify(lake)) == []


@pytest.mark.slow(covered=True)
def test_a_feed_that_is_dropped_leaves_no_index(lake: Lake) -> None:
    without = Lake(lake.store, lake.settings, Registry([products()], []))
    [one] = retired.find(without)
    list(retired.drop(without, one, landing=True, dry_run=False))
    assert list(lake.store.list("ops/sales_references")) == []


@pytest.mark.slow
def test_maintenance_knows_the_index(lake: Lake) -> None:
    for _ in range(3):
        publish(lake, feed="sales", force=True)
    tables = {action.table for action in maintain(lake, Policy())}
    assert "ops.sales_references" in tables
    assert not any("not declared" in table for table in tables)
    assert pending(lake) == []
    assert list(verify(lake)) == []


@pytest.mark.slow
def test_a_table_that_is_computed_in_pieces_waits_as_a_whole_one(tmp_path: Path) -> None:
    columns: dict[str, Any] = {"id": dy.String(nullable=False), "product_id": dy.String(nullable=False)}
    options: dict[str, Any] = {
        "name": "sales",
        "references": (("product_id", "products.product_id"),),
        "on_missing_reference": "quarantine",
    }
    lake = lake_of(tmp_path, feed_of(columns, **options), products(), publish_batch_rows=3)
    put(lake, {"p.json": known("a", "b")}, "products")
    rows = [{"id": str(at), "product_id": name} for at, name in enumerate("abcabcabca")]
    outcome = put(lake, {"s.json": rows}, "sales")["whole"]
    assert (outcome.valid, outcome.waiting) == (7, 3)
    put(lake, {"p.json": known("a", "c")}, "products")
    assert pending(lake) == ["whole"]
    publish(lake, feed="sales")
    assert sorted(row[0] for row in stored(lake, "silver", "product_id", feed="sales")) == [*"aaaa", *"ccc"]
    assert pending(lake) == []
    assert list(verify(lake)) == []


@pytest.mark.slow
def test_what_waits_for_a_record_that_waits_itself_follows_it(tmp_path: Path) -> None:
    brands = feed_of({"brand": dy.String(nullable=False)}, name="brands")
    middle = feed_of(
        {"product_id": dy.String(nullable=False), "brand": dy.String(nullable=False)},
        name="products",
        references=(("brand", "brands.brand"),),
        on_missing_reference="quarantine",
    )
    lake = lake_of(tmp_path, sales(), middle, brands)
    put(lake, {"s.json": sold("a")}, "sales")
    put(lake, {"p.json": [{"product_id": "a", "brand": "x"}]}, "products")
    assert pending(lake) == []
    put(lake, {"b.json": [{"brand": "x"}]}, "brands")
    assert (pending(lake), pending(lake, "products")) == ([], ["whole"])
    publish(lake, feed="products")
    assert pending(lake) == [DAYS[0]]
    publish(lake, feed="sales")
    assert [row[1] for row in published(lake)] == ["a"]
    assert FeedState.of(lake, lake.registry.feed("sales")).missing == {}


@pytest.mark.slow(covered=True)
def test_of_a_person_who_is_forgotten_the_index_has_no_trace(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, feed := sales(personal=True), products(personal=True))
    put(lake, {"p.json": known("11223344", "b")}, "products")
    put(lake, {"s.json": sold("11223344", "b"), "t.json": sold("99887766", on=DAYS[1])}, "sales")

    def run() -> None:
        for name in ("products", "sales"):
            put(lake, {}, name)

    for name in ("products", "sales"):
        request = ask(lake, lake.registry.feed(name), "product_id=11223344", "a request", "ann")
        assert service.forget(request, run, lambda _: None).problems == []
    assert traces(lake, "11223344") == []
    assert [row[1] for row in published(lake)] == ["b"]
    assert FeedState.of(lake, feed).missing == {DAYS[1]: 1}
    assert list(verify(lake)) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "now", [{"on_missing_reference": "warn"}, {"revision": 2}], ids=["no more waiting", "revision"]
)
def test_forgetting_removes_an_index_that_nothing_reads_any_more(tmp_path: Path, now: dict[str, Any]) -> None:
    before = lake_of(tmp_path, sales(personal=True), products(personal=True))
    put(before, {"p.json": known("a")}, "products")
    put(before, {"s.json": sold("11223344", "a")}, "sales")
    folder = reference_index.table_of(before.registry.feed("sales")).path
    assert reference_index.folders(before, "sales") == [folder]
    lake = lake_of(tmp_path, feed := sales(personal=True, **now), products(personal=True))
    put(lake, {}, "sales")
    for old in retired.find(lake):
        list(retired.drop(lake, old, landing=False, dry_run=False))
    assert leftovers.objects(lake, folder)
    request = ask(lake, feed, "product_id=11223344", "a request", "ann")
    assert service.forget(request, lambda: put(lake, {}, "sales"), lambda _: None).problems == []
    assert leftovers.objects(lake, folder) == []
    assert traces(lake, "11223344") == []
    assert [row[1] for row in published(lake)] == ["a"]
    assert list(verify(lake)) == []
