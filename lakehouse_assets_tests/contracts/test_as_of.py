"""Which joins of a history are understood as joins as of a time, and which are refused."""

from pathlib import Path

import pytest

from lakehouse_assets.contracts.agreement import UnusableError
from lakehouse_assets.contracts.as_of import AsOf
from lakehouse_assets.contracts.lineage import of_model
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets_tests.pipeline.enriched import SQL, feeds, model

CUSTOMERS = ("silver.customers_history", "silver.sales", (("customer_id", "customer_id"),), "sold_at")
PRODUCTS = ("silver.products_history", "silver.sales", (("stock_code", "stock_code"),), "sold_at")
SELECT = "SELECT s.dt, s.sale_id, c.segment, 'x' AS category FROM silver.sales AS s"
HISTORY = "silver.customers_history AS c"
JOINED = f"ASOF JOIN {HISTORY} ON s.customer_id = c.customer_id AND s.sold_at >= c.valid_from"
EQUAL = "s.customer_id = c.customer_id"
RANGE = "c.valid_from <= s.sold_at AND (c.valid_to IS NULL OR c.valid_to > s.sold_at)"


def understood(folder: Path, sql: str, **options: str | None) -> tuple[AsOf, ...]:
    registry = Registry(feeds(), [model(folder, sql, **options)])
    return registry.as_of(registry.models["enriched"])


def test_key_time_and_what_is_read_stand_in_the_sql(tmp_path: Path) -> None:
    found = understood(tmp_path, SQL)
    assert found == (AsOf(*CUSTOMERS, ("is_deleted", "segment")), AsOf(*PRODUCTS, ("category",)))


@pytest.mark.parametrize(
    ("sql", "reads"),
    [
        (f"{SELECT} JOIN {HISTORY} ON {RANGE} AND {EQUAL}", ("segment",)),
        (f"{SELECT} LEFT JOIN {HISTORY} ON {EQUAL} AND {RANGE} AND NOT c.is_deleted", ("is_deleted", "segment")),
        (f"{SELECT} ASOF JOIN {HISTORY} ON c.valid_from <= s.sold_at AND {EQUAL}", ("segment",)),
        (
            f"{SELECT} ASOF JOIN {HISTORY} ON {EQUAL} AND sold_at >= valid_from WHERE is_current",
            ("is_current", "segment"),
        ),
        (f"WITH e AS ({SELECT} ASOF JOIN {HISTORY} ON {EQUAL} AND s.sold_at >= c.valid_from) FROM e", ("segment",)),
        (
            f"{SELECT} ASOF JOIN {HISTORY} ON {EQUAL} AND s.sold_at >= c.valid_from ORDER BY c.valid_from",
            ("segment", "valid_from"),
        ),
    ],
)
def test_ways_to_write_it(tmp_path: Path, sql: str, reads: tuple[str, ...]) -> None:
    assert understood(tmp_path, sql) == (AsOf(*CUSTOMERS, reads),)


@pytest.mark.parametrize(
    "sql",
    [
        f"{SELECT} LEFT JOIN {HISTORY} ON {EQUAL} AND c.is_current",
        f"{SELECT} LEFT JOIN {HISTORY} ON {EQUAL} AND s.sold_at >= c.valid_from",
        f"{SELECT} JOIN {HISTORY} ON {EQUAL} AND s.sold_at >= c.valid_from AND c.valid_to > s.sold_at + INTERVAL 1 DAY",
        f"{SELECT} RIGHT JOIN {HISTORY} ON {EQUAL} AND {RANGE}",
        f"{SELECT}, {HISTORY} WHERE {EQUAL} AND {RANGE}",
        f"{SELECT} JOIN {HISTORY} ON {EQUAL} AND {RANGE} WHERE EXISTS (FROM silver.customers_history)",
    ],
)
def test_any_other_use_counts_as_a_whole(tmp_path: Path, sql: str) -> None:
    assert understood(tmp_path, sql) == ()


def test_a_snapshot_reads_all_of_a_history(tmp_path: Path) -> None:
    assert understood(tmp_path, SQL, date=None) == ()


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        (
            f"{SELECT} ASOF JOIN {HISTORY} ON {EQUAL} AND s.sold_at > c.valid_from",
            "compares more than the key and the time",
        ),
        (f"{SELECT} ASOF JOIN {HISTORY} ON s.sold_at >= c.valid_from", r"not compare the whole key \(customer_id\)"),
        (
            f"{SELECT} ASOF JOIN {HISTORY} ON upper({EQUAL[:13]}) = c.customer_id AND s.sold_at >= c.valid_from",
            "more than",
        ),
        (f"{SELECT} ASOF JOIN {HISTORY} ON {EQUAL} AND s.dt >= c.valid_from", "sales.dt is not of the type of"),
        (f"{SELECT} ASOF RIGHT JOIN {HISTORY} ON {EQUAL} AND s.sold_at >= c.valid_from", "no inner or left join"),
        (f"{SELECT} ASOF JOIN {HISTORY} USING (customer_id, valid_from)", "cannot be told apart"),
        (
            f"WITH s AS (FROM silver.sales) {SELECT[:-18]} s {JOINED}",
            "not columns of one table by date",
        ),
        (f"{SELECT.replace('c.segment', 'COLUMNS(c.*)')} {JOINED}", "whole rows"),
        (SQL.replace("p.category", "c.phone AS category"), "customers_history.phone, which is personal data"),
        (SQL.replace("p.category", "c.customer_id AS category"), "customers_history.customer_id, which is personal"),
    ],
)
def test_what_is_not_understood_or_takes_personal_data_is_refused(tmp_path: Path, sql: str, why: str) -> None:
    with pytest.raises(UnusableError, match=why):
        understood(tmp_path, sql)


def test_lineage_names_the_columns_of_all_three_tables(tmp_path: Path) -> None:
    registry = Registry(feeds(), [model(tmp_path)])
    found = of_model(registry.models["enriched"], registry)
    assert registry.models["enriched"].upstream == (CUSTOMERS[0], PRODUCTS[0], "silver.sales")
    assert found["segment"] == (("silver/customers_history", "segment"),)
    assert found["category"] == (("silver/products_history", "category"),)
