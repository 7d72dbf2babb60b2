"""The 305 real days through the command line give every published figure, to the last decimal."""

import csv
import json
import re
from ast import literal_eval
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets_tests.conftest import SHARED, Cli

pytestmark = pytest.mark.slow
FIGURES = SHARED / "data" / "online_retail_figures.md"
TITLES = (
    "accounting",
    "by line type",
    "by month",
    "some days",
    "top products",
    "top countries",
    "recency, frequency, monetary of customers with a sale (as of the day after the last business date)",
    "first-purchase cohorts: customers and those active again in each of the next 3 months",
)
# The words of the figures in terms of the lake: every landed row, the distinct ones, the refused and the published.
NAMES = {
    "src": "bronze.sales",
    "l": """(select distinct trim("InvoiceNo"), upper(trim("StockCode")), nullif(trim("Description"), ''),
             trim("Quantity"), trim("InvoiceDate"), trim("UnitPrice"), regexp_replace(trim("CustomerID"), '[.]0$', ''),
             trim("Country") from bronze.sales)""",
    "bad": "quarantine.sales",
    "s": "silver.sales",
}


@dataclass(frozen=True)
class Figure:
    sql: str
    columns: list[str]
    rows: list[list[str]]


def figures() -> dict[str, Figure]:
    if not FIGURES.exists():
        pytest.skip(f"the figures are not at {FIGURES}")
    found = {}
    for title, sql, table in re.findall(
        r"^\*\*(.+)\*\*\n\n```sql\n([^`]+)\n```\n\n((?:\|.*\|\n?)+)", FIGURES.read_text(), re.MULTILINE
    ):
        cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.strip().splitlines()]
        found[title] = Figure(sql, cells[0], cells[2:])
    return found


def ask(cli: Cli, lake: Lake, sql: str) -> list[dict[str, Any]]:
    """Return the rows of a query with the numbers as they are written."""
    answer = cli(lake, "query", sql, "--format", "json")
    assert answer.returncode == 0, answer.stderr
    rows: list[dict[str, Any]] = json.loads(answer.stdout, parse_float=str, parse_int=str)
    return rows


def chosen(title: str, *columns: str) -> list[list[str]]:
    """Return some columns of a figure's rows."""
    figure = figures()[title]
    return [[row[figure.columns.index(name)] for name in columns] for row in figure.rows]


def rows_of(answer: list[dict[str, Any]]) -> list[list[Any]]:
    return [list(row.values()) for row in answer]


def test_the_published_figures_are_the_ones_tested() -> None:
    assert tuple(figures()) == TITLES


@pytest.mark.parametrize("title", TITLES)
def test_every_figure_is_reproduced_to_the_last_decimal(title: str, real_lake: Lake, cli: Cli) -> None:
    figure = figures()[title]
    sql = re.sub(r"\bfrom (src|l|bad|s)\b", lambda match: f"from {NAMES[match[1]]}", figure.sql)

    answer = ask(cli, real_lake, sql)

    expected = [[literal_eval(cell) if cell.startswith("[") else cell for cell in row] for row in figure.rows]
    assert list(answer[0]) == figure.columns
    assert rows_of(answer) == expected


def test_daily_sales_gives_the_months(real_lake: Lake, cli: Cli) -> None:
    columns = ("month", "sale_lines", "units", "sales", "returns", "adjustments", "net")
    sql = """SELECT strftime(dt, '%Y-%m'), sum(lines), sum(units), sum(sales), sum(returns), sum(adjustments), sum(net)
             FROM gold.daily_sales GROUP BY 1 ORDER BY 1"""
    assert rows_of(ask(cli, real_lake, sql)) == chosen("by month", *columns)


def test_daily_sales_gives_the_days_and_the_countries(real_lake: Lake, cli: Cli) -> None:
    days = chosen("some days", "dt", "sale_lines", "sales", "returns", "net")
    listed = ", ".join(f"'{day[0]}'" for day in days)
    sql = f"""SELECT dt, sum(lines), sum(sales), sum(returns), sum(net) FROM gold.daily_sales
              WHERE dt IN ({listed}) GROUP BY dt ORDER BY dt"""  # noqa: S608 - dates of the figures
    assert rows_of(ask(cli, real_lake, sql)) == days

    sql = "SELECT country, sum(sales) FROM gold.daily_sales GROUP BY country ORDER BY 2 DESC, 1 LIMIT 8"
    assert rows_of(ask(cli, real_lake, sql)) == chosen("top countries", "country", "sales")


