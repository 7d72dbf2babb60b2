"""Nothing is built from a table whose contract was refused, or is not yet applied; whoever asks is told why."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import dataframely as dy
import polars as pl
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Model, derived, source
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.orchestration.pending_runs import table_work
from lakehouse_assets.orchestration.runner import Report
from lakehouse_assets.pipeline.gold import ModelError
from lakehouse_assets.query import sql as answers
from lakehouse_assets.query.overview import status
from lakehouse_assets.query.plan import plan
from lakehouse_assets_tests.contracts.orders import orders
from lakehouse_assets_tests.retail import build, ingest, land, publish

RENAMED = {
    "amount": None,
    "value": dy.Decimal(38, 4, nullable=False, metadata=derived(pl.col("units") * pl.col("price"))),
}
WAITS = (
    "gold.totals: it is not rebuilt, and keeps its present rows: silver/orders: column 'amount' is stored but no longer"
)


class Totals(dy.Schema):
    ordered_on = dy.Date(primary_key=True)
    total = dy.Decimal(38, 4, nullable=True)


def _with(lake: Lake, column: str = "amount", columns: dict[str, Any] | None = None, **options: Any) -> Lake:
    """Return the lake with a feed of orders, and a model that adds up one of its columns."""
    sql = Path(f"{lake.store.root}-{column}.sql")
    sql.write_text(f"SELECT dt AS ordered_on, sum({column}) AS total FROM silver.orders GROUP BY dt")  # noqa: S608
    model = Model("totals", Totals, "Totals.", "team:x", sql, date="ordered_on")
    return replace(lake, registry=Registry([orders(columns=columns, **options)], [model]))


@pytest.fixture
def built(lake: Lake) -> Lake:
    """A lake whose one order of 2 x 1.50 is in gold."""
    lake = _with(lake)
    land(lake, "x.csv", b"Number,Code,Units,At,Price\n1,a,2,01/03/2011,1.50\n", "orders")
    _settle(lake)
    assert _total(lake) == Decimal("3.0000")
    return lake


def _settle(lake: Lake) -> None:
    ingest(lake, feed="orders")
    publish(lake, feed="orders")
    build(lake)


def _total(lake: Lake) -> Any:
    return answers.run(lake, "SELECT total FROM gold.totals").rows[0][0]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::dagster.BetaWarning")
def test_a_column_that_is_renamed_leaves_gold_as_it_was(built: Lake, run_of: Callable[[Lake], Report]) -> None:
    renamed = _with(built, "value", RENAMED)
    failures = run_of(renamed).failures
    assert [line.split(":")[0] for line in failures] == ["silver.orders", "gold.totals"]
    assert failures[1].startswith(WAITS)
    assert _total(built) == Decimal("3.0000")
    found = status(renamed)
    assert list(found.pending) == ["silver.orders", "gold.totals"]
    assert [line.startswith(WAITS) for line in found.waiting] == [True]
    assert {step.table: step.refusal is not None for step in plan(renamed)} == {
        "silver.orders": True,
        "gold.totals": True,
    }


@pytest.mark.slow(covered=True)
def test_nobody_is_sent_to_build_what_has_to_wait(built: Lake) -> None:
    renamed = _with(built, "value", RENAMED)
    [silver] = table_work(renamed)
    given_up = {(table, p): value for table, partitions in silver.tables.items() for p, value in partitions.items()}
    assert [list(work.tables) for work in table_work(renamed, given_up) if "gold/totals" in work.tables] == []
    with pytest.raises(ModelError, match="it is not rebuilt, and keeps its present rows"):
        build(renamed)
    assert _total(built) == Decimal("3.0000")


@pytest.mark.slow(covered=True)
def test_a_query_shows_the_columns_that_are_stored(built: Lake) -> None:
    renamed = _with(built, "value", RENAMED)
    columns = answers.run(renamed, "FROM silver.orders").columns
    assert "amount" in columns
    assert "value" not in columns


@pytest.mark.slow(covered=True)
def test_gold_waits_for_a_column_until_silver_has_it(built: Lake) -> None:
    more = _with(built, "extra", {"extra": dy.Int64(nullable=True, metadata=source("Units"))})
    with pytest.raises(ModelError, match=r"silver\.orders does not yet have the column 'extra'"):
        build(more)
    assert _total(built) == Decimal("3.0000")
    publish(more, feed="orders")
    build(more)
    assert _total(more) == 2
    assert status(more).waiting == []


@pytest.mark.slow
def test_a_refused_quarantine_leaves_silver_without_the_new_column(built: Lake) -> None:
    # `Code` is no longer read, so quarantine refuses; `extra` is new, and silver alone could have it.
    other = _with(
        built, "extra", {"code": None, "price": dy.Decimal(18, 4, nullable=False, metadata=source("Cost")),
        "extra": dy.Int64(nullable=True, metadata=source("Units"))},
    )  # fmt: skip
    with pytest.raises(Exception, match="stored but no longer declared"):
        publish(other, feed="orders")
    assert "extra" not in answers.run(built, "FROM silver.orders").columns
