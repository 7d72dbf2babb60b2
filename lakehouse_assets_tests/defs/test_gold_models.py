"""The gold models that the project declares hold the figures that follow from its sales."""

import datetime as dt
from decimal import Decimal

import duckdb
import polars as pl
import pytest

from lakehouse_assets.catalog import duckdb_views
from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.query.sql import run as query
from lakehouse_assets.query.verify import verify
from lakehouse_assets_tests.contracts.orders import orders
from lakehouse_assets_tests.pipeline.totals import NEXT, build_one, stored
from lakehouse_assets_tests.retail import DAY, Record, build, day, ingest, land, line, publish, run, sales, sales_csv

pytestmark = pytest.mark.usefixtures("every_table")


@pytest.mark.slow
def test_the_declared_models_hold_their_figures(lake: Lake) -> None:
    land(
        lake,
        "x.csv",
        sales_csv(
            [
                line(Quantity="10", UnitPrice="2.55"),
                line(Quantity="2", UnitPrice="0.0001", CustomerID=None, InvoiceNo="536366"),
                line(Quantity="-4", InvoiceNo="C536367"),
                line(StockCode="POST", Quantity="1", UnitPrice="18"),
                line(Quantity="3", UnitPrice="1", Country="France", Description="OTHER"),
                line(Quantity="5", UnitPrice="1", InvoiceDate=f"{NEXT} 10:00:00", Description="LATEST"),
            ]
        ),
    )
    run(lake)
    daily = sorted(stored(lake, "daily_sales"), key=lambda row: (row["dt"], row["country"]))
    assert daily[1] == {
        "dt": dt.date(2011, 3, 1), "country": "United Kingdom", "sales": Decimal("25.5002"),
        "returns": Decimal("-10.2000"), "adjustments": Decimal("18.0000"), "net": Decimal("33.3002"), "units": 12,
        "invoices": 2, "customers": 1, "lines": 2,
    }  # fmt: skip
    [product] = stored(lake, "product_performance")
    assert product == {
        "stock_code": "85123A", "description": "LATEST", "sales": Decimal("33.5002"), "units": 20, "invoices": 2,
        "first_date": dt.date(2011, 3, 1), "last_date": dt.date(2011, 3, 2), "return_rate": 4 / 20,
    }  # fmt: skip
    metrics = {
        (row["date_key"], row["metric_name"], str(row["dimensions"])): row for row in stored(lake, "daily_metrics")
    }
    assert metrics[dt.date(2011, 3, 1), "net", str({"currency": "GBP"})]["metric_value"] == 36.3002
    assert metrics[dt.date(2011, 3, 1), "units", "{}"]["metric_value"] == 15
    found = metrics[dt.date(2011, 3, 1), "sales_by_country", str({"country": "France", "currency": "GBP"})]
    assert (found["metric_value"], found["year"], found["month"], found["day"]) == (3.0, 2011, 3, 1)


@pytest.mark.slow
def test_quarantine_is_counted_by_date_and_rule_also_where_no_date_can_be_read(lake: Lake) -> None:
    bad = [line(Quantity="six", Country=""), line(Quantity="7.5"), line(InvoiceDate="someday", Quantity="many")]
    land(lake, "x.csv", sales_csv([*day(count=60), *bad]))
    run(lake)
    day_one = dt.date(2011, 3, 1)
    assert sorted(stored(lake, "quarantine_by_rule"), key=str) == sorted(
        [
            {"feed": "sales", "dt": day_one, "rule": "country_required", "records": 1},
            {"feed": "sales", "dt": day_one, "rule": "quantity_readable", "records": 2},
            {"feed": "sales", "dt": None, "rule": "invoiced_at_readable", "records": 1},
            {"feed": "sales", "dt": None, "rule": "quantity_readable", "records": 1},
        ],
        key=str,
    )
    land(lake, "x.csv", sales_csv([*day(count=60), *bad[2:]]))
    run(lake)
    assert {row["dt"] for row in stored(lake, "quarantine_by_rule")} == {None}


@pytest.mark.slow
def test_a_feed_that_is_added_is_counted_too(lake: Lake) -> None:
    land(lake, "x.csv", sales_csv([*day(count=19), line(Quantity="six")]))
    run(lake)
    model = lake.registry.models["quarantine_by_rule"]
    more = Lake(lake.store, lake.settings, Registry([sales(lake), orders(business_date=None, gate=0.0)], [model]))
    [model] = more.registry.models.values()
    assert build_one(more, model) == {"whole": 1}
    land(more, "o.json", b'[{"Number": "x", "Units": 2, "At": "01/03/2011", "Price": 1.5}]', "orders")
    ingest(more, feed="orders")
    publish(more, feed="orders")
    assert build_one(more, model) == {"whole": 2}
    expected = [("orders", None, "number_regex", 1), ("sales", dt.date.fromisoformat(DAY), "quantity_readable", 1)]
    assert sorted(tuple(row.values()) for row in stored(more, "quarantine_by_rule")) == expected
    asked = "SELECT feed, dt, rule, records FROM quarantine.by_rule ORDER BY feed"
    assert query(more, asked).rows == expected
    duckdb_views.rebuild(more)
    assert list(duckdb_views.unreadable_views(more)) == []
    with duckdb.connect(more.store.uri(duckdb_views.PATH), read_only=True) as catalog:
        assert catalog.sql(asked).fetchall() == expected