def test_daily_metrics_gives_the_days(real_lake: Lake, cli: Cli) -> None:
    days = chosen("some days", "dt", "sales", "returns", "net")
    listed = ", ".join(f"'{day[0]}'" for day in days)
    sql = f"""SELECT date_key, metric_name, metric_value FROM gold.daily_metrics
              WHERE metric_name IN ('sales', 'returns', 'net') AND date_key IN ({listed})"""  # noqa: S608
    found = {(dt, name): float(value) for dt, name, value in rows_of(ask(cli, real_lake, sql))}
    expected = {
        (dt, name): float(value)
        for dt, *values in days
        for name, value in zip(("sales", "returns", "net"), values, strict=True)
    }
    assert found == expected


def test_product_performance_gives_the_top_products(real_lake: Lake, cli: Cli) -> None:
    sql = """SELECT stock_code, sales, units, invoices FROM gold.product_performance
             ORDER BY sales DESC, stock_code LIMIT 10"""
    assert rows_of(ask(cli, real_lake, sql)) == chosen("top products", "stock_code", "sales", "units", "invoices")


def test_product_performance_agrees_with_silver_on_every_product(real_lake: Lake, cli: Cli) -> None:
    sql = """
        WITH sold AS (
            SELECT stock_code, sum(line_amount) AS sales, sum(quantity) AS units,
                   count(DISTINCT invoice_no) AS invoices, min(dt) AS first_date, max(dt) AS last_date
            FROM silver.sales WHERE line_type = 'sale' GROUP BY stock_code),
        returned AS (
            SELECT stock_code, -sum(quantity) AS units
            FROM silver.sales WHERE line_type = 'return' GROUP BY stock_code),
        expected AS (
            SELECT sold.*, coalesce(returned.units, 0)::DOUBLE / sold.units AS return_rate
            FROM sold LEFT JOIN returned USING (stock_code)),
        built AS (
            SELECT stock_code, sales, units, invoices, first_date, last_date, return_rate FROM gold.product_performance)
        SELECT (SELECT count(*) FROM expected) AS products,
               (SELECT count(*) FROM (SELECT * FROM expected EXCEPT SELECT * FROM built)) AS missing,
               (SELECT count(*) FROM (SELECT * FROM built EXCEPT SELECT * FROM expected)) AS unexpected"""
    assert ask(cli, real_lake, sql) == [{"products": "3791", "missing": "0", "unexpected": "0"}]


def test_every_source_object_is_accounted_for(real_lake: Lake, real_days: list[Path], cli: Cli) -> None:
    sql = """SELECT source_key, sum(landed) AS landed, sum(valid) AS valid, sum(quarantined) AS quarantined,
                    sum(duplicates) AS duplicates, sum(published) AS published, sum(held) AS held
             FROM ops.accounting GROUP BY source_key ORDER BY source_key"""

    found = {row.pop("source_key"): {n: int(v) for n, v in row.items()} for row in ask(cli, real_lake, sql)}

    for key, row in found.items():
        assert row["landed"] == row["valid"] + row["quarantined"] + row["duplicates"], key
        assert row["valid"] == row["published"] + row["held"], key
    assert {key: row["landed"] for key, row in found.items()} == {path.name: records_in(path) for path in real_days}


def records_in(path: Path) -> int:
    with path.open(newline="", encoding="utf-8") as text:
        return sum(1 for _ in csv.reader(text)) - 1


def test_all_landed_rows_are_accounted_for_in_total(real_lake: Lake, cli: Cli) -> None:
    sql = """SELECT sum(landed) AS landed, sum(published) AS published, sum(quarantined) AS quarantined,
                    sum(duplicates) AS duplicates, sum(held) AS held, sum(valid) AS valid,
                    (SELECT count(*) FROM bronze.sales) AS bronze, (SELECT count(*) FROM silver.sales) AS silver,
                    (SELECT count(*) FROM quarantine.sales) AS quarantine,
                    (SELECT sum(rows) FROM ops.ledger WHERE state = 'accepted') AS ledger
             FROM ops.accounting"""
    assert ask(cli, real_lake, sql) == [
        {
            "landed": "541909", "published": "536639", "quarantined": "2", "duplicates": "5268", "held": "0",
            "valid": "536639", "bronze": "541909", "silver": "536639", "quarantine": "2", "ledger": "541909",
        }
    ]  # fmt: skip


def test_a_second_run_does_nothing_and_says_so(real_lake: Lake, copy_of: Callable[[Lake], Lake], cli: Cli) -> None:
    lake = copy_of(real_lake)
    assert cli(lake, "run").returncode == 0  # the catalog of a lake that was moved

    def written() -> dict[str, int]:
        root = Path(lake.settings.root)
        return {str(path): path.stat().st_mtime_ns for path in root.rglob("*") if ".dagster" not in path.parts}

    def runs() -> int:
        with dg.DagsterInstance.from_config(str(lake.settings.dagster_home)) as instance:
            return instance.get_runs_count()

    before = written(), runs()

    force = cli(lake, "run")

    assert force.returncode == 0
    assert "Nothing is pending" in force.stdout
    assert (written(), runs()) == before
