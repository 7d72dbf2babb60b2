"""What serves rows, as an asset: below the gold tables, refreshed after every publish, absent without its setting."""

import json
import uuid
from dataclasses import replace
from typing import Any

import dagster as dg
import pytest

from lakehouse_assets import aws
from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.registry import registry
from lakehouse_assets_tests.aws_emulator import AwsEmulator
from lakehouse_assets_tests.conftest import Cli
from lakehouse_assets_tests.orchestration.test_catalogs import of_root
from lakehouse_assets_tests.retail import day, land, sales_csv

DYNAMODB = dg.AssetKey(["serving", "dynamodb"])


def test_dynamodb_is_an_asset_below_the_served_tables_only_where_it_is_configured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert DYNAMODB not in of_root("/nowhere").resolve_asset_graph().get_all_asset_keys()
    monkeypatch.setenv("LAKEHOUSE_SERVING_TABLE", "serving")
    graph = of_root("/nowhere").resolve_asset_graph()
    assert graph.get(DYNAMODB).parent_keys == {dg.AssetKey(["gold", "daily_metrics"])}
    assert dg.AssetCheckKey(DYNAMODB, "drift") in graph.asset_check_keys


@pytest.mark.slow
def test_a_run_fills_the_table_an_outage_loses_nothing_and_a_repeat_has_nothing_to_do(
    s3_lake: Lake, aws_emulator: AwsEmulator, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"serving-{uuid.uuid4().hex}"
    monkeypatch.setenv("LAKEHOUSE_SERVING_TABLE", name)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:1")
    monkeypatch.setattr(aws, "STEADY", replace(aws.STEADY, attempts=1))
    land(s3_lake, "a.csv", sales_csv([*day("2011-03-01", 2), *day("2011-03-02", 2, Country="France")]))
    ran = cli(s3_lake, "run")
    assert ran.returncode == 1
    assert "serving.dynamodb: DynamoDB refused dynamodb:DescribeTable" in ran.stdout
    assert json.loads(cli(s3_lake, "query", "SELECT count(*) AS n FROM silver.sales", "--format", "json").stdout) == [
        {"n": 4}
    ]

    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", aws_emulator.url)
    ran = cli(s3_lake, "run")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    asked = "SELECT date_key, metric_name, metric_value FROM gold.daily_metrics ORDER BY ALL"
    gold = json.loads(cli(s3_lake, "query", asked, "--format", "json").stdout)
    assert _rows(aws_emulator.client("dynamodb"), name) == [tuple(row.values()) for row in gold]
    assert "Nothing is pending" in cli(s3_lake, "run").stdout
    assert cli(s3_lake, "catalog").returncode == 0
    assert cli(s3_lake, "run", "serving.dynamodb").returncode == 0


def _rows(client: Any, table: str) -> list[tuple[str, str, float]]:
    items = client.scan(TableName=table)["Items"]
    found = ((i["date_key"]["S"], i["metric_name"]["S"], float(i["metric_value"]["N"])) for i in items if "_place" in i)
    return sorted(found)


def test_redshift_is_an_asset_below_every_gold_table_only_where_it_is_configured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    redshift = dg.AssetKey(["serving", "redshift"])
    assert redshift not in of_root("s3://bucket/lake").resolve_asset_graph().get_all_asset_keys()
    monkeypatch.setenv("LAKEHOUSE_ROOT", "s3://bucket/lake")
    monkeypatch.setenv("LAKEHOUSE_REDSHIFT_WORKGROUP", "lake")
    graph = of_root("s3://bucket/lake").resolve_asset_graph()
    parents = {key.to_user_string() for key in graph.get(redshift).parent_keys}
    assert parents == {model.table.key for model in registry().models.values()}