@pytest.mark.slow
def test_records_without_a_date_alone_are_counted_anew_too(lake: Lake) -> None:
    for odd in (1, 3):
        land(lake, "x.csv", sales_csv([line(InvoiceDate=f"day {at}") for at in range(odd)]))
        run(lake)
        assert [row["records"] for row in stored(lake, "quarantine_by_rule")] == [odd]
    assert list(verify(lake)) == []


@pytest.mark.slow
def test_a_product_that_was_only_returned_has_no_performance(lake: Lake) -> None:
    land(lake, "x.csv", sales_csv([line(InvoiceNo="C536365", Quantity="-6")]))
    run(lake)
    assert stored(lake, "product_performance") == []
    assert len(stored(lake, "daily_product_sales")) == 1


@pytest.mark.slow
def test_a_date_of_adjustments_only_has_figures_of_nothing(lake: Lake) -> None:
    land(lake, "x.csv", sales_csv([line(StockCode="POST")]))
    run(lake)
    [row] = stored(lake, "daily_sales")
    assert (row["sales"], row["units"], row["invoices"], row["lines"]) == (0, 0, 0, 0)
    assert row["net"] == row["adjustments"] == Decimal("15.3000")
    names = {row["metric_name"] for row in stored(lake, "daily_metrics")}
    assert "average_order_value" not in names
    assert build(lake) == {name: [] for name in lake.registry.models}


def test_money_stays_decimal_until_the_metrics(lake: Lake) -> None:
    for model in lake.registry.models.values():
        floats = [n for n, column in model.table.columns.items() if column.dtype == pl.Float64()]
        ratios = {
            "daily_metrics": ["metric_value"],
            "funnel_daily": ["conversion"],
            "product_performance": ["return_rate"],
            "customer_insights": ["average_order_value", "days_between_orders"],
            "cohort_retention": ["retention"],
            "basket_pairs": ["support", "confidence", "other_confidence", "lift"],
        }
        assert floats == ratios.get(model.name, [])


def bought(invoice: int, date: str, customer: str, *codes: str, **changes: str) -> list[Record]:
    """Return the lines of an invoice, a unit of each product."""
    values = {"InvoiceNo": str(invoice), "InvoiceDate": f"{date} 10:00:00", "CustomerID": customer, "Quantity": "1"}
    return [line(**values | {"StockCode": code} | changes) for code in codes]


@pytest.mark.slow
def test_customers_their_cohorts_and_their_baskets(lake: Lake) -> None:
    records = [
        *bought(500001, "2011-01-10", "1", "10001", "10002"),
        *bought(500002, "2011-01-20", "1", "10001", "10002"),
        *bought(500003, "2011-03-01", "2", "10001", "10002", "10003"),
        *bought(500004, "2011-03-31", "3", "10003", UnitPrice="100"),
        *bought(500005, "2011-03-31", "", "10003"),
        *bought(0, "2011-03-31", "4", "10003", InvoiceNo="C500006", Quantity="-1"),
    ]
    land(lake, "x.csv", sales_csv(records))
    run(lake)

    one, two, three = stored(lake, "customer_insights")
    assert [row["customer_id"] for row in (one, two, three)] == ["1", "2", "3"]
    assert (one["recency_days"], one["frequency"], one["monetary"]) == (71, 2, Decimal("10.2000"))
    assert (one["days_between_orders"], one["churn_risk"], one["segment"]) == (10.0, "high", "at risk")
    assert (two["recency_days"], two["days_between_orders"], two["churn_risk"]) == (31, None, "high")
    assert (three["recency_days"], three["churn_risk"], three["lifetime_value"]) == (1, "low", Decimal(100))
    cohorts = {(str(row["cohort"]), row["months_since"]): row["active"] for row in stored(lake, "cohort_retention")}
    assert cohorts == {("2011-01-01", 0): 1, ("2011-01-01", 1): 0, ("2011-01-01", 2): 0, ("2011-03-01", 0): 2}
    [pair] = stored(lake, "basket_pairs")
    assert (pair["stock_code"], pair["other_stock_code"], pair["baskets"]) == ("10001", "10002", 3)
    assert (pair["support"], pair["confidence"], pair["lift"]) == (3 / 5, 1.0, 5 / 3)


@pytest.mark.slow
def test_without_a_known_customer_there_is_nobody_to_tell_of(lake: Lake) -> None:
    land(lake, "x.csv", sales_csv([line(CustomerID=None)]))
    run(lake)
    assert [stored(lake, name) for name in ("customer_insights", "cohort_retention", "basket_pairs")] == [[], [], []]
    assert list(verify(lake)) == []
