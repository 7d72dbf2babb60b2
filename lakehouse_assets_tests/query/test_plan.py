"""The plan names what a run would compute, table by table, and nothing when all is up to date."""

from dataclasses import replace
from pathlib import Path

import dataframely as dy
import polars as pl
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Model, source
from lakehouse_assets.contracts.partitioning import WHOLE
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.query.plan import Step, plan, seconds
from lakehouse_assets_tests.contracts.orders import orders
from lakehouse_assets_tests.retail import DAY, ingest, land, publish, run, sales, sales_csv

NEXT = "2011-03-02"


class Totals(dy.Schema):
    ordered_on = dy.Date(nullable=False)
    total = dy.Int64(nullable=False, min=1)


def steps(lake: Lake) -> dict[str, Step]:
    return {step.table: step for step in plan(lake)}


def test_a_fresh_lake_has_only_the_tables_of_no_date_to_build(lake: Lake) -> None:
    assert all(step.partitions == [WHOLE] for step in plan(lake))


@pytest.mark.slow
def test_what_landed_is_planned_from_silver_to_gold_and_gone_after_the_run(lake: Lake) -> None:
    land(lake, "day.csv", sales_csv(3))
    land(lake, "next.csv", sales_csv(2, NEXT))
    ingest(lake)
    planned = steps(lake)
    assert (planned["silver.sales"].partitions, planned["silver.sales"].rows) == ([DAY, NEXT], 5)
    assert planned["gold.daily_sales"].partitions == [DAY, NEXT]
    assert planned["gold.product_performance"].partitions == [WHOLE]
    publish(lake)
    assert steps(lake).keys() == planned.keys() - {"silver.sales"}
    run(lake)
    assert plan(lake) == []


@pytest.mark.slow
def test_a_late_file_reopens_its_date_only(lake: Lake) -> None:
    land(lake, "day.csv", sales_csv(3))
    land(lake, "next.csv", sales_csv(2, NEXT))
    run(lake)
    land(lake, "late.csv", sales_csv(4, NEXT))
    ingest(lake)
    planned = steps(lake)
    assert planned["silver.sales"].partitions == planned["gold.daily_sales"].partitions == [NEXT]


@pytest.mark.slow
def test_another_gate_is_another_contract(lake: Lake) -> None:
    land(lake, "day.csv", sales_csv(3))
    run(lake)
    models = list(lake.registry.models.values())
    stricter = replace(lake, registry=Registry([replace(sales(lake), gate=0.99)], models))
    assert [step.table for step in plan(stricter) if step.table == "silver.sales"] == ["silver.sales"]


def test_sql_that_names_a_column_that_is_gone_is_refused_with_model_column_and_file(lake: Lake, tmp_path: Path) -> None:
    names = {"good": "units", "bad": "unit", "other_type": "price", "nothing": "1 AS x, 2"}
    models = []
    for name, column in names.items():
        sql = tmp_path / f"{name}.sql"
        sql.write_text(f"SELECT dt AS ordered_on, {column} AS total FROM silver.orders")  # noqa: S608
        models.append(Model(name, Totals, "Totals.", "team:x", sql, date="ordered_on"))
    changed = replace(lake, registry=Registry([orders()], models))
    refused = {step.table: step.refusal for step in plan(changed) if step.refusal}
    assert set(refused) == {"gold.bad", "gold.other_type", "gold.nothing"}
    assert 'bad.sql: Binder Error: Referenced column "unit" not found' in (refused["gold.bad"] or "")
    assert "other_type.sql: the column 'total' comes as Decimal" in (refused["gold.other_type"] or "")
    assert "nothing.sql: it returns the column 'x', which Totals does not declare" in (refused["gold.nothing"] or "")


def test_every_column_that_storage_refuses_is_named_at_once(lake: Lake) -> None:
    land(lake, "x.csv", b"Number,Code,Units,At,Price\n1,a,2,01/03/2011,1.50\n", "orders")
    before = replace(lake, registry=Registry([orders()], []))
    ingest(before, feed="orders")
    publish(before, feed="orders")
    fewer = orders(
        columns={"amount": None, "units": dy.String(nullable=False, metadata=source("Units"))}, rule=pl.lit(1) > 0
    )
    [refusal] = [s.refusal for s in plan(replace(lake, registry=Registry([fewer], []))) if s.table == "silver.orders"]
    assert refusal is not None
    assert "'amount' is stored but no longer declared" in refusal
    assert "'units' is declared as string but stored as long" in refusal
    assert "write `revision=2`" in refusal


@pytest.mark.slow
def test_what_landed_is_work_and_the_estimate_grows_with_it(lake: Lake) -> None:
    land(lake, "day.csv", sales_csv(3))
    small = plan(lake)
    assert (small[0].table, small[0].new, small[0].bytes) == ("silver.sales", 1, len(sales_csv(3)))
    land(lake, "large.csv", sales_csv(20_000, NEXT))
    assert seconds(plan(lake)) > seconds(small) > 0
    run(lake)
    assert seconds(plan(lake)) == 0
