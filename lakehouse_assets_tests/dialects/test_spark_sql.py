"""Queries in Spark's SQL: every model is translated; what would mean something else is refused by name."""

import polars as pl
import pytest

from lakehouse_assets.contracts.registry import registry_of
from lakehouse_assets.dialects.spark_regex import portable
from lakehouse_assets.dialects.spark_sql import spark_sql
from lakehouse_assets.dialects.spark_types import NotInSparkError

REGISTRY = registry_of("lakehouse_assets.defs")
TABLES = {table.full_name: table.types for table in REGISTRY.tables()}
ONE = {
    "silver.t": {
        "id": pl.Int64(),
        "small": pl.Int32(),
        "text": pl.String(),
        "amount": pl.Decimal(38, 4),
        "fine": pl.Decimal(38, 10),
        "share": pl.Float64(),
        "day": pl.Date(),
        "at": pl.Datetime(time_zone="UTC"),
        "local": pl.Datetime(),
        "time": pl.Time(),
        "codes": pl.List(pl.String()),
        "place": pl.Struct({"town": pl.String()}),
        "places": pl.List(pl.Struct({"town": pl.String()})),
    }
}


def translated(expression: str) -> str:
    return spark_sql(f"SELECT {expression} AS x FROM silver.t", ONE)  # noqa: S608 - of this test


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize("name", REGISTRY.models)
def test_every_model_of_the_project_is_translated(name: str) -> None:
    model = REGISTRY.models[name]
    assert spark_sql(model.query, {table: TABLES[table] for table in model.upstream}).count("SELECT") > 0


@pytest.mark.parametrize(
    ("expression", "construct"),
    [
        ("sum(share)", "SUM"),
        ("avg(amount)", "AVG"),
        ("avg(id) OVER ()", "AVG"),
        ("median(share)", "MEDIAN"),
        ("median(amount)", "MEDIAN"),
        ("median(day)", "MEDIAN"),
        ("median(id) OVER ()", "MEDIAN"),
        ("quantile_cont(id, 0.25)", "QUANTILE_CONT"),
        ("list(text)", "ARRAY_AGG"),
        ("upper(day)", "UPPER"),
        ("place['to' || 'wn']", "place"),
        ("text.town", "town"),
        ("places[1].town", "town"),
        ("random()", "RAND"),
        ("round(share)", "ROUND"),
        ("share::BIGINT", "share"),
        ("share::DECIMAL(18, 4)", "share"),
        ("try_cast(text AS INTEGER)", "TRY_CAST"),
        ("text::DATE", "text"),
        ("day + INTERVAL 1 DAY", "INTERVAL"),
        ("fine * fine", "fine"),
        ("regexp_matches(text, text)", "REGEXP"),
        (r"regexp_matches(text, '\bx')", "pattern"),
        (r"text LIKE '\%'", "LIKE"),
        ("date_sub('month', day, day)", "DATE_SUB"),
        ("string_agg(text)", "text"),
        ("codes[-1]", "codes"),
        ("substring(text, 0, 2)", "SUBSTRING"),
        ("(SELECT max(o.id) FROM silver.t AS o WHERE o.id < t.id)", "t"),
        ("sum(id) OVER (ORDER BY id ROWS 1 PRECEDING)", "SUM"),
        ("nowhere(text)", "nowhere"),
        ("at::VARCHAR", "at"),
    ],
)
def test_what_would_mean_something_else_is_refused_by_name(expression: str, construct: str) -> None:
    with pytest.raises(NotInSparkError) as refusal:
        translated(expression)
    assert construct.lower() in refusal.value.construct.lower(), str(refusal.value)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT DISTINCT ON (id) id, text FROM silver.t",
        "SELECT id FROM silver.t NATURAL JOIN silver.t AS o",
        "SELECT unnest(codes) AS a, unnest(codes) AS b FROM silver.t",
        "SELECT id, count(*) AS n FROM silver.t GROUP BY ROLLUP (id)",
        "SELECT * FROM silver.t USING SAMPLE 10",
        "SELECT id FROM silver.t UNION ALL BY NAME SELECT id FROM silver.t",
        "SELECT id FROM range(3) AS r(id)",
        "PIVOT silver.t ON text USING count(*)",
    ],
)
def test_a_query_that_spark_does_not_have_is_refused(query: str) -> None:
    with pytest.raises(NotInSparkError):
        spark_sql(query, ONE)


def test_integers_are_added_up_where_their_sum_has_room() -> None:
    assert "SUM(CAST(`t`.`id` AS DECIMAL(38, 0)))" in translated("sum(id)")


def test_a_division_is_one_of_doubles_as_in_duckdb() -> None:
    assert translated("id / 4").startswith("SELECT (CAST(`t`.`id` AS DOUBLE) / CAST(4 AS DOUBLE)) AS `x`")


def test_months_are_counted_by_their_beginnings() -> None:
    assert "DATEDIFF" not in translated("date_diff('month', day, day)")


def test_all_and_nulls_are_written_out() -> None:
    text = spark_sql("SELECT text, sum(id) AS n FROM silver.t GROUP BY ALL ORDER BY ALL", ONE)
    assert text.endswith("GROUP BY `t`.`text`\nORDER BY `text` ASC NULLS LAST, `n` ASC NULLS LAST")


def test_a_pattern_means_the_same_to_each_engine() -> None:
    assert portable(r"^\d{5}[A-Z_]?.$") == r"\A[0-9]{5}[A-Z_]?[^\n]\z"


def test_what_only_qualifies_is_no_column_of_the_result() -> None:
    text = spark_sql("SELECT id FROM silver.t QUALIFY row_number() OVER (PARTITION BY text ORDER BY id) = 1", ONE)
    assert text.startswith("SELECT `_t`.`id` AS `id`\n")
