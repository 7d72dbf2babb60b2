"""What a query sees: the tables of the lake, in UTC, live records only; and what it is told when it cannot be run."""

import datetime as dt
import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.broken import Broken
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.maintenance.maintain import maintain
from lakehouse_assets.maintenance.policy import Policy
from lakehouse_assets.query.overview import sizes
from lakehouse_assets.query.sql import Answer, QueryError, as_json
from lakehouse_assets.query.sql import run as ask
from lakehouse_assets.query.tables import described
from lakehouse_assets_tests import retail
from lakehouse_assets_tests.conftest import Lakehouse, copied
from lakehouse_assets_tests.retail import day, land, line, sales_csv


def _json(answer: Answer) -> Any:
    return json.loads(as_json(answer), parse_float=Decimal)


@pytest.mark.slow
def test_the_session_is_in_utc(lake: Lake) -> None:
    land(lake, "z.csv", sales_csv([line(InvoiceDate="2011-07-01 00:30:00")]))
    retail.run(lake)
    sql = (
        "SELECT invoiced_at::VARCHAR AS at, dt, invoiced_at::DATE AS day FROM silver.sales WHERE dt = DATE '2011-07-01'"
    )
    assert _json(ask(lake, sql)) == [{"at": "2011-06-30 23:30:00+00", "dt": "2011-07-01", "day": "2011-06-30"}]


def _tables(lake: Lake) -> list[str]:
    return [table.full_name for table in lake.registry.tables()]


@pytest.mark.slow
def test_every_declared_table_is_empty_before_anything_is_written(lake: Lake) -> None:
    for name in [*_tables(lake), "ops.ledger", "ops.accounting", "ops.packs"]:
        answer = ask(lake, f"FROM {name}")
        assert (answer.rows, len(answer.columns) > 0) == ([], True), name


def _columns(lake: Lake) -> dict[str, dict[str, str]]:
    return {
        name: {row[0]: row[1] for row in ask(lake, f"DESCRIBE FROM {name}").rows}
        for name in [*_tables(lake), "ops.ledger", "ops.accounting", "ops.packs"]
    }


@pytest.mark.slow
def test_a_written_table_has_the_columns_and_types_of_the_empty_one(lake: Lake) -> None:
    before = _columns(lake)
    land(lake, "x.csv", sales_csv([*day(), line(Quantity="x"), line(InvoiceDate="?")]))
    retail.run(lake)
    assert _columns(lake) == before


@pytest.mark.slow
def test_dt_is_a_date_everywhere(filled: Lake) -> None:
    types = {name: columns["dt"] for name, columns in _columns(filled).items() if "dt" in columns}
    assert set(types.values()) == {"DATE"}
    assert {"bronze.sales", "silver.sales", "quarantine.sales", "gold.daily_sales", "ops.ledger"} < types.keys()
    assert ask(filled, "SELECT count(*) FROM ops.ledger WHERE dt = DATE '2011-03-01'").rows == [(2,)]


@pytest.mark.slow(covered=True)
def test_all_layers_join_in_one_query(filled: Lake) -> None:
    sql = """SELECT (SELECT count(*) FROM bronze.sales), (SELECT count(*) FROM silver.sales),
        (SELECT count(*) FROM quarantine.sales), (SELECT sum(landed) FROM ops.accounting),
        (SELECT count(*) FROM gold.daily_sales WHERE dt = '2011-03-01'), (SELECT count(*) FROM ops.ledger)"""
    assert ask(filled, sql).rows == [(25, 23, 2, 25, 2, 3)]


@pytest.mark.slow(covered=True)
def test_where_the_records_of_small_files_lie_can_be_asked(lake: Lake) -> None:
    for at in range(6):
        land(lake, f"{at}.csv", sales_csv(day(count=at + 1)))
    retail.ingest(lake)
    before = dt.datetime.now(dt.UTC)
    sql = "SELECT feed, dt, count(DISTINCT file), count(DISTINCT pack) FROM ops.packs GROUP BY ALL"
    assert ask(lake, sql).rows == []
    list(maintain(lake, Policy()))
    assert ask(lake, sql).rows == [("sales", dt.date.fromisoformat(retail.DAY), 6, 1)]
    assert ask(lake, sql, at=before).rows == []
    assert [size.rows for size in sizes(lake) if size.name == "ops.packs"] == [6]


def test_bronze_shows_live_records_only(lake: Lake) -> None:
    for count in (3, 2):
        land(lake, "x.csv", sales_csv(day(count=count)))
        retail.ingest(lake)
    assert ask(lake, "SELECT _source_key, count(*) FROM bronze.sales GROUP BY 1").rows == [("x.csv", 2)]


BAD_SQL = {
    "no sql": ("SELEC 1", "Parser Error"),
    "an unknown table": ("SELECT * FROM gold.sales", "the lake has no table gold.sales"),
    "an unknown column": ("SELECT quantty FROM silver.sales", "Binder Error"),
    "a failing cast": ("SELECT 'x'::INTEGER", "Conversion Error"),
}


