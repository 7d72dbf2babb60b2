"""Spark by hand: `LANDING LAKE REPORT sail|jvm`, one text of SQL for both. Run by a Python that has only Spark.

Spark reads no zips: they are unpacked first. Each table is written once and read back by the next.
"""

import json
import os
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from benchmarks import STARTED

RAW = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
TYPED = """
SELECT DISTINCT invoice_no, stock_code, description, quantity, to_utc_timestamp(local, 'Europe/London') AS invoiced_at,
       unit_price, customer_id, country, CAST(local AS DATE) AS dt,
       CASE WHEN quantity IS NULL THEN quantity_raw END AS quantity_text,
       CASE WHEN local IS NULL THEN local_raw END AS invoiced_at_text,
       CASE WHEN unit_price IS NULL THEN price_raw END AS unit_price_text
FROM (
    SELECT nullif(trim(InvoiceNo), '') AS invoice_no,
           nullif(upper(trim(StockCode)), '') AS stock_code,
           nullif(trim(Description), '') AS description,
           trim(Quantity) AS quantity_raw,
           CASE WHEN trim(Quantity) RLIKE '^[+-]?[0-9]+$' THEN try_cast(trim(Quantity) AS BIGINT) END AS quantity,
           trim(InvoiceDate) AS local_raw,
           try_to_timestamp(trim(InvoiceDate), 'yyyy-MM-dd HH:mm:ss') AS local,
           trim(UnitPrice) AS price_raw,
           CASE WHEN trim(UnitPrice) RLIKE '^[+-]?([0-9]+[.]?[0-9]{0,4}0*|[.][0-9]{1,4}0*)$'
                THEN try_cast(trim(UnitPrice) AS DECIMAL(18, 4)) END AS unit_price,
           nullif(regexp_replace(trim(CustomerID), '[.]0$', ''), '') AS customer_id,
           nullif(trim(Country), '') AS country
    FROM bronze
)"""
CHECKED = """
SELECT *, array_compact(array(
    CASE WHEN quantity IS NULL THEN 'quantity_readable' END,
    CASE WHEN invoiced_at IS NULL THEN 'invoiced_at_readable' END,
    CASE WHEN dt NOT BETWEEN DATE '2009-01-01' AND current_date() THEN 'invoiced_at_in_range' END,
    CASE WHEN unit_price IS NULL THEN 'unit_price_readable' END,
    CASE WHEN unit_price < 0 THEN 'unit_price_min' END,
    CASE WHEN invoice_no IS NULL OR NOT invoice_no RLIKE '^[CA]?[0-9]{6}$' THEN 'invoice_no_regex' END,
    CASE WHEN stock_code IS NULL THEN 'stock_code_required' END,
    CASE WHEN country IS NULL THEN 'country_required' END,
    CASE WHEN invoice_no LIKE 'C%' AND quantity > 0 THEN 'cancellation_not_positive' END
)) AS rules
FROM typed"""
SILVER = """
SELECT invoice_no, stock_code, description, quantity, invoiced_at, unit_price, customer_id, country,
       CASE WHEN invoice_no LIKE 'C%' THEN 'return'
            WHEN invoice_no RLIKE '^[0-9]{6}$' AND stock_code RLIKE '^[0-9]{5}[A-Z]{0,2}$'
                 AND quantity > 0 AND unit_price > 0 THEN 'sale'
            ELSE 'adjustment' END AS line_type,
       CAST(CAST(quantity AS DECIMAL(19, 0)) * unit_price AS DECIMAL(38, 4)) AS line_amount,
       dt
FROM checked WHERE size(rules) = 0"""
QUARANTINE = "SELECT * FROM checked WHERE size(rules) > 0"
DAILY_SALES = """
SELECT dt, country,
       coalesce(sum(line_amount) FILTER (WHERE line_type = 'sale'), 0) AS sales,
       coalesce(sum(line_amount) FILTER (WHERE line_type = 'return'), 0) AS returns,
       coalesce(sum(line_amount) FILTER (WHERE line_type = 'adjustment'), 0) AS adjustments,
       sum(line_amount) AS net,
       coalesce(sum(quantity) FILTER (WHERE line_type = 'sale'), 0) AS units,
       count(DISTINCT CASE WHEN line_type = 'sale' THEN invoice_no END) AS invoices,
       count(DISTINCT CASE WHEN line_type = 'sale' THEN customer_id END) AS customers,
       count(CASE WHEN line_type = 'sale' THEN 1 END) AS lines
FROM silver GROUP BY dt, country"""


def on_sail() -> tuple[Any, Any]:
    """Return a session of Sail, and its server in this process, which ends when nobody has it."""
    from pysail.spark import SparkConnectServer

    server = SparkConnectServer(ip="127.0.0.1", port=0)
    server.start(background=True)
    return SparkSession.builder.remote(f"sc://127.0.0.1:{server.listening_address[1]}").getOrCreate(), server


def on_jvm() -> tuple[Any, Any]:
    """Return a session on all cores, in as many parts and not the 200 of a cluster; and its virtual machine."""
    builder = SparkSession.builder.master("local[*]")
    for name, value in {
        "spark.ui.enabled": "false",
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",  # as everyone else reads and writes them
        "spark.sql.shuffle.partitions": str(os.cpu_count()),
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
    }.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    return spark, spark.sparkContext._gateway.proc  # noqa: SLF001 - it has no public name


def run(spark: Any, landing: Path, lake: Path) -> None:  # noqa: ANN401 - either session
    """Bring every zip of a folder into the tables of a lake."""
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    for path in landing.glob("*.zip"):
        with zipfile.ZipFile(path) as archive:
            archive.extractall(lake / "unpacked")
    raw = spark.read.csv(str(lake / "unpacked"), header=True, schema=", ".join(f"{name} STRING" for name in RAW))
    stored(spark, raw, lake, "bronze")
    spark.sql(TYPED).createOrReplaceTempView("typed")
    stored(spark, spark.sql(CHECKED), lake, "checked")
    stored(spark, spark.sql(SILVER), lake, "silver")
    stored(spark, spark.sql(QUARANTINE), lake, "quarantine")
    spark.sql(DAILY_SALES).write.parquet(str(lake / "gold/daily_sales"))


def stored(spark: Any, rows: Any, lake: Path, name: str) -> None:  # noqa: ANN401 - either session
    """Write a table, and have what is asked for by its name read from there."""
    folder = str(lake / name / "sales")
    rows.write.parquet(folder)
    spark.read.parquet(folder).createOrReplaceTempView(name)


def main() -> None:
    """Do it, and wait for the virtual machine's end: the CPU seconds of a child count when it has been waited for."""
    imported = time.monotonic() - float(os.environ[STARTED])
    landing, lake, report, engine = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]
    spark, server = on_jvm() if engine == "jvm" else on_sail()
    run(spark, landing, lake)
    spark.stop()
    if engine == "jvm":
        server.stdin.close()
        server.wait()
    report.write_text(json.dumps({"imports": imported}), encoding="utf-8")


if __name__ == "__main__":
    main()
