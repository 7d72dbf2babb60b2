"""A model `gold.totals` over sales, its SQL chosen by the test: declared, built, read back. Not here: the tests."""

from pathlib import Path
from typing import Any

import dataframely as dy

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Model
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.pipeline.gold import build as build_model
from lakehouse_assets.pipeline.pending import ModelState
from lakehouse_assets.storage import delta
from lakehouse_assets_tests.retail import sales

NEXT = "2011-03-02"


class Totals(dy.Schema):
    dt = dy.Date(primary_key=True)
    units = dy.Int64(nullable=False, max=1000)
    sales = dy.Decimal(38, 4, nullable=False)


GOOD = "SELECT dt, sum(quantity) AS units, sum(line_amount) AS sales FROM silver.sales GROUP BY dt"


def totals(lake: Lake, sql: str = GOOD, schema: type[dy.Schema] = Totals, **options: Any) -> tuple[Lake, Model]:
    """Return the lake with `gold.totals` declared in it, and that model."""
    file = Path(f"{lake.store.root}-totals.sql")
    file.write_text(sql)
    declared: dict[str, Any] = {"name": "totals", "description": "x", "owner": "team:x", "date": "dt"}
    model = Model(schema=schema, sql=file, **declared | options)
    return Lake(lake.store, lake.settings, Registry([sales(lake)], [model])), model


def build_one(lake: Lake, model: Model, *, force: bool = False) -> dict[str, int]:
    state = ModelState.read(lake, model)
    partitions = list(state.inputs) if force else state.pending
    return {
        partition: rows
        for built in build_model(lake, model, partitions, force=force)
        for partition, rows in built.rows.items()
    }


def stored(lake: Lake, name: str = "totals") -> list[dict[str, Any]]:
    return delta.scan(lake.store, f"gold/{name}", {}).collect().rows(named=True)
