"""An ordinary Dagster asset reads tables of every layer, and with a schema it is a table of the lake itself."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from lakehouse_assets.context import Lake, current
from lakehouse_assets.contracts.registry import Registry, registry, registry_of
from lakehouse_assets.orchestration.location import definitions
from lakehouse_assets.query import sql
from lakehouse_assets.query.dictionary import as_markdown
from lakehouse_assets.query.verify import verify
from lakehouse_assets.settings import settings
from lakehouse_assets_tests.retail import DAY, day, ingest, land, publish, sales_csv

# As in `lakehouse_assets.orchestration`, whose filter pytest resets.
NEXT = "2011-03-02"
SALES = """
from lakehouse_assets.defs.gold.daily_sales import MODEL
from lakehouse_assets.defs.silver.sales import FEED
"""
SHARES = '''
import dagster as dg
import dataframely as dy
import polars as pl

class LineShares(dy.Schema):
    """One row per date and country."""
    dt = dy.Date(primary_key=True, description="Business date.")
    country = dy.String(primary_key=True, description="Country.")
    share = dy.Float64(nullable=False, min=0, max=1, description="Share of the lines.")

@dg.asset(
    key=["gold", "line_shares"],
    ins={"lines": dg.AssetIn(["silver", "sales"]), "totals": dg.AssetIn(["gold", "daily_sales"])},
    metadata={"schema": dg.MetadataValue.python_artifact(LineShares), "date": "dt"},
    owners=["team:shares"],
    tags={"report": "weekly"},
)
def line_shares(lines: pl.LazyFrame, totals: pl.DataFrame) -> pl.LazyFrame:
    """Share of each country in the lines of a day."""
    counted = lines.group_by("dt", "country").len()
    whole = totals.lazy().group_by("dt").agg(pl.sum("lines"))
    return counted.join(whole, on="dt").select("dt", "country", share=pl.col("len") / pl.col("lines") * FACTOR)
'''
READERS = """
import dagster as dg
import duckdb
import polars as pl
import pyarrow as pa

SEEN = {}
DAILY = dg.DailyPartitionsDefinition("2009-01-01", timezone="Europe/London", end_offset=1)
SALES = {"sales": dg.AssetIn(["silver", "sales"])}

@dg.asset(ins=SALES, partitions_def=DAILY)
def lazily(sales: pl.LazyFrame) -> None:
    SEEN["LazyFrame"] = sales.collect().height

@dg.asset(ins=SALES, partitions_def=DAILY)
def eagerly(sales: pl.DataFrame) -> None:
    SEEN["DataFrame"] = sales.height

@dg.asset(ins=SALES, partitions_def=DAILY)
def in_arrow(sales: pa.Table) -> None:
    SEEN["Table"] = sales.num_rows

@dg.asset(ins=SALES, partitions_def=DAILY)
def in_duckdb(sales: duckdb.DuckDBPyRelation) -> None:
    SEEN["DuckDBPyRelation"] = len(sales.fetchall())

@dg.asset(ins=SALES, partitions_def=DAILY)
def unannotated(sales) -> None:
    SEEN["none"] = sales.collect().height

@dg.asset(ins={"raw": dg.AssetIn(["bronze", "sales"]), "bad": dg.AssetIn(["quarantine", "sales"])})
def all_of_it(raw: pl.LazyFrame, bad: pl.LazyFrame) -> None:
    SEEN["all"] = [raw.collect().height, bad.collect().height]