UNKNOWN = {
    "misspelt": (
        "FROM silver.salse JOIN silver.sales USING (dt)",
        "no table silver.salse. names like it: silver.sales",
    ),
    "of another layer": ("FROM Gold.sales", "gold.daily_sales"),
    "without a layer": ("FROM daily_sales", "no table daily_sales. names like it: gold.daily_sales"),
    "like none": ("WITH own AS (SELECT 1) FROM own, xyzzy", "no table xyzzy. `lakehouse tables` lists them all."),
}


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize(("sql", "said"), UNKNOWN.values(), ids=UNKNOWN)
def test_an_unknown_table_is_told_with_names_of_the_lake_that_are_like_it(lake: Lake, sql: str, said: str) -> None:
    with pytest.raises(QueryError) as error:
        ask(lake, sql)
    assert said in str(error.value)
    assert "Did you mean" not in str(error.value)


def test_a_table_whose_module_cannot_be_loaded_is_not_told_as_unknown_only(lake: Lake) -> None:
    without = replace(lake, registry=Registry([], [], [Broken("gold.py", "a mistake")]))
    with pytest.raises(
        QueryError, match=r"no table gold\.daily_sales\. Some cannot be loaded: see `lakehouse status`\."
    ):
        ask(without, "FROM gold.daily_sales")


@pytest.mark.parametrize(("sql", "kind"), BAD_SQL.values(), ids=BAD_SQL.keys())
def test_bad_sql_is_one_line(lake: Lake, sql: str, kind: str) -> None:
    with pytest.raises(QueryError, match=kind) as error:
        ask(lake, sql)
    assert "\n" not in str(error.value)


def test_how_a_query_would_be_run_can_be_asked_without_a_warning(
    lakehouse: Lakehouse, caplog: pytest.LogCaptureFixture
) -> None:
    said = lakehouse("query", "EXPLAIN SELECT count(*) FROM silver.sales")
    assert (said.code, said.err, caplog.text) == (0, "", "")
    assert "physical_plan" in said.out


def test_a_statement_without_an_answer_has_none(lake: Lake) -> None:
    answer = ask(lake, "CREATE SCHEMA mine", unsafe=True)
    assert as_json(answer) == "[]"


@pytest.mark.slow
def test_nothing_that_a_query_says_changes_the_lake(filled: Lake) -> None:
    for sql in ("DELETE FROM silver.sales", "DROP VIEW silver.sales", "UPDATE gold.daily_sales SET sales = 0"):
        try:
            ask(filled, sql)
        except QueryError:
            continue
    assert ask(filled, "SELECT count(*) FROM silver.sales").rows == [(23,)]
    assert ask(filled, "SELECT count(*) FROM gold.daily_sales WHERE sales > 0").rows == [(1,)]


def test_a_quoted_or_mixed_case_name_is_the_same_table(filled: Lake) -> None:
    assert (
        ask(filled, 'SELECT count(*) FROM "silver"."sales"').rows
        == ask(filled, "SELECT COUNT(*) FROM Silver.Sales").rows
    )


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM silver.sales",
        "WITH sales AS (FROM silver.sales) SELECT count(*) FROM sales",
        "SELECT (FROM (SELECT count(*) FROM silver.sales)) FROM ops.ledger LIMIT 1",
        "SELECT (SELECT count(*) FROM silver.sales) FROM quarantine.by_rule LIMIT 1",
    ],
)
def test_a_query_is_not_concerned_with_tables_that_it_does_not_read(filled: Lake, tmp_path: Path, sql: str) -> None:
    lake = copied(filled, tmp_path / "lake")
    lake.store.replace(f"gold/daily_sales/_delta_log/{1:020}.json", b"{")
    assert ask(lake, sql).rows == [(23,)]
    with pytest.raises(Exception, match="daily_sales"):
        ask(lake, "FROM gold.daily_sales")


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM duckdb_views() WHERE NOT internal",
        "SELECT count(*) FROM information_schema.tables",
        "SELECT count(*) FROM (SHOW ALL TABLES)",
        "SELECT (SELECT count(*) FROM duckdb_views() WHERE NOT internal) FROM silver.sales LIMIT 1",
    ],
)
def test_a_query_of_what_there_is_sees_every_table(filled: Lake, sql: str) -> None:
    [(found,)] = ask(filled, sql).rows
    assert found >= len(_tables(filled)) + len(described())


@pytest.mark.slow(covered=True)
def test_a_table_named_in_any_way_is_there(filled: Lake) -> None:
    for of in ("query_table('silver.sales')", "query('FROM silver.sales')", "memory.silver.sales", "Silver.SALES"):
        assert ask(filled, f"SELECT count(*) FROM {of}").rows == [(23,)], of  # noqa: S608 - its own
    own = 'WITH "silver.sales" AS (SELECT 1) SELECT count(*) FROM silver.sales'
    assert ask(filled, own).rows == [(23,)]


@pytest.mark.slow(covered=True)
def test_a_name_that_is_put_together_when_the_query_runs_is_read_like_any_other(filled: Lake) -> None:
    for table in ("bronze.sales", "ops.ledger", "ops.decisions"):
        start, end = table[:8], table[8:]
        put_together = f"SELECT count(*) FROM query_table('{start}' || '{end}')"  # noqa: S608 - its own
        assert ask(filled, put_together).rows == ask(filled, f"SELECT count(*) FROM {table}").rows, table  # noqa: S608
