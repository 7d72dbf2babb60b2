"""Gold of the floor, in DuckDB: the tables by date from a batch of silver in memory, the snapshot from stored ones."""

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import duckdb
import polars as pl
from deltalake import DeltaTable

AMOUNT = pl.Decimal(38, 4)
DAILY_SALES = """
SELECT dt, country,
       coalesce(sum(line_amount) FILTER (line_type = 'sale'), 0) AS sales,
       coalesce(sum(line_amount) FILTER (line_type = 'return'), 0) AS returns,
       coalesce(sum(line_amount) FILTER (line_type = 'adjustment'), 0) AS adjustments,
       sum(line_amount) AS net,
       coalesce(sum(quantity) FILTER (line_type = 'sale'), 0) AS units,
       count(DISTINCT invoice_no) FILTER (line_type = 'sale') AS invoices,
       count(DISTINCT customer_id) FILTER (line_type = 'sale') AS customers,
       count(*) FILTER (line_type = 'sale') AS lines
FROM silver GROUP BY ALL ORDER BY ALL"""
DAILY_METRICS = """
WITH d AS (
    SELECT dt, sum(sales) AS sales, sum(returns) AS returns, sum(net) AS net, sum(units) AS units
    FROM daily_sales GROUP BY dt
), c AS (
    SELECT dt, count(DISTINCT invoice_no) AS invoices, count(DISTINCT customer_id) AS customers
    FROM silver WHERE line_type = 'sale' GROUP BY dt
), m AS (
    SELECT d.*, coalesce(invoices, 0) AS invoices, coalesce(customers, 0) AS customers FROM d LEFT JOIN c USING (dt)
)
SELECT dt AS date_key, year(dt)::INT AS year, month(dt)::INT AS month, day(dt)::INT AS day, k AS metric_name,
       v AS metric_value, p AS dimensions
FROM (
    SELECT dt, 'sales' AS k, sales::DOUBLE AS v, MAP {'currency': 'GBP'} AS p FROM m
    UNION ALL SELECT dt, 'returns', returns::DOUBLE, MAP {'currency': 'GBP'} FROM m
    UNION ALL SELECT dt, 'net', net::DOUBLE, MAP {'currency': 'GBP'} FROM m
    UNION ALL SELECT dt, 'units', units::DOUBLE, MAP {}::MAP(VARCHAR, VARCHAR) FROM m
    UNION ALL SELECT dt, 'invoices', invoices::DOUBLE, MAP {}::MAP(VARCHAR, VARCHAR) FROM m
    UNION ALL SELECT dt, 'customers', customers::DOUBLE, MAP {}::MAP(VARCHAR, VARCHAR) FROM m
    UNION ALL SELECT dt, 'average_order_value', sales::DOUBLE / invoices, MAP {'currency': 'GBP'} FROM m
              WHERE invoices > 0
    UNION ALL SELECT dt, 'sales_by_country', sales::DOUBLE, MAP {'country': country, 'currency': 'GBP'}
              FROM daily_sales WHERE lines > 0
) ORDER BY date_key, metric_name, metric_value"""
DAILY_PRODUCT_SALES = """
SELECT dt, stock_code,
       arg_max(description, (invoiced_at, description)) FILTER (line_type = 'sale' AND description IS NOT NULL)
           AS description,
       max(invoiced_at) FILTER (line_type = 'sale' AND description IS NOT NULL) AS described_at,
       coalesce(sum(line_amount) FILTER (line_type = 'sale'), 0) AS sales,
       coalesce(sum(quantity) FILTER (line_type = 'sale'), 0) AS units,
       count(*) FILTER (line_type = 'sale') AS lines,
       coalesce(list_sort(list(DISTINCT invoice_no) FILTER (line_type = 'sale')), []) AS invoice_nos,
       coalesce(-sum(quantity) FILTER (line_type = 'return'), 0) AS returned_units
FROM silver WHERE line_type <> 'adjustment' GROUP BY ALL ORDER BY ALL"""
PRODUCT_PERFORMANCE = """
WITH t AS (
    SELECT stock_code, arg_max(description, (described_at, description)) FILTER (description IS NOT NULL)
               AS description,
           sum(sales) AS sales, sum(units) AS units,
           min(dt) FILTER (lines > 0) AS first_date, max(dt) FILTER (lines > 0) AS last_date,
           sum(returned_units) AS returned_units
    FROM daily_product_sales GROUP BY stock_code HAVING sum(lines) > 0
), i AS (
    SELECT stock_code, count(DISTINCT invoice_no) AS invoices
    FROM (SELECT stock_code, unnest(invoice_nos) AS invoice_no FROM daily_product_sales) GROUP BY stock_code
)
SELECT stock_code, description, sales, units, invoices, first_date, last_date,
       returned_units::DOUBLE / units AS return_rate
FROM t JOIN i USING (stock_code) ORDER BY stock_code"""


def by_date(silver: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield name and rows of each gold table by date, from the silver rows of these dates."""
    with duckdb.connect() as session:
        session.execute("SET TimeZone = 'UTC'")
        session.register("silver", silver)
        daily_sales = _frame(session, DAILY_SALES)
        yield "daily_sales", daily_sales
        session.register("daily_sales", daily_sales)
        yield "daily_metrics", _frame(session, DAILY_METRICS)
        yield "daily_product_sales", _frame(session, DAILY_PRODUCT_SALES)


def product_performance(lake: Path) -> pl.DataFrame:
    """Return the product snapshot from every date of `daily_product_sales`."""
    with duckdb.connect() as session:
        session.execute("SET TimeZone = 'UTC'")
        files = DeltaTable(str(lake / "gold/daily_product_sales")).file_uris()
        session.read_parquet(files, hive_partitioning=True).create_view("daily_product_sales")
        return _frame(session, PRODUCT_PERFORMANCE)


def quarantine_by_rule(lake: Path) -> pl.DataFrame:
    """Return the counts of quarantined records by date and rule."""
    rules = pl.scan_delta(str(lake / "quarantine/sales")).select(pl.lit("sales").alias("feed"), "dt", rule="rules")
    counts = rules.explode("rule").group_by("feed", "dt", "rule").agg(records=pl.len().cast(pl.Int64))
    return counts.sort("dt", "rule").collect()


def _frame(session: duckdb.DuckDBPyConnection, sql: str) -> pl.DataFrame:
    frame = cast("pl.DataFrame", pl.from_arrow(session.sql(sql).to_arrow_table()))
    return frame.with_columns(
        pl.col(name).cast(AMOUNT)
        for name, dtype in frame.schema.items()
        if isinstance(dtype, pl.Decimal) and dtype.scale
    )
