"""The plan names what a run would compute, table by table, and nothing when all is up to date."""

from dataclasses import replace

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.partitioning import WHOLE
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.query.plan import Step, plan
from lakehouse_assets_tests.retail import DAY, ingest, land, publish, run, sales, sales_csv

NEXT = "2011-03-02"


def steps(lake: Lake) -> dict[str, Step]:
    return {step.table: step for step in plan(lake)}


def test_a_fresh_lake_has_only_the_tables_of_no_date_to_build(lake: Lake) -> None:
    assert all(step.partitions == [WHOLE] for step in plan(lake))


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


def test_a_late_file_reopens_its_date_only(lake: Lake) -> None:
    land(lake, "day.csv", sales_csv(3))
    land(lake, "next.csv", sales_csv(2, NEXT))
    run(lake)
    land(lake, "late.csv", sales_csv(4, NEXT))
    ingest(lake)
    planned = steps(lake)
    assert planned["silver.sales"].partitions == planned["gold.daily_sales"].partitions == [NEXT]


def test_another_gate_is_another_contract(lake: Lake) -> None:
    land(lake, "day.csv", sales_csv(3))
    run(lake)
    models = list(lake.registry.models.values())
    stricter = replace(lake, registry=Registry([replace(sales(lake), gate=0.99)], models))
    assert [step.table for step in plan(stricter) if step.table == "silver.sales"] == ["silver.sales"]
