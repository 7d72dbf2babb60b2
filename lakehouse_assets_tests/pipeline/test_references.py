"""`references`: published records whose value has no counterpart in another feed are counted and shown."""

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dataframely as dy
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import ContractError, Feed, Model, source
from lakehouse_assets.contracts.partitioning import Partitioning
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.orchestration.feed_checks import results
from lakehouse_assets.orchestration.runner import Report
from lakehouse_assets.pipeline.references import Missing, missing
from lakehouse_assets.query import sql
from lakehouse_assets_tests.faults.conftest import IN_FULL
from lakehouse_assets_tests.pipeline.declared import feed_of, lake_of, put, stored
from lakehouse_assets_tests.retail import land

DAYS = ("2026-03-01", "2026-03-02")


def products(**options: Any) -> Feed:
    return feed_of({"product_id": dy.String(nullable=False)}, **{"name": "products"} | options)


def sales(*, personal: bool = False, **options: Any) -> Feed:
    columns = {
        "product_id": dy.String(nullable=True, metadata=source(personal=personal)),
        "sold_on": dy.Date(nullable=False),
        "units": dy.Int64(nullable=False),
    }
    declared = {"name": "sales", "business_date": "sold_on", "references": (("product_id", "products.product_id"),)}
    return feed_of(columns, **declared | options)


