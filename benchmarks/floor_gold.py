"""Gold of the floor, in DuckDB: the tables by date from a batch of silver in memory, the snapshots from stored ones.

All the gold tables that the product makes of sales alone. Where by hand one would write no other SQL, it is the
product's.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import duckdb
import polars as pl

MODELS = Path(__file__).resolve().parent.parent / "lakehouse_assets" / "defs" / "gold"
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
FROM silver.sales GROUP BY ALL ORDER BY ALL"""
DAILY_METRICS = """
WITH d AS (
    SELECT dt, sum(sales) AS sales, sum(returns) AS returns, sum(net) AS net, sum(units) AS units
    FROM daily_sales GROUP BY dt
), c AS (
    SELECT dt, count(DISTINCT invoice_no) AS invoices, count(DISTINCT customer_id) AS customers
    FROM silver.sales WHERE line_type = 'sale' GROUP BY dt
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
FROM silver.sales WHERE line_type <> 'adjustment' GROUP BY ALL ORDER BY ALL"""


def by_date(silver: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield name and rows of each gold table by date, from the silver rows of these dates."""
    with _session({"silver.sales": silver}) as session:
        daily_sales = _frame(session, DAILY_SALES)
        yield "daily_sales", daily_sales
        session.register("daily_sales", daily_sales)
        yield "daily_metrics", _frame(session, DAILY_METRICS)
        yield "daily_product_sales", _frame(session, DAILY_PRODUCT_SALES)
        yield "daily_baskets", _frame(session, _same_sql("daily_baskets"))
        yield "daily_customer_sales", _frame(session, _same_sql("daily_customer_sales"))
    enriched = sales_enriched(silver)
    yield "sales_enriched", enriched
    with _session({"gold.sales_enriched": enriched}) as session:
        yield "daily_group_sales", _frame(session, _same_sql("daily_group_sales"))


def sales_enriched(silver: pl.DataFrame) -> pl.DataFrame:
    """Return sales with what was known of customer and product: nothing, there are no files of either."""
    unknown = pl.lit(None, pl.String)
    return silver.select(
        pl.exclude("customer_id", "_source_key", "_line"),
        customer_segment=unknown,
        customer_country=unknown,
        product_category=unknown,
        product_cost=pl.lit(None, pl.Decimal(18, 4)),
    )


def snapshots(lake: Path) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield name and rows of each gold table that follows from all dates, from what is stored."""
    yield "quarantine_by_rule", quarantine_by_rule(lake)
    with _session({}) as session:
        for name in ("daily_product_sales", "daily_baskets", "daily_customer_sales", "daily_sales"):
            # Not read by DuckDB itself: of the year's 365 files one query ended in an internal error of DuckDB 2.0.
            session.register(f"gold_{name}", pl.scan_delta(str(lake / "gold" / name)))
            session.execute(f"CREATE VIEW gold.{name} AS FROM gold_{name}")
        for name in ("product_performance", "basket_pairs", "cohort_retention", "customer_insights"):
            yield name, _frame(session, _same_sql(name))


def quarantine_by_rule(lake: Path) -> pl.DataFrame:
    """Return the counts of quarantined records by date and rule."""
    rules = pl.scan_delta(str(lake / "quarantine/sales")).select(pl.lit("sales").alias("feed"), "dt", rule="rules")
    counts = rules.explode("rule").group_by("feed", "dt", "rule").agg(records=pl.len().cast(pl.Int64))
    return counts.sort("dt", "rule").collect()


@contextmanager
def _session(frames: Mapping[str, pl.DataFrame]) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as session:
        session.execute("SET TimeZone = 'UTC'; CREATE SCHEMA silver; CREATE SCHEMA gold")
        for name, frame in frames.items():
            session.register(name.replace(".", "_"), frame)
            session.execute(f"CREATE VIEW {name} AS FROM {name.replace('.', '_')}")
        yield session


def _same_sql(name: str) -> str:
    """Return the product's SQL, where by hand one would write no other."""
    return (MODELS / f"{name}.sql").read_text(encoding="utf-8")


def _frame(session: duckdb.DuckDBPyConnection, sql: str) -> pl.DataFrame:
    frame = cast("pl.DataFrame", pl.from_arrow(session.sql(sql).to_arrow_table()))
    return frame.with_columns(
        pl.col(name).cast(AMOUNT)
        for name, dtype in frame.schema.items()
        if isinstance(dtype, pl.Decimal) and dtype.scale
    )
