"""Every column says which columns it is computed from, and those exist."""

from pathlib import Path

import dataframely as dy
import pytest

from lakehouse_assets.contracts.declare import Model
from lakehouse_assets.contracts.lineage import Lineage, of_model, of_quarantine, of_silver, personal_of_model
from lakehouse_assets.contracts.registry import registry

pytestmark = pytest.mark.usefixtures("every_table")


def _assert_known(lineage: Lineage) -> None:
    columns = {table.path: set(table.columns) for table in registry().tables()}
    for name, pairs in lineage.items():
        assert [pair for pair in pairs if pair[1] not in columns.get(pair[0], set())] == [], name


def test_every_silver_column_comes_from_bronze_columns_that_exist() -> None:
    for feed in registry().feeds.values():
        lineage = of_silver(feed)
        assert lineage.keys() == feed.silver.columns.keys()
        assert all(pairs and {path for path, _ in pairs} == {feed.bronze.path} for pairs in lineage.values())
        _assert_known(lineage)


def test_a_computed_silver_column_comes_from_all_that_it_is_computed_from() -> None:
    lineage = of_silver(registry().feeds["sales"])
    assert lineage["line_amount"] == (("bronze/sales", "Quantity"), ("bronze/sales", "UnitPrice"))
    assert {column for _, column in lineage["line_type"]} == {"InvoiceNo", "StockCode", "Quantity", "UnitPrice"}
    assert lineage["dt"] == (("bronze/sales", "InvoiceDate"),)
    assert lineage["stock_code"] == (("bronze/sales", "StockCode"),)


def test_every_quarantine_column_but_the_reasons_comes_from_bronze() -> None:
    feed = registry().feeds["sales"]
    lineage = of_quarantine(feed)
    assert feed.quarantine.columns.keys() - lineage.keys() == {"rules"}
    _assert_known(lineage)


@pytest.mark.slow(covered=True)
def test_every_gold_column_but_the_constant_ones_has_lineage() -> None:
    constant = {("daily_metrics", "metric_name"), ("quarantine_by_rule", "feed")}
    for model in registry().models.values():
        lineage = of_model(model, registry())
        assert lineage.keys() == model.table.columns.keys()
        empty = {(model.name, name) for name, pairs in lineage.items() if not pairs}
        assert empty <= constant
        assert {path.replace("/", ".") for pairs in lineage.values() for path, _ in pairs} <= set(model.upstream)
        _assert_known(lineage)


def test_gold_lineage_follows_aggregates_filters_maps_and_derived_partitions() -> None:
    models = registry().models

    def pairs(model: str, column: str) -> set[str]:
        return {f"{path}.{name}" for path, name in of_model(models[model], registry())[column]}

    assert pairs("daily_sales", "sales") == {"silver/sales.line_amount", "silver/sales.line_type"}
    assert pairs("daily_sales", "customers") == {"silver/sales.customer_id", "silver/sales.line_type"}
    assert pairs("daily_metrics", "dimensions") == {"silver/sales.country"}
    assert pairs("daily_metrics", "year") == pairs("daily_metrics", "date_key") == {"silver/sales.dt"}
    assert "silver/sales.line_amount" in pairs("daily_metrics", "metric_value")
    assert pairs("product_performance", "invoices") == {"gold/daily_product_sales.invoice_nos"}
    assert pairs("product_performance", "stock_code") == {"gold/daily_product_sales.stock_code"}


def test_a_gold_column_is_personal_if_it_comes_in_the_same_type_from_a_personal_one(tmp_path: Path) -> None:
    class People(dy.Schema):
        who = dy.String(nullable=True)
        last = dy.String(nullable=True)
        lines = dy.Int64()
        country = dy.String(nullable=True)

    sql = tmp_path / "people.sql"
    query = "SELECT customer_id who, max(customer_id) last, count(customer_id) lines, any_value(country) country"
    sql.write_text(f"{query} FROM silver.sales GROUP BY ALL", encoding="utf-8")
    model = Model("people", People, description="People.", owner="team:x", sql=sql)
    assert personal_of_model(model, registry()) == {"who", "last"}