@dg.asset
def number() -> int:
    return 3
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return a function that writes a package of modules and gives the lake that it declares."""
    name = f"lake_{tmp_path.name.replace('-', '_')}"
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("LAKEHOUSE_DEFINITIONS", name)
    monkeypatch.setenv("LAKEHOUSE_ROOT", str(tmp_path / "lake"))
    settings.cache_clear()

    def write(**modules: str) -> Lake:
        (tmp_path / name).mkdir()
        for module, text in {"__init__": "", **modules}.items():
            (tmp_path / name / f"{module}.py").write_text(text)
        return current()

    yield write
    registry_of.cache_clear()
    settings.cache_clear()


def fill(lake: Lake) -> None:
    """Publish two dates with three records each, and one bad record on the first."""
    bad = {"InvoiceDate": f"{DAY} 09:00:00", "Quantity": "many"}
    land(lake, "x.csv", sales_csv([*day(DAY, 30), *day(NEXT, 30), {**day(DAY, 1)[0], **bad}]))
    ingest(lake)
    publish(lake)


def materialize(lake: Lake, *keys: str, partition: str | None = None) -> dg.ExecuteInProcessResult:
    job = definitions(lake).resolve_implicit_global_asset_job_def()
    return job.execute_in_process(
        asset_selection=[dg.AssetKey(key.split("/")) for key in keys],
        partition_key=partition,
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        raise_on_error=False,
    )


def failures(result: dg.ExecuteInProcessResult) -> list[str | None]:
    found = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    return [data.user_failure_data.description for data in found if data.user_failure_data]


@pytest.mark.slow
def test_an_asset_with_a_schema_is_a_table_of_the_lake(package: Any) -> None:
    lake = package(sales=SALES, shares=SHARES.replace("FACTOR", "1"))
    fill(lake)
    run = materialize(lake, "gold/daily_sales", "gold/line_shares", partition=DAY)
    assert run.success
    made = [(e.asset_key.to_user_string(), e.partition) for e in run.get_asset_materialization_events() if e.asset_key]
    assert made == [("gold/daily_sales", DAY), ("gold/line_shares", DAY)]
    answer = sql.run(lake, "SELECT dt::TEXT AS dt, sum(share) AS share FROM gold.line_shares GROUP BY dt")
    assert sql.as_json(answer).replace(" ", "").strip() == f'[{{"dt":"{DAY}","share":1.0}}]'
    assert list(verify(lake)) == []
    assert "Share of each country in the lines of a day." in as_markdown(registry())
    spec = definitions(lake).resolve_asset_graph().get(dg.AssetKey(["gold", "line_shares"]))
    assert spec.parent_keys == {dg.AssetKey(["silver", "sales"]), dg.AssetKey(["gold", "daily_sales"])}
    assert {key.name for key in spec.check_keys} > {"primary_key", "country_required", "share_min", "share_max"}
    assert (spec.owners, spec.tags["report"]) == (["team:shares"], "weekly")


@pytest.mark.slow
def test_an_asset_whose_result_breaks_its_schema_publishes_nothing(package: Any) -> None:
    lake = package(sales=SALES, shares=SHARES.replace("FACTOR", "2"))
    fill(lake)
    run = materialize(lake, "gold/daily_sales", "gold/line_shares", partition=DAY)
    assert not run.success
    assert [e.asset_key.to_user_string() for e in run.get_asset_materialization_events() if e.asset_key] == [
        "gold/daily_sales"
    ]
    failed = [check.check_name for check in run.get_asset_check_evaluations() if not check.passed]
    assert failed == ["share_max"]
    assert sql.as_json(sql.run(lake, "SELECT count(*) AS n FROM gold.line_shares")).split() == ['[{"n":', "0}]"]


@pytest.mark.slow
def test_assets_without_a_schema_read_tables_as_they_ask(package: Any) -> None:
    lake = package(sales=SALES, readers=READERS)
    fill(lake)
    assert materialize(lake, "lazily", "eagerly", "in_arrow", "in_duckdb", "unannotated", partition=DAY).success
    assert materialize(lake, "all_of_it").success
    seen = __import__(f"{settings().definitions}.readers", fromlist=["SEEN"]).SEEN
    assert seen.pop("all") == [61, 1]
    assert seen == dict.fromkeys(("LazyFrame", "DataFrame", "Table", "DuckDBPyRelation", "none"), 30)


@pytest.mark.slow
def test_a_value_without_a_table_is_refused(package: Any) -> None:
    lake = package(sales=SALES, readers=READERS)
    [message] = failures(materialize(lake, "number"))
    assert message is not None
    assert message.startswith("number returns int, but declares no table to store it in. Nothing was written;")


@pytest.mark.parametrize(
    ("said", "instead", "message"),
    [
        ('["gold", "line_shares"]', '["line_shares"]', "a table with a schema is in the layer gold"),
        ('owners=["team:shares"],', "", "nobody owns it"),
        ('tags={"report": "weekly"},', 'group_name="reports",', "its group is gold"),
        (
            'tags={"report": "weekly"},', 'partitions_def=dg.DailyPartitionsDefinition("2026-01-01"),',
            "dates, automation and checks follow from its schema.*no partitions_def",
        ),
        ("line_shares(lines", "line_shares(context, lines", "it must be a function of its tables alone"),
        ('["silver", "sales"]', '["silver", "sails"]', r"line_shares\(\) reads silver.sails, which no module declares"),
        ("artifact(LineShares)", "artifact(dg.asset)", "its schema is no dataframely schema"),
        ("totals: pl.DataFrame", "totals: dict", "is no type in which a table can be read"),
    ],
)  # fmt: skip
def test_an_asset_that_cannot_be_a_table_says_why(package: Any, said: str, instead: str, message: str) -> None:
    assert said in SHARES
    lake = package(sales=SALES, shares=SHARES.replace("FACTOR", "1").replace(said, instead))
    [broken] = lake.registry.broken
    assert re.search(message, str(broken))
    assert "gold.line_shares" not in {table.full_name for table in lake.registry.tables()}
    assert "silver.sales" in {table.full_name for table in lake.registry.tables()}


def test_models_and_feeds_of_the_package_alone_are_the_lake(package: Any) -> None:
    found: Registry = package(sales=SALES).registry
    assert (list(found.feeds), list(found.models)) == (["sales"], ["daily_sales"])