def sold(*ids: str | None, on: str = DAYS[0]) -> list[dict[str, Any]]:
    return [{"product_id": name, "sold_on": on, "units": at} for at, name in enumerate(ids)]


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize("where", ["folder", pytest.param("s3", marks=[pytest.mark.slow, IN_FULL])])
def test_what_has_no_counterpart_is_counted_with_samples(
    where: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    root = tmp_path if where == "folder" else request.getfixturevalue("s3_lake").settings.root
    lake = lake_of(root, feed := sales(), products())
    put(lake, {"p.json": [{"product_id": "a"}]}, "products")
    put(lake, {"s.json": [*sold("a", "b", "b", None, "c"), *sold("b", on=DAYS[1])]}, "sales")
    [found] = missing(lake, feed, DAYS)
    assert (found.records, found.values, found.among, found.samples) == (4, 2, 5, (("b", 3), ("c", 1)))
    assert found.message.startswith(
        "4 of 5 records have a product_id without a product_id in silver.products, such as 'b' (3), 'c' (1)."
    )
    [of_one_date] = missing(lake, feed, DAYS[1:])
    assert (of_one_date.records, of_one_date.among) == (1, 1)
    assert len(stored(lake, "silver", "units", feed="sales")) == 6
    columns = 'dt, "column", reference, value, records'
    listed = f"SELECT {columns} FROM silver.missing_references WHERE feed = 'sales' ORDER BY ALL"  # noqa: S608
    assert sql.run(lake, listed).rows == [
        (dt.date(2026, 3, 1), "product_id", "products.product_id", "b", 2),
        (dt.date(2026, 3, 1), "product_id", "products.product_id", "c", 1),
        (dt.date(2026, 3, 2), "product_id", "products.product_id", "b", 1),
    ]
    put(lake, {"q.json": [{"product_id": "b"}]}, "products")
    assert [row[3] for row in sql.run(lake, listed).rows] == ["c"]


def test_before_the_other_feed_has_landed_nothing_has_a_counterpart(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, feed := sales(), products())
    put(lake, {"s.json": sold("a", "b")}, "sales")
    assert [(found.records, found.among) for found in missing(lake, feed, DAYS)] == [(2, 2)]


def test_values_of_a_personal_column_are_not_shown(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, feed := sales(personal=True), products())
    put(lake, {"s.json": sold("ann", "bob")}, "sales")
    [found] = missing(lake, feed, DAYS)
    assert (found.records, found.samples) == (2, ())
    assert "ann" not in found.message


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize("layout", [Partitioning.BY_YEAR_MONTH_DAY, None])
def test_the_view_has_the_date_of_every_layout(tmp_path: Path, layout: Partitioning | None) -> None:
    feed = sales(partitioning=layout) if layout else sales(business_date=None)
    lake = lake_of(tmp_path, feed, products())
    put(lake, {"s.json": sold("a", None)}, "sales")
    expected = dt.date(2026, 3, 1) if layout else None
    assert sql.run(lake, "SELECT dt, value FROM silver.missing_references").rows == [(expected, "a")]


@pytest.mark.slow(covered=True)
def test_the_check_of_silver_warns(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, feed := sales(), products())
    outcomes = list(put(lake, {"s.json": sold("a")}, "sales").values())
    checks = {result.check_name: result for result in results(lake, feed, outcomes)}
    assert not checks["product_id_referenced"].passed
    assert checks["product_id_referenced"].severity.value == "WARN"
    put(lake, {"p.json": [{"product_id": "a"}]}, "products")
    checks = {result.check_name: result for result in results(lake, feed, outcomes)}
    assert checks["product_id_referenced"].passed


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::dagster.BetaWarning")
@pytest.mark.parametrize("dated", [(True, False), (False, True)], ids=str)
def test_a_run_that_publishes_both_compares_with_what_it_published(
    dated: tuple[bool, bool], tmp_path: Path, run_of: Callable[[Lake], Report], monkeypatch: pytest.MonkeyPatch
) -> None:
    dates = ["sold_on" if is_dated else None for is_dated in dated]
    referencing = sales(references=(("product_id", "zz.product_id"),), business_date=dates[0])
    lake = lake_of(tmp_path, referencing, sales(name="zz", references=(), business_date=dates[1]))
    land(lake, "p.json", b'[{"product_id": "a", "sold_on": "2026-02-01", "units": 1}]', "zz")
    land(lake, "s.json", b'[{"product_id": "a", "sold_on": "2026-03-01", "units": 1}]', "sales")
    seen: list[int] = []

    def noted(*about: Any) -> Iterator[Missing]:
        for found in missing(*about):
            seen.append(found.records)
            yield found

    monkeypatch.setattr("lakehouse_assets.orchestration.feed_checks.missing", noted)
    assert run_of(lake).failures == []
    assert seen == [0]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::dagster.BetaWarning")
def test_a_held_feed_keeps_no_feed_that_references_it_from_being_published(
    tmp_path: Path, run_of: Callable[[Lake], Report]
) -> None:
    lake = lake_of(tmp_path, sales(), products())
    land(lake, "p.json", b'[{"product_id": null}]', "products")
    land(lake, "s.json", b'[{"product_id": "a", "sold_on": "2026-03-01", "units": 1}]', "sales")
    assert run_of(lake).failures == []
    assert stored(lake, "silver", "units", feed="sales") == [(1,)]


@pytest.mark.parametrize(
    ("references", "said"),
    [
        (("product_id", "products.product_id"), "is not a tuple of pairs"),
        ((("product_id", "products"),), "is not a tuple of pairs"),
        ((("article", "products.product_id"),), "'article' is no column of its contract"),
        ((("product_id", "products.product_id"), ("product_id", "products.code")), "'product_id' is referenced twice"),
    ],
)
def test_a_senseless_reference_is_refused(references: Any, said: str) -> None:
    with pytest.raises(ContractError, match="feed 'sales': ") as error:
        sales(references=references)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("feeds", "said"),
    [
        ([sales()], "references products.product_id, which no module declares"),
        ([sales(references=(("product_id", "products.code"),)), products()], "products.code, which is no column"),
        ([sales(references=(("units", "products.product_id"),)), products()], "one is Int64, the other String"),
        ([sales(), products(references=(("product_id", "sales.product_id"),))], "in a circle: "),
        ([products(name="missing_references"), sales(), products()], "is a view of the lake's own"),
    ],
)
def test_references_that_cannot_be_followed_are_refused(feeds: list[Feed], said: str) -> None:
    with pytest.raises(ContractError) as error:
        Registry(feeds, [])
    assert said in str(error.value)


def test_a_model_may_read_what_is_missing_and_is_built_anew_with_either_table(tmp_path: Path) -> None:
    file = tmp_path / "holes.sql"
    file.write_text("SELECT value FROM silver.missing_references")
    schema = type("Holes", (dy.Schema,), {"value": dy.String(nullable=False)})
    model = Model(name="holes", schema=schema, sql=file, description="Holes.", owner="team:x")
    [declared] = Registry([sales(), products()], [model]).models.values()
    assert declared.upstream == ("silver.products", "silver.sales")


def test_a_feed_may_reference_itself_and_the_version_stays() -> None:
    feed = products(references=(("product_id", "products.product_id"),))
    Registry([feed], [])
    assert feed.version == products().version
