"""The catalogs as assets: refreshed after every publish, compared by a check, absent where they are not configured."""

import json
from collections.abc import Iterator

import dagster as dg
import pytest

from lakehouse_assets.context import Lake, lake_at
from lakehouse_assets.orchestration.location import definitions
from lakehouse_assets.settings import settings
from lakehouse_assets_tests.catalog.athena_in_memory import Athena
from lakehouse_assets_tests.catalog.glue_in_memory import Glue, glue_in_memory
from lakehouse_assets_tests.conftest import Cli
from lakehouse_assets_tests.retail import land, sales_csv

GLUE = dg.AssetKey(["catalog", "glue"])


@pytest.fixture
def glue(monkeypatch: pytest.MonkeyPatch) -> Iterator[Glue]:
    """An empty Glue, beside whatever S3 the environment names."""
    for service in ("glue", "athena"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service.upper()}", f"https://{service}.us-east-1.amazonaws.com")
    monkeypatch.setenv("LAKEHOUSE_GLUE_PREFIX", "lake")
    with glue_in_memory(monkeypatch) as found:
        yield found


def of_root(root: str) -> dg.Definitions:
    """Return the code location of a lake with the settings of the environment."""
    settings.cache_clear()
    try:
        return definitions(lake_at(root))
    finally:
        settings.cache_clear()


def test_glue_is_an_asset_with_its_check_below_every_table_only_where_it_is_configured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert GLUE not in of_root("s3://bucket/lake").resolve_asset_graph().get_all_asset_keys()
    monkeypatch.setenv("LAKEHOUSE_ROOT", "s3://bucket/lake")
    monkeypatch.setenv("LAKEHOUSE_GLUE_PREFIX", "lake")
    graph = of_root("s3://bucket/lake").resolve_asset_graph()
    parents = {key.to_user_string() for key in graph.get(GLUE).parent_keys}
    assert parents >= {"bronze/sales", "silver/sales", "quarantine/sales", "gold/daily_sales"}
    assert dg.AssetCheckKey(GLUE, "drift") in graph.asset_check_keys


def test_athena_follows_glue_and_has_a_check_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEHOUSE_ROOT", "s3://bucket/lake")
    monkeypatch.setenv("LAKEHOUSE_GLUE_PREFIX", "lake")
    monkeypatch.setenv("LAKEHOUSE_ATHENA_WORKGROUP", "lake")
    graph = of_root("s3://bucket/lake").resolve_asset_graph()
    athena = dg.AssetKey(["catalog", "athena"])
    assert graph.get(athena).parent_keys == {GLUE}
    assert dg.AssetCheckKey(athena, "drift") in graph.asset_check_keys


def test_a_query_for_athena_says_what_to_set_where_there_is_none(lake: Lake, cli: Cli) -> None:
    asked = cli(lake, "query", "--engine", "athena", "SELECT 1")
    assert asked.returncode == 1
    assert "Athena is not configured. Nothing was run; set LAKEHOUSE_ATHENA_WORKGROUP" in asked.stderr
    assert "are for DuckDB" in cli(lake, "query", "--engine", "athena", "SELECT 1", "--at", "2026-01-01").stderr


@pytest.mark.slow
def test_a_run_registers_a_change_by_hand_is_told_and_put_right_and_an_outage_loses_nothing(
    s3_lake: Lake, glue: Glue, cli: Cli
) -> None:
    land(s3_lake, "a.csv", sales_csv(3))
    glue.fault = lambda call, _: "AccessDeniedException" if call == "GetTables" else None
    ran = cli(s3_lake, "run")
    assert ran.returncode == 1
    assert "catalog.glue: Glue refused glue:GetTables of lake_bronze" in ran.stdout
    assert json.loads(cli(s3_lake, "query", "SELECT count(*) AS n FROM silver.sales", "--format", "json").stdout) == [
        {"n": 3}
    ]

    glue.fault = lambda *_: None
    assert "catalog/glue is behind the tables" in cli(s3_lake, "catalog").stdout
    ran = cli(s3_lake, "run")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert {"sales", "sales_by_rule"} == glue.tables("lake_quarantine").keys()
    assert "Nothing is pending" in cli(s3_lake, "run").stdout

    found = cli(s3_lake, "catalog")
    assert found.returncode == 0, found.stdout
    glue.client.delete_table(DatabaseName="lake_silver", Name="sales")
    found = cli(s3_lake, "catalog")
    assert found.returncode == 1
    assert (
        "lake_silver.sales: it is missing in Glue, and was there; `lakehouse run catalog.glue` puts it" in found.stdout
    )
    assert "lake_silver.sales: it is missing in Glue" in cli(s3_lake, "verify").stdout
    assert cli(s3_lake, "run", "catalog.glue").returncode == 0
    assert "sales" in glue.tables("lake_silver")

    # What nobody declares any more fails no run; the check warns, and the command takes it out.
    entry = glue.table("lake_silver.sales")
    told = {name: entry[name] for name in ("TableType", "Parameters", "StorageDescriptor")}
    glue.client.create_table(DatabaseName="lake_gold", TableInput={"Name": "past", **told})
    assert cli(s3_lake, "run", "catalog.glue").returncode == 0
    assert "lake_gold.past: no module declares it any more" in cli(s3_lake, "catalog").stdout
    removed = cli(s3_lake, "catalog", "--remove")
    assert removed.returncode == 0, removed.stdout
    assert "past" not in glue.tables("lake_gold")

    # A table of others keeps the lake's own out: that fails the run.
    glue.client.delete_table(DatabaseName="lake_gold", Name="daily_sales")
    glue.client.create_table(DatabaseName="lake_gold", TableInput={"Name": "daily_sales"})
    ran = cli(s3_lake, "run", "catalog.glue")
    assert ran.returncode == 1
    assert "catalog.glue: lake_gold.daily_sales: a table of this name is in Glue" in ran.stdout


@pytest.mark.slow
def test_a_run_goes_on_from_glue_to_athena_and_the_command_asks_there(
    s3_lake: Lake, glue: Glue, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKEHOUSE_ATHENA_WORKGROUP", "lake")
    glue.athena = Athena(s3_lake)
    land(s3_lake, "a.csv", sales_csv(3))
    ran = cli(s3_lake, "run")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "gold.sales_by_month" in glue.athena.views
    assert "Nothing is pending" in cli(s3_lake, "run").stdout
    asked = "SELECT country, sum(net) AS net FROM gold.daily_sales GROUP BY 1"
    here, there = (cli(s3_lake, "query", "--engine", engine, asked) for engine in ("duckdb", "athena"))
    assert there.returncode == 0, there.stderr
    assert there.stdout == here.stdout
    [costs] = json.loads(cli(s3_lake, "query", "FROM ops.query_costs", "--format", "json").stdout)
    assert costs["queries"] == len(glue.athena.queries)
    assert cli(s3_lake, "catalog").returncode == 0
